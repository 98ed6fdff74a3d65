"""What all figures share: a figure that never offers to upload, its layout, and text that plotly shows as it is."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from sima_compiler import printable

#: plotly.js shows a button that sends the chart to a cloud unless this says no.
OFFLINE = {"showSendToCloud": False}
GRID = "rgba(128,128,128,0.25)"
_HEIGHT = 380


class Chart(go.Figure):
    """A plotly figure without the button that uploads it, however it is shown."""

    def show(self, *args: Any, **options: Any) -> None:
        """As plotly's own; a ``config`` of the caller is kept."""
        super().show(*args, **{**options, "config": OFFLINE | (options.get("config") or {})})

    def _ipython_display_(self) -> None:
        self.show()

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None, validate: bool = True, **options: Any
    ) -> dict[str, Any]:
        return super()._repr_mimebundle_(include, exclude, validate, **{"config": OFFLINE, **options})


def chart(traces: list[Any], **layout: Any) -> Chart:
    """A figure of these traces in colours that suit light and dark pages."""
    common = {
        "height": _HEIGHT,
        "margin": {"l": 8, "r": 16, "t": 76, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "#808890", "size": 12},
        "legend": {"orientation": "h", "yref": "container", "y": 1.0, "yanchor": "top", "x": 0},
        "hoverlabel": {"align": "left"},
    }
    figure = Chart(traces)
    figure.update_layout(common | layout)
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True)
    return figure


def plain(text: str) -> str:
    """Text that plotly shows as it is: it would take ``<b>`` and entities for markup."""
    text = "\n".join(printable(line) for line in text.split("\n"))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")

"""Plotly figures of a compile: pure functions from a `View` to `plotly.graph_objects.Figure`.

In: a `View`. Out: a figure; nothing is shown. Bars of one operator family share a trace, so that the legend can hide a
family.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sima_compiler import printable
from sima_compiler.view import BatchCandidate, Label, Layer, View, layer_details, palette, units, wordings

if TYPE_CHECKING:
    import plotly.graph_objects as go

_ROW_PIXELS = 18
_MOST_PIXELS = 900


def gantt(view: View) -> go.Figure:
    """The static schedule, a row per layer, the first layer on top.

    Cycles are the unit of the axis; the hover adds microseconds at the machine's clock.
    """
    import plotly.graph_objects as go

    layers = [layer for layer in view.layers if layer.start_cycle is not None]
    traces = [
        _family_trace(family, [layer for layer in layers if layer.family == family.key], view)
        for family in view.palette.families
    ]
    figure = go.Figure([trace for trace in traces if trace.x])
    figure.update_layout({**_layout(len(layers)), "barmode": "overlay", "bargap": 0.25})
    figure.update_xaxes(
        title={"text": "cycles", "standoff": 2},
        side="top",
        rangemode="tozero",
        gridcolor="rgba(128,128,128,0.25)",
        zeroline=False,
    )
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=[_row_label(layer) for layer in layers],
        autorange="reversed",
        showgrid=False,
        automargin=True,
        tickfont={"family": "monospace", "size": 11},
        ticks="outside",
        ticklen=6,
        tickcolor="rgba(0,0,0,0)",
    )
    return figure


def batch_chart(view: View) -> go.Figure:
    """Samples per second by batch size; the built size is blue, infeasible sizes are hatched."""
    import plotly.graph_objects as go

    rows, built = list(view.candidates), view.batch.actual_batch_size
    bars = go.Bar(
        x=[str(row.batch_size) for row in rows],
        y=[row.samples_per_second or 0.0 for row in rows],
        marker={
            "color": [palette.BLUE if row.batch_size == built else palette.GREY for row in rows],
            "pattern": {"shape": ["" if row.feasible else "/" for row in rows]},
        },
        hovertext=[_plain(_candidate_details(row)) for row in rows],
        hoverinfo="text",
    )
    figure = go.Figure(bars)
    figure.update_layout({**_layout(0), "height": 320, "margin": {"l": 8, "r": 16, "t": 16, "b": 40}})
    figure.update_xaxes(title="batch size", type="category")
    figure.update_yaxes(title="samples per second", gridcolor="rgba(128,128,128,0.25)")
    return figure


def _family_trace(family: Label, layers: Sequence[Layer], view: View) -> go.Bar:
    import plotly.graph_objects as go

    return go.Bar(
        name=family.label,
        orientation="h",
        y=[_row_label(layer) for layer in layers],
        base=[layer.start_cycle for layer in layers],
        x=[layer.compute_cycles for layer in layers],
        marker={"color": family.colour, "line": {"width": 0}},
        hovertext=[_plain(layer_details(layer, view)) for layer in layers],
        hoverinfo="text",
    )


def _row_label(layer: Layer) -> str:
    return _plain(printable(layer.name))


def _plain(text: str) -> str:
    """Text that plotly shows as it is: it would take ``<b>`` and entities for markup."""
    text = "\n".join(printable(line) for line in text.split("\n"))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")


def _layout(rows: int) -> dict[str, Any]:
    return {
        "height": min(_MOST_PIXELS, 110 + _ROW_PIXELS * rows),
        "margin": {"l": 8, "r": 16, "t": 76, "b": 16},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "#808890", "size": 12},
        "legend": {"orientation": "h", "yref": "container", "y": 1.0, "yanchor": "top", "x": 0},
        "hoverlabel": {"align": "left"},
    }


def _candidate_details(row: BatchCandidate) -> str:
    lines = [f"batch {row.batch_size}: {'feasible' if row.feasible else 'not feasible'}"]
    if row.samples_per_second:
        lines.append(f"{units.short_rate(row.samples_per_second)} samples per second")
    if row.peak_on_chip_bytes:
        lines.append(f"{units.size(row.peak_on_chip_bytes)} on chip at the peak")
    levers = "; ".join(lever.text for lever in row.levers)
    return "\n".join([*lines, *(text for text in (wordings.limited_by(row), row.reason, levers) if text)])

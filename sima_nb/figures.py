"""Plotly figures of a compile: pure functions from data to `plotly.graph_objects.Figure`.

In: statistics and report of an archive, or rows of the batch negotiation. Out: a figure; nothing is shown. Bars of one
operator family share a trace, so that the legend can hide a family.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sima_compiler import printable
from sima_nb import units
from sima_nb.html.gantt import layer_details
from sima_nb.palette import BLUE, FAMILY_COLOURS, GREY
from sima_nb.reading import candidate_facts, clock_of, layer_facts

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from sima_nb.facts import CandidateFact, LayerFact

_ROW_PIXELS = 18
_MOST_PIXELS = 900


def gantt(stats: Any, report: dict[str, Any] | None = None) -> go.Figure:
    """The static schedule, a row per layer, the first layer on top.

    Args:
        stats: statistics with ``layers`` (id, name, start_cycle, end_cycle), as ``Archive.stats`` has.
        report: the compile report, when there is one: adds MACs, utilisation and cause to the hover.

    Cycles are the unit of the axis; the hover adds microseconds at the machine's clock.
    """
    clock, _ = clock_of(report)
    return gantt_figure(layer_facts(stats, report), clock)


def gantt_figure(layers: Sequence[LayerFact], clock_mhz: float) -> go.Figure:
    """The same from facts that were read already."""
    import plotly.graph_objects as go

    traces = [
        _family_trace(label, colour, [layer for layer in layers if layer.family == label], clock_mhz)
        for label, colour in FAMILY_COLOURS.items()
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


def batch_chart(candidates: Sequence[Any], actual_batch: int | None = None) -> go.Figure:
    """Samples per second by batch size; the built size is blue, infeasible sizes are hatched.

    Args:
        candidates: rows of the negotiation, as ``Archive.batch.candidates`` has.
        actual_batch: the size that was built; by default the largest feasible one.
    """
    import plotly.graph_objects as go

    rows = candidate_facts(candidates)
    built = actual_batch if actual_batch is not None else max((row.batch for row in rows if row.feasible), default=None)
    bars = go.Bar(
        x=[str(row.batch) for row in rows],
        y=[row.samples_per_second or 0.0 for row in rows],
        marker={
            "color": [BLUE if row.batch == built else GREY for row in rows],
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


def _family_trace(label: str, colour: str, layers: list[LayerFact], clock_mhz: float) -> go.Bar:
    import plotly.graph_objects as go

    return go.Bar(
        name=label,
        orientation="h",
        y=[_row_label(layer) for layer in layers],
        base=[layer.start_cycle for layer in layers],
        x=[layer.cycles for layer in layers],
        marker={"color": colour, "line": {"width": 0}},
        hovertext=[_plain(layer_details(layer, clock_mhz)) for layer in layers],
        hoverinfo="text",
    )


def _row_label(layer: LayerFact) -> str:
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


def _candidate_details(row: CandidateFact) -> str:
    lines = [f"batch {row.batch}: {'feasible' if row.feasible else 'not feasible'}"]
    if row.samples_per_second:
        lines.append(f"{units.short_rate(row.samples_per_second)} samples per second")
    if row.peak_bytes:
        lines.append(f"{units.size(row.peak_bytes)} on chip at the peak")
    return "\n".join([*lines, *(text for text in (row.limiting, row.reason, row.advice) if text)])

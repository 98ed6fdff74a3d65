"""Plotly figures of a compile: pure functions from a `View` to `plotly.graph_objects.Figure`.

In: a `View`. Out: a figure; nothing is shown. `figure` knows all of them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from sima_compiler import OptionError, printable
from sima_compiler.view import Label, Layer, View, layer_details, units
from sima_nb.machine_figures import batch_chart, memory, roofline

if TYPE_CHECKING:
    import plotly.graph_objects as go

_ROW_PIXELS = 18
_MOST_PIXELS = 900
_STATS_HINT = "give an archive, or a statistics file that holds layers"


def figure(view: View, kind: str) -> go.Figure:
    """The figure of that name: one of `FIGURES`.

    Raises:
        OptionError: an unknown name, or a file that does not record what the figure shows.
    """
    if kind not in FIGURES:
        raise OptionError(f"no figure {kind!r}", hint=f"figures: {', '.join(FIGURES)}")
    return FIGURES[kind](view)


def gantt(view: View) -> go.Figure:
    """The static schedule, a row per layer, the first layer on top.

    Cycles are the unit of the axis; the hover adds microseconds at the machine's clock.
    """
    from sima_nb.charts import chart

    layers = [layer for layer in view.layers if layer.start_cycle is not None]
    traces = [
        _family_trace(family, [layer for layer in layers if layer.family == family.key], view)
        for family in view.palette.families
    ]
    drawn = chart(
        [trace for trace in traces if trace.x],
        height=min(_MOST_PIXELS, 110 + _ROW_PIXELS * len(layers)),
        margin={"l": 8, "r": 16, "t": 76, "b": 16},
        barmode="overlay",
        bargap=0.25,
    )
    drawn.update_xaxes(title={"text": "cycles", "standoff": 2}, side="top", rangemode="tozero")
    drawn.update_yaxes(
        categoryorder="array",
        categoryarray=[_row_label(layer) for layer in layers],
        autorange="reversed",
        showgrid=False,
        tickfont={"family": "monospace", "size": 11},
        ticks="outside",
        ticklen=6,
        tickcolor="rgba(0,0,0,0)",
    )
    return drawn


def kinds(view: View) -> go.Figure:
    """Cycles by kind of layer, stalls included where the file records them."""
    sums = {
        label.label: (sum(layer.cycles for layer in view.layers if layer.family == label.key), label.colour)
        for label in view.palette.families
    }
    return _sums(sums)


def causes(view: View) -> go.Figure:
    """Cycles of the run by cause; they sum to the runtime.

    Raises:
        OptionError: the file does not record where the cycles went.
    """
    if not view.totals.cause_cycles:
        raise OptionError(f"{view.name} does not record where the cycles went", hint="figure('kinds') needs no causes")
    pairs = zip(view.palette.causes, view.totals.cause_cycles, strict=True)
    return _sums({cause.label: (cycles, cause.colour) for cause, cycles in pairs})


def cumulative(view: View) -> go.Figure:
    """The share of all cycles that the costliest layers take together: how many layers are worth a look."""
    import plotly.graph_objects as go

    from sima_nb.charts import chart, plain

    layers = sorted(view.layers, key=lambda layer: -layer.cycles)
    total = sum(layer.cycles for layer in layers)
    if not total:
        raise OptionError(f"{view.name} records no cycles of layers", hint=_STATS_HINT)
    shares = [reached / total for reached in accumulate(layer.cycles for layer in layers)]
    line = go.Scatter(
        x=list(range(1, len(layers) + 1)),
        y=shares,
        mode="lines+markers",
        hovertext=[
            plain(f"{rank} of {len(layers)} layers: {units.percent(share)}\n{layer_details(layer, view)}")
            for rank, (share, layer) in enumerate(zip(shares, layers, strict=True), 1)
        ],
        hoverinfo="text",
    )
    drawn = chart([line], margin={"l": 8, "r": 16, "t": 16, "b": 40})
    drawn.update_xaxes(title="layers, the costliest first", rangemode="tozero")
    drawn.update_yaxes(title="share of all cycles", tickformat=".0%", range=[0, 1.02])
    return drawn


#: Name -> figure; `figure` and ``--plotly`` take these.
FIGURES: dict[str, Callable[[View], Any]] = {
    "gantt": gantt,
    "kinds": kinds,
    "causes": causes,
    "cumulative": cumulative,
    "roofline": roofline,
    "memory": memory,
    "batch": batch_chart,
}


def _sums(sums: dict[str, tuple[int, str]]) -> go.Figure:
    """A bar for every sum that is not 0, with its cycles and its share beside it."""
    import plotly.graph_objects as go

    from sima_nb.charts import chart

    kept = {label: pair for label, pair in sums.items() if pair[0]}
    total = sum(cycles for cycles, _ in kept.values())
    if not total:
        raise OptionError("no cycles of layers are recorded", hint=_STATS_HINT)
    bars = go.Bar(
        orientation="h",
        y=list(kept),
        x=[cycles for cycles, _ in kept.values()],
        marker={"color": [colour for _, colour in kept.values()]},
        text=[f"{units.count(cycles)}, {units.percent(cycles / total)}" for cycles, _ in kept.values()],
        textposition="auto",
        hoverinfo="none",
    )
    drawn = chart([bars], height=90 + 2 * _ROW_PIXELS * len(kept), margin={"l": 8, "r": 16, "t": 16, "b": 40})
    drawn.update_xaxes(title=f"cycles, {units.count(total)} in all", rangemode="tozero")
    drawn.update_yaxes(autorange="reversed", showgrid=False)
    return drawn


def _family_trace(family: Label, layers: Sequence[Layer], view: View) -> go.Bar:
    import plotly.graph_objects as go

    from sima_nb.charts import plain

    return go.Bar(
        name=family.label,
        orientation="h",
        y=[_row_label(layer) for layer in layers],
        base=[layer.start_cycle for layer in layers],
        x=[layer.compute_cycles for layer in layers],
        marker={"color": family.colour, "line": {"width": 0}},
        hovertext=[plain(layer_details(layer, view)) for layer in layers],
        hoverinfo="text",
    )


def _row_label(layer: Layer) -> str:
    from sima_nb.charts import plain

    return plain(printable(layer.name))

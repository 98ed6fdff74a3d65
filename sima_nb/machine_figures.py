"""Figures of the machine at work: batch sizes, the roofline, on-chip memory over time.

In: a `View`. Out: a figure; nothing is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sima_compiler import OptionError
from sima_compiler.view import BatchCandidate, Layer, MemoryBuffer, View, layer_details, palette, units, wordings

if TYPE_CHECKING:
    import plotly.graph_objects as go

Cycles = npt.NDArray[np.int64]


def batch_chart(view: View) -> go.Figure:
    """Samples per second by batch size; the built size is blue, infeasible sizes are hatched.

    Raises:
        OptionError: the archive records no candidates.
    """
    import plotly.graph_objects as go

    from sima_nb.charts import chart, plain

    rows, built = list(view.candidates), view.batch.actual_batch_size
    if not rows:
        raise OptionError(f"{view.name} does not record which batch sizes were weighed", hint=_REPORT_HINT)
    bars = go.Bar(
        x=[str(row.batch_size) for row in rows],
        y=[row.samples_per_second or 0.0 for row in rows],
        marker={
            "color": [palette.BLUE if row.batch_size == built else palette.GREY for row in rows],
            "pattern": {"shape": ["" if row.feasible else "/" for row in rows]},
        },
        hovertext=[plain(_candidate_details(row)) for row in rows],
        hoverinfo="text",
    )
    figure = chart([bars], height=320, margin={"l": 8, "r": 16, "t": 16, "b": 40})
    figure.update_xaxes(title="batch size", type="category")
    figure.update_yaxes(title="samples per second")
    return figure


def roofline(view: View) -> go.Figure:
    """Multiply-accumulates per cycle over multiply-accumulates per DRAM byte, a point per layer, under the roofs.

    The roofs are the machine's peak and its DRAM bandwidth. A layer without DRAM traffic stands at the right edge.

    Raises:
        OptionError: the file records neither work nor traffic, or not what the machine can do.
    """
    import plotly.graph_objects as go

    from sima_nb.charts import chart, plain

    peak, bandwidth = view.machine.macs_per_cycle, view.machine.dram_bytes_per_cycle
    layers = [layer for layer in view.layers if layer.macs and layer.runtime_cycles]
    if not layers or not peak or not bandwidth:
        raise OptionError(f"{view.name} does not record work, traffic and the machine's peak", hint=_REPORT_HINT)
    ridge = peak / bandwidth
    known = [_intensity(layer) for layer in layers]
    finite = [value for value in known if value is not None]
    left, right = min([ridge, *finite]) / 4, max([ridge, *finite]) * 4
    roof = go.Scatter(
        x=[left, ridge, right],
        y=[left * bandwidth, peak, peak],
        mode="lines",
        name="roof",
        line={"color": palette.GREY},
    )
    points = [
        go.Scatter(
            x=[right if value is None else value for _, value in chosen],
            y=[(layer.macs or 0) / (layer.runtime_cycles or 1) for layer, _ in chosen],
            mode="markers",
            name=family.label,
            marker={"color": family.colour, "size": 9, "line": {"width": 1, "color": "rgba(128,128,128,0.8)"}},
            hovertext=[plain(layer_details(layer, view)) for layer, _ in chosen],
            hoverinfo="text",
        )
        for family in view.palette.families
        if (chosen := [pair for pair in zip(layers, known, strict=True) if pair[0].family == family.key])
    ]
    figure = chart([roof, *points])
    edge = "; no DRAM traffic: right edge" if None in known else ""
    figure.update_xaxes(title=f"multiply-accumulates per DRAM byte{edge}", type="log", dtick=1)
    figure.update_yaxes(title="multiply-accumulates per cycle", type="log", dtick=1)
    return figure


def memory(view: View) -> go.Figure:
    """Bytes on chip over the cycles of the run, by kind of buffer, with the machine's capacity.

    Raises:
        OptionError: the file records no memory map in cycles.
    """
    import plotly.graph_objects as go

    from sima_nb.charts import chart

    buffers = [buffer for buffer in view.memory_map if buffer.start_cycle is not None and buffer.end_cycle is not None]
    if not buffers:
        raise OptionError(f"{view.name} records no memory map", hint=_REPORT_HINT)
    cycles = _changes(buffers)
    traces = [
        go.Scatter(
            x=cycles.tolist(),
            y=_alive(chosen, cycles).tolist(),
            name=kind.label,
            stackgroup="alive",
            line={"shape": "hv", "width": 1, "color": kind.colour},
            hovertemplate="cycle %{x:,}: %{y:,} bytes",
        )
        for kind in view.palette.buffers
        if (chosen := [buffer for buffer in buffers if buffer.kind == kind.key])
    ]
    figure = chart(traces)
    figure.update_xaxes(title="cycles", rangemode="tozero")
    figure.update_yaxes(title="bytes on chip", rangemode="tozero")
    if view.machine.on_chip_bytes:
        label = f"on-chip memory: {units.size(view.machine.on_chip_bytes)}"
        figure.add_hline(y=view.machine.on_chip_bytes, line_dash="dash", annotation_text=label)
    return figure


_REPORT_HINT = "archives of this compiler carry a report that says it; look at figure('gantt')"


def _intensity(layer: Layer) -> float | None:
    """Multiply-accumulates per byte that crosses the DRAM's port; None where no byte does."""
    moved = (layer.loaded_bytes or 0) + (layer.stored_bytes or 0)
    return (layer.macs or 0) / moved if moved else None


def _changes(buffers: Sequence[MemoryBuffer]) -> Cycles:
    """Cycles at which a buffer comes or has gone, ascending."""
    starts = [buffer.start_cycle or 0 for buffer in buffers]
    ends = [(buffer.end_cycle or 0) + 1 for buffer in buffers]
    return np.unique(np.array([*starts, *ends], np.int64))


def _alive(buffers: Sequence[MemoryBuffer], cycles: Cycles) -> Cycles:
    """Bytes of these buffers that are held from each of the cycles on."""
    change = np.zeros(len(cycles), np.int64)
    for buffer in buffers:
        change[np.searchsorted(cycles, buffer.start_cycle or 0)] += buffer.bytes
        change[np.searchsorted(cycles, (buffer.end_cycle or 0) + 1)] -= buffer.bytes
    return np.cumsum(change)


def _candidate_details(row: BatchCandidate) -> str:
    lines = [f"batch {row.batch_size}: {'feasible' if row.feasible else 'not feasible'}"]
    if row.samples_per_second:
        lines.append(f"{units.short_rate(row.samples_per_second)} samples per second")
    if row.peak_on_chip_bytes:
        lines.append(f"{units.size(row.peak_on_chip_bytes)} on chip at the peak")
    levers = "; ".join(lever.text for lever in row.levers)
    return "\n".join([*lines, *(text for text in (wordings.limited_by(row), row.reason, levers) if text)])

"""The report's layers: shapes, bytes, cycles and where each of them goes.

In: facts and run. Out: `ReportLayer` records. Always holds, per layer: ``work_cycles`` sum up to ``compute_cycles``;
the useful ones of all layers sum up to the network's multiply-accumulates over the peak, rounded up once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import prod

from sima_compiler.archive.report_records import ReportLayer
from sima_compiler.bounds.loads import LayerLoad
from sima_compiler.ir.layers import FeatureMap
from sima_compiler.ir.program import Engine, Gather, LoadConstants, Operand, Program
from sima_compiler.ir.schedule import LayerTiming, Schedule
from sima_compiler.machine.occupancy import Interval, transfer_intervals
from sima_compiler.reporting.facts import ReportFacts, ReportRun

#: Where compute cycles go, in the order of reports.
WORK_CAUSES = ("useful", "padding", "vector", "start")


def report_layers(facts: ReportFacts, run: ReportRun) -> tuple[ReportLayer, ...]:
    """Every layer of the segment."""
    program = facts.schedule.program
    useful = useful_cycles(facts.loads, facts.peak)
    loads = transfer_intervals(program, run.timeline, Engine.DMA_IN)
    stores = transfer_intervals(program, run.timeline, Engine.DMA_OUT)
    loaded, stored = _traffic(facts.schedule)
    parameters = _parameter_bytes(facts.schedule)
    blocks = _blocks(program)
    return tuple(
        ReportLayer(
            id=facts.first + index + 1,
            name=layer.name,
            operator=layer.operator,
            segment=facts.segment.name,
            sources=layer.sources,
            inputs=layer.inputs,
            output=layer.output,
            input_shapes=tuple(_shape(facts, name) for name in layer.inputs),
            output_shape=_shape(facts, layer.output),
            compute_cycles=timing.compute,
            runtime_cycles=timing.runtime,
            work_cycles=work_cycles(timing, useful[index]),
            stall_cycles=dict(timing.stalls),
            macs=load.macs,
            utilization=_utilization(load, timing, facts.peak),
            bound_by=timing.bound_by.value,
            intervals=_inclusive(timing.intervals),
            load_intervals=_inclusive(loads[index]),
            store_intervals=_inclusive(stores[index]),
            weight_bytes=load.raw_bytes,
            parameter_bytes=parameters[index][0],
            stored_parameter_bytes=parameters[index][1],
            input_bytes=sum(_map(facts, name).elements for name in layer.inputs) * facts.negotiation.actual,
            output_bytes=_map(facts, layer.output).elements * facts.negotiation.actual,
            loaded_bytes=loaded[index],
            stored_bytes=stored[index],
            blocks=blocks[index][0],
            block_shape=blocks[index][1],
        )
        for index, (layer, timing, load) in enumerate(
            zip(facts.segment.layers, facts.schedule.layers, facts.loads, strict=True)
        )
    )


def useful_cycles(loads: Sequence[LayerLoad], peak: int) -> list[int]:
    """Cycles that every layer's multiply-accumulates take at the peak, in whole cycles.

    Sums are rounded, not layers: rounding each up would claim more useful cycles than the bound has.
    """
    reached = [-(-macs // peak) for macs in accumulate((load.macs for load in loads), initial=0)]
    return [after - before for before, after in pairwise(reached)]


def work_cycles(timing: LayerTiming, useful: int) -> dict[str, int]:
    """Where a layer's compute cycles go. Of a layer on the vector unit, its own multiply-accumulates are useful too."""
    array, vector = timing.work["array"], timing.work["vector"]
    useful = min(useful, array + vector)  # a run that crosses labels has some of its cycles in the layer in front
    on_array = min(useful, array)
    return {
        "useful": useful,
        "padding": array - on_array,
        "vector": vector - (useful - on_array),
        "start": timing.work["start"],
    }


def _map(facts: ReportFacts, name: str) -> FeatureMap:
    return facts.segment.maps[name]


def _shape(facts: ReportFacts, name: str) -> tuple[int, ...]:
    found = _map(facts, name)
    return (facts.negotiation.actual, found.rows, found.columns, found.channels)


def _utilization(load: LayerLoad, timing: LayerTiming, peak: int) -> float:
    return round(load.macs / (timing.compute * peak), 6) if timing.compute else 0.0


def _inclusive(intervals: Sequence[Interval]) -> tuple[Interval, ...]:
    """Half-open stretches as first and last cycle; those without a cycle are left out."""
    return tuple((start, end - 1) for start, end in intervals if end > start)


def _traffic(schedule: Schedule) -> tuple[list[int], list[int]]:
    """DRAM bytes that each layer's transfers load and store."""
    program = schedule.program
    loaded, stored = [0] * len(program.layers), [0] * len(program.layers)
    for load in program.dma_in:
        moved = len(schedule.stored[load.constants]) if isinstance(load, LoadConstants) else load.box.bytes
        loaded[load.layer] += moved
    for store in program.dma_out:
        stored[store.layer] += store.box.bytes
    return loaded, stored


def _parameter_bytes(schedule: Schedule) -> list[tuple[int, int]]:
    """Bytes of each layer's blocks of constants, on chip and in DRAM."""
    totals = [(0, 0)] * len(schedule.layers)
    for constants, stored in zip(schedule.program.constants, schedule.stored, strict=True):
        raw, kept = totals[constants.layer]
        totals[constants.layer] = (raw + len(constants.data), kept + len(stored))
    return totals


def _blocks(program: Program) -> list[tuple[int, tuple[int, ...]]]:
    """How many commands compute each layer, and the largest block of its output: samples, rows, columns, channels."""
    counts = [0] * len(program.layers)
    shapes: list[tuple[int, ...]] = [()] * len(program.layers)
    for command in program.compute:
        counts[command.layer] += 1
        if not isinstance(command, Gather):  # a copy moves a box, which need not be a block of a map
            shapes[command.layer] = max(shapes[command.layer], _block(command.target), key=_volume)
    return list(zip(counts, shapes, strict=True))


def _block(target: Operand) -> tuple[int, ...]:
    return (target.samples, target.rows, target.columns, target.channels)


def _volume(shape: tuple[int, ...]) -> int:
    return prod(shape) if shape else 0

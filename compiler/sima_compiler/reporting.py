"""The compile report: everything about one compile that the archive's other members do not say.

In: the facts of a compile. Out: a `CompileReport`. Always holds: per layer and in total, work cycles sum up to compute
cycles, and those with the stalls to runtime cycles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sima_compiler.archive.report import REPORT_SCHEMA_VERSION
from sima_compiler.archive.report_records import (
    BatchCandidate,
    CompileReport,
    DramTraffic,
    Lever,
    LimitingTensor,
    MemoryBuffer,
    Placement,
    ReportLayer,
    ReportMachine,
    ReportSegment,
    TensorBytes,
)
from sima_compiler.bounds import Bounds, LayerLoad
from sima_compiler.ir.layers import FeatureMap, Layer, Segment
from sima_compiler.ir.program import LoadConstants
from sima_compiler.ir.schedule import STALLS, LayerTiming, Schedule
from sima_compiler.ir.tiles import MemoryPlan
from sima_compiler.machine.description import Machine
from sima_compiler.negotiate import Candidate, Negotiation


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What a report is made of. ``lm`` is the name of the segment's binary in the archive."""

    name: str
    machine: Machine
    quads: int
    compress: bool
    segment: Segment
    negotiation: Negotiation
    loads: tuple[LayerLoad, ...]
    bounds: Bounds
    cut: tuple[str, ...]
    warnings: tuple[str, ...]
    lm: str

    @property
    def schedule(self) -> Schedule:
        """The schedule that was built."""
        return self.negotiation.plan.schedule

    @property
    def efficiency(self) -> float:
        """Bound over runtime, 1.0 at best."""
        return round(self.bounds.bound_cycles / max(1, self.schedule.runtime), 6)


def report_of(facts: ReportFacts) -> CompileReport:
    """The report of a compile."""
    schedule, negotiation = facts.schedule, facts.negotiation
    return CompileReport(
        schema_version=REPORT_SCHEMA_VERSION,
        name=facts.name,
        machine=_machine(facts.machine, facts.quads),
        desired_batch_size=negotiation.desired,
        actual_batch_size=negotiation.actual,
        reason=negotiation.reason,
        compress=facts.compress,
        compute_cycles=schedule.compute,
        runtime_cycles=schedule.runtime,
        bound_cycles=facts.bounds.bound_cycles,
        padded_bound_cycles=facts.bounds.padded_bound_cycles,
        efficiency=facts.efficiency,
        macs=sum(load.macs for load in facts.loads),
        stall_cycles={name: sum(layer.stalls[name] for layer in schedule.layers) for name in STALLS},
        segments=(_segment(facts),),
        layers=_layers(facts),
        candidates=tuple(_candidate(row, facts.machine) for row in negotiation.candidates),
        placements=tuple(_placement(layer, source) for layer in facts.segment.layers for source in layer.sources),
        memory_map=_memory_map(facts.segment.name, negotiation.plan.memory),
        dram=_dram(schedule, facts.loads),
        cut=facts.cut,
        warnings=facts.warnings,
    )


def _machine(machine: Machine, quads: int) -> ReportMachine:
    return ReportMachine(
        name=machine.name,
        clock_mhz=machine.clock_mhz,
        quads=quads,
        macs_per_cycle=machine.macs_per_cycle(quads),
        dram_bytes_per_cycle=machine.dram_bytes_per_cycle,
        on_chip_bytes=machine.sram_bytes(quads),
    )


def _segment(facts: ReportFacts) -> ReportSegment:
    memory, schedule = facts.negotiation.plan.memory, facts.schedule
    sizes = {tensor.name: tensor.bytes for tensor in memory.tiling.tensors}
    return ReportSegment(
        name=facts.segment.name,
        processor=facts.segment.processor,
        file=facts.lm,
        start_cycle=0,
        compute_cycles=schedule.compute,
        runtime_cycles=schedule.runtime,
        steps=len(schedule.program.compute),
        on_chip_bytes=memory.capacity,
        peak_bytes=memory.peak,
        lower_bound_bytes=memory.lower_bound,
        spilled=tuple(TensorBytes(name, sizes.get(name, 0)) for name in memory.tiling.spilled),
    )


def _layers(facts: ReportFacts) -> tuple[ReportLayer, ...]:
    stored = _stored_bytes(facts.schedule)
    rows = zip(facts.segment.layers, facts.schedule.layers, facts.loads, stored, strict=True)
    return tuple(_layer(facts, index, *row) for index, row in enumerate(rows))


def _layer(
    facts: ReportFacts, index: int, layer: Layer, timing: LayerTiming, load: LayerLoad, stored: int
) -> ReportLayer:
    maps, batch = facts.segment.maps, facts.negotiation.actual
    peak = timing.compute * facts.machine.macs_per_cycle(facts.quads)
    return ReportLayer(
        id=index + 1,
        name=layer.name,
        operator=layer.operator,
        segment=facts.segment.name,
        sources=layer.sources,
        inputs=layer.inputs,
        output=layer.output,
        input_shapes=tuple(_shape(maps[name], batch) for name in layer.inputs),
        output_shape=_shape(maps[layer.output], batch),
        compute_cycles=timing.compute,
        runtime_cycles=timing.runtime,
        stall_cycles=dict(timing.stalls),
        macs=load.macs,
        utilization=round(load.macs / peak, 6) if peak else 0.0,
        bound_by=timing.bound_by,
        intervals=tuple((start, end - 1) for start, end in timing.intervals),
        weight_bytes=load.raw_bytes,
        stored_parameter_bytes=stored,
        input_bytes=sum(maps[name].elements for name in layer.inputs) * batch,
        output_bytes=maps[layer.output].elements * batch,
    )


def _shape(found: FeatureMap, batch: int) -> tuple[int, ...]:
    return (batch, found.rows, found.columns, found.channels)


def _stored_bytes(schedule: Schedule) -> list[int]:
    """DRAM bytes of each layer's constants."""
    totals = [0] * len(schedule.layers)
    for constants, stored in zip(schedule.program.constants, schedule.stored, strict=True):
        totals[constants.layer] += len(stored)
    return totals


def _candidate(row: Candidate, machine: Machine) -> BatchCandidate:
    each = None if row.cycles is None else row.cycles / row.batch_size
    return BatchCandidate(
        batch_size=row.batch_size,
        feasible=row.feasible,
        status=row.status,
        peak_on_chip_bytes=row.peak_on_chip_bytes,
        cycles=row.cycles,
        cycles_per_sample=None if each is None else round(each, 3),
        samples_per_second=None if not each else round(machine.clock_mhz * 1e6 / each, 3),
        limiting_layer=row.limiting_layer or None,
        limiting_tensors=tuple(_limiting(row, name, size) for name, size in row.limiting_tensors),
        spilled=row.spilled,
        reason=row.reason,
        levers=tuple(Lever(text) for text in row.levers),
    )


def _limiting(row: Candidate, name: str, size: int) -> LimitingTensor:
    """What the tensor does to the size: it has no place at all, or it would have to be spilled."""
    reason = "does not fit on chip" if row.status == "does_not_fit" else "would spill to DRAM"
    return LimitingTensor(name, size, reason)


def _placement(layer: Layer, source: str) -> Placement:
    return Placement(source, layer.operator, layer.placement, layer.reason or "the MLA has a kernel for it")


def _memory_map(segment: str, memory: MemoryPlan) -> tuple[MemoryBuffer, ...]:
    buffers = zip(memory.tiling.buffers, memory.addresses, strict=True)
    return tuple(
        MemoryBuffer(
            name=buffer.name,
            kind=str(buffer.kind),
            address=address,
            bytes=buffer.bytes,
            segment=segment,
            first_step=buffer.first,
            last_step=buffer.last,
        )
        for buffer, address in buffers
    )


def _dram(schedule: Schedule, loads: Sequence[LayerLoad]) -> DramTraffic:
    program = schedule.program
    loaded = sum(
        len(schedule.stored[command.constants]) if isinstance(command, LoadConstants) else command.box.bytes
        for command in program.dma_in
    )
    return DramTraffic(
        loaded_bytes=loaded,
        stored_bytes=sum(command.box.bytes for command in program.dma_out),
        weight_bytes=sum(load.raw_bytes for load in loads),
        stored_parameter_bytes=sum(len(block) for block in schedule.stored),
    )

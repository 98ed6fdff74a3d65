"""The compile report of one MLA segment: what the archive's other members do not say.

In: the facts of the segment. Out: a `CompileReport`; `reporting.joining` makes one of several. Always holds: per layer
and in total, work cycles sum up to compute cycles, and those with the stalls to runtime cycles.
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.archive.report import REPORT_SCHEMA_VERSION
from sima_compiler.archive.report_records import (
    BatchCandidate,
    CompileReport,
    Lever,
    LimitingTensor,
    Placement,
    ReportMachine,
    ReportSegment,
    TensorBytes,
)
from sima_compiler.ir.layers import Layer
from sima_compiler.ir.schedule import STALLS
from sima_compiler.machine.description import Machine
from sima_compiler.negotiate import Candidate, PlannedLever
from sima_compiler.reporting.facts import ReportFacts, run_of
from sima_compiler.reporting.layers import WORK_CAUSES, report_layers
from sima_compiler.reporting.memory import dram_traffic, memory_map


def segment_report(facts: ReportFacts) -> CompileReport:
    """What one MLA segment contributes to the report of a compile, its cycles from 0."""
    schedule, negotiation, run = facts.schedule, facts.negotiation, run_of(facts)
    layers = report_layers(facts, run)
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
        bound_by=_bound_by(facts),
        padded_bound_cycles=facts.bounds.padded_bound_cycles,
        efficiency=facts.efficiency,
        macs=sum(load.macs for load in facts.loads),
        work_cycles={name: sum(layer.work_cycles[name] for layer in layers) for name in WORK_CAUSES},
        stall_cycles={name: sum(layer.stalls[name] for layer in schedule.layers) for name in STALLS},
        segments=(_segment(facts),),
        layers=layers,
        candidates=candidate_rows(negotiation.candidates, facts.machine),
        placements=tuple(_placement(layer, source) for layer in facts.segment.layers for source in layer.sources),
        memory_map=memory_map(facts, run),
        dram=dram_traffic(facts, run),
    )


def _machine(machine: Machine, quads: int) -> ReportMachine:
    return ReportMachine(
        name=machine.name,
        clock_mhz=machine.clock_mhz,
        quads=quads,
        macs_per_cycle=machine.macs_per_cycle(quads),
        dram_bytes_per_cycle=machine.dram_bytes_per_cycle,
        on_chip_bytes=machine.sram_bytes(quads),
        start_cycles=machine.start_cycles,
    )


def _segment(facts: ReportFacts) -> ReportSegment:
    memory, schedule = facts.negotiation.plan.memory, facts.schedule
    sizes = {tensor.name: tensor.bytes for tensor in memory.tiling.tensors}
    built = next(row for row in facts.negotiation.candidates if row.batch_size == facts.negotiation.actual)
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
        spilled=tuple(TensorBytes(name, sizes.get(name, 0)) for name in built.spilled),
    )


def _bound_by(facts: ReportFacts) -> str:
    """Which of the two quotients the bound is."""
    macs = sum(load.macs for load in facts.loads)
    return "macs" if facts.bounds.bound_cycles == -(-macs // facts.peak) else "dram"


def candidate_rows(rows: Sequence[Candidate], machine: Machine) -> tuple[BatchCandidate, ...]:
    """Rows of a negotiation as reports have them."""
    return tuple(_candidate(row, machine) for row in rows)


def _candidate(row: Candidate, machine: Machine) -> BatchCandidate:
    each = None if row.cycles is None else row.cycles / row.batch_size
    return BatchCandidate(
        batch_size=row.batch_size,
        feasible=row.feasible,
        status=row.status,
        peak_on_chip_bytes=row.peak_on_chip_bytes,
        cycles=row.cycles,
        cycles_per_sample=None if each is None else round(each, 3),
        samples_per_second=_rate(each, machine),
        limiting_layer=row.limiting_layer or None,
        limiting_tensors=tuple(_limiting(row, name, size) for name, size in row.limiting_tensors),
        spilled=row.spilled,
        reason=row.reason,
        levers=tuple(_lever(lever, machine) for lever in row.levers),
    )


def _lever(lever: PlannedLever, machine: Machine) -> Lever:
    return Lever(
        text=lever.text,
        feasible=lever.feasible,
        largest_batch_size=lever.largest_batch_size,
        cycles_per_sample=lever.cycles_per_sample,
        what_if=lever.what_if,
        samples_per_second=_rate(lever.cycles_per_sample, machine),
        reason=lever.reason,
    )


def _rate(cycles_per_sample: float | None, machine: Machine) -> float | None:
    return round(machine.clock_mhz * 1e6 / cycles_per_sample, 3) if cycles_per_sample else None


def _limiting(row: Candidate, name: str, size: int) -> LimitingTensor:
    """What the tensor does to the size: it has no place at all, or it would have to be spilled."""
    reason = "would spill to DRAM" if name in row.spilled else "does not fit on chip"
    return LimitingTensor(name, size, reason)


def _placement(layer: Layer, source: str) -> Placement:
    return Placement(source, layer.operator, layer.placement, layer.reason or "the MLA has a kernel for it")

"""The compile report: everything about one compile that the archive's other members do not say.

In: the facts of a compile. Out: a plain dict of the shape in ``archive/schemas/compile_report.schema.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sima_compiler.archive.report import REPORT_SCHEMA_VERSION
from sima_compiler.bounds import Bounds, LayerLoad
from sima_compiler.ir.layers import Layer, Segment
from sima_compiler.ir.program import LoadConstants
from sima_compiler.ir.schedule import STALLS, LayerTiming, Schedule
from sima_compiler.ir.tiles import MemoryPlan
from sima_compiler.machine.description import Machine
from sima_compiler.negotiate import Candidate, Negotiation


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What a report is made of."""

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

    @property
    def schedule(self) -> Schedule:
        """The schedule that was built."""
        return self.negotiation.plan.schedule

    @property
    def efficiency(self) -> float:
        """Bound over runtime, 1.0 at best."""
        return round(self.bounds.bound_cycles / max(1, self.schedule.runtime), 6)


def report_of(facts: ReportFacts) -> dict[str, Any]:
    """The report as plain JSON values."""
    schedule, negotiation = facts.schedule, facts.negotiation
    return {
        "schema_version": REPORT_SCHEMA_VERSION,
        "name": facts.name,
        "machine": {"name": facts.machine.name, "clock_mhz": facts.machine.clock_mhz, "quads": facts.quads},
        "desired_batch_size": negotiation.desired,
        "actual_batch_size": negotiation.actual,
        "reason": negotiation.reason,
        "compress": facts.compress,
        "compute_cycles": schedule.compute,
        "runtime_cycles": schedule.runtime,
        "bound_cycles": facts.bounds.bound_cycles,
        "padded_bound_cycles": facts.bounds.padded_bound_cycles,
        "efficiency": facts.efficiency,
        "stall_cycles": {name: sum(layer.stalls[name] for layer in schedule.layers) for name in STALLS},
        "layers": _layers(facts),
        "candidates": [_candidate(row, facts.machine) for row in negotiation.candidates],
        "placements": [_placement(layer, source) for layer in facts.segment.layers for source in layer.sources],
        "memory": _memory(negotiation.plan.memory),
        "memory_map": _memory_map(negotiation.plan.memory),
        "dram": _dram(schedule, facts.loads),
        "cut": list(facts.cut),
        "warnings": list(facts.warnings),
    }


def _layers(facts: ReportFacts) -> list[dict[str, Any]]:
    stored = _stored_bytes(facts.schedule)
    rows = zip(facts.segment.layers, facts.schedule.layers, facts.loads, stored, strict=True)
    return [_layer(facts, index, *row) for index, row in enumerate(rows)]


def _layer(
    facts: ReportFacts, index: int, layer: Layer, timing: LayerTiming, load: LayerLoad, stored: int
) -> dict[str, Any]:
    maps, batch = facts.segment.maps, facts.negotiation.actual
    peak = timing.compute * facts.machine.macs_per_cycle(facts.quads)
    return {
        "id": index + 1,
        "name": layer.name,
        "operator": layer.operator,
        "segment": facts.segment.name,
        "sources": list(layer.sources),
        "compute_cycles": timing.compute,
        "runtime_cycles": timing.runtime,
        "stall_cycles": dict(timing.stalls),
        "macs": load.macs,
        "utilization": round(load.macs / peak, 6) if peak else 0.0,
        "bound_by": timing.bound_by,
        "intervals": [[start, end - 1] for start, end in timing.intervals],
        "weight_bytes": load.raw_bytes,
        "stored_weight_bytes": stored,
        "input_bytes": sum(maps[name].elements for name in layer.inputs) * batch,
        "output_bytes": maps[layer.output].elements * batch,
    }


def _stored_bytes(schedule: Schedule) -> list[int]:
    """DRAM bytes of each layer's constants."""
    totals = [0] * len(schedule.layers)
    for constants, stored in zip(schedule.program.constants, schedule.stored, strict=True):
        totals[constants.layer] += len(stored)
    return totals


def _candidate(row: Candidate, machine: Machine) -> dict[str, Any]:
    each = None if row.cycles is None else row.cycles / row.batch_size
    return {
        "batch_size": row.batch_size,
        "feasible": row.feasible,
        "status": row.status,
        "peak_on_chip_bytes": row.peak_on_chip_bytes,
        "cycles": row.cycles,
        "cycles_per_sample": None if each is None else round(each, 3),
        "samples_per_second": None if not each else round(machine.clock_mhz * 1e6 / each, 3),
        "limiting_layer": row.limiting_layer or None,
        "limiting_tensors": [f"{name} ({size:,} bytes)" for name, size in row.limiting_tensors],
        "spilled": list(row.spilled),
        "reason": row.reason,
        "levers": list(row.levers),
    }


def _placement(layer: Layer, source: str) -> dict[str, Any]:
    return {
        "node": source,
        "operator": layer.operator,
        "processor": layer.placement,
        "reason": layer.reason or "the MLA has a kernel for it",
    }


def _memory(memory: MemoryPlan) -> dict[str, int]:
    """On-chip bytes: what there is, the highest address in use, and what any placement needs at least."""
    return {
        "capacity_bytes": memory.capacity,
        "peak_bytes": memory.peak,
        "lower_bound_bytes": memory.lower_bound,
    }


def _memory_map(memory: MemoryPlan) -> list[dict[str, Any]]:
    buffers = zip(memory.tiling.buffers, memory.addresses, strict=True)
    return [
        {
            "name": buffer.name,
            "kind": str(buffer.kind),
            "address": address,
            "bytes": buffer.bytes,
            "first": buffer.first,
            "last": buffer.last,
        }
        for buffer, address in buffers
    ]


def _dram(schedule: Schedule, loads: Sequence[LayerLoad]) -> dict[str, int]:
    program = schedule.program
    loaded = sum(
        len(schedule.stored[command.constants]) if isinstance(command, LoadConstants) else command.box.bytes
        for command in program.dma_in
    )
    return {
        "weights_raw_bytes": sum(load.raw_bytes for load in loads),
        "weights_stored_bytes": sum(len(block) for block in schedule.stored),
        "loaded_bytes": loaded,
        "stored_bytes": sum(command.box.bytes for command in program.dma_out),
    }

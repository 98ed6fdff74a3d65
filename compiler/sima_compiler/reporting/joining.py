"""The report of a whole compile, made of those of its segments.

In: the facts of every segment in the order of execution, and what was negotiated for all. Out: a `CompileReport`.
Always holds: cycles count over all MLA segments, one after the other; with one segment nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from sima_compiler.archive.report_records import (
    CompileReport,
    DramTraffic,
    HostLayer,
    MemoryBuffer,
    Placement,
    ReportLayer,
    ReportSegment,
)
from sima_compiler.negotiate import Negotiation
from sima_compiler.reporting.facts import HostFacts, ReportFacts
from sima_compiler.reporting.report import candidate_rows, segment_report

Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class WholeCompile:
    """Every segment's facts, the size that all agreed on, and what is said about the whole."""

    segments: tuple[ReportFacts | HostFacts, ...]
    negotiation: Negotiation
    verdict: str
    cut: tuple[str, ...]
    warnings: tuple[str, ...]


def report_of(whole: WholeCompile) -> CompileReport:
    """The report of a compile."""
    on_mla = [facts for facts in whole.segments if isinstance(facts, ReportFacts)]
    parts = _one_after_another([segment_report(facts) for facts in on_mla])
    host_layers = tuple(layer for facts in whole.segments if isinstance(facts, HostFacts) for layer in facts.layers)
    found = parts[0] if len(parts) == 1 else _summed(parts)
    return replace(
        found,
        reason=whole.negotiation.reason,
        verdict=whole.verdict,
        desired_batch_size=whole.negotiation.desired,
        candidates=candidate_rows(whole.negotiation.candidates, on_mla[0].machine),
        segments=tuple(_in_order(whole.segments, parts)),
        placements=(*(row for part in parts for row in part.placements), *map(_placement, host_layers)),
        host_layers=host_layers,
        cut=whole.cut,
        warnings=whole.warnings,
    )


def _placement(layer: HostLayer) -> Placement:
    return Placement(layer.node, layer.operator, "A65", layer.reason)


def _in_order(facts: Iterable[ReportFacts | HostFacts], parts: Sequence[CompileReport]) -> Iterable[ReportSegment]:
    made = iter(parts)
    for one in facts:
        if isinstance(one, HostFacts):
            yield ReportSegment(name=one.name, processor="A65", file=one.so)
        else:
            yield from next(made).segments


def _one_after_another(parts: Sequence[CompileReport]) -> list[CompileReport]:
    """Each segment's cycles behind those of the segments in front."""
    clock, moved = 0, []
    for part in parts:
        moved.append(part if clock == 0 else _later(part, clock))
        clock += part.runtime_cycles or 0
    return moved


def _later(part: CompileReport, clock: int) -> CompileReport:
    return replace(
        part,
        segments=tuple(replace(segment, start_cycle=clock) for segment in part.segments),
        layers=tuple(_later_layer(layer, clock) for layer in part.layers),
        memory_map=tuple(_later_buffer(buffer, clock) for buffer in part.memory_map),
    )


def _later_layer(layer: ReportLayer, clock: int) -> ReportLayer:
    def moved(stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
        return tuple((start + clock, end + clock) for start, end in stretches)

    return replace(
        layer,
        intervals=moved(layer.intervals),
        load_intervals=moved(layer.load_intervals),
        store_intervals=moved(layer.store_intervals),
    )


def _later_buffer(buffer: MemoryBuffer, clock: int) -> MemoryBuffer:
    start, end = (None if cycle is None else cycle + clock for cycle in (buffer.start_cycle, buffer.end_cycle))
    return replace(buffer, start_cycle=start, end_cycle=end)


def _summed(parts: Sequence[CompileReport]) -> CompileReport:
    """One report of several; the bound is that of all segments one after the other."""
    bound = sum(part.bound_cycles or 0 for part in parts)
    runtime = sum(part.runtime_cycles or 0 for part in parts)
    largest = max(parts, key=lambda part: part.bound_cycles or 0)
    return replace(
        parts[0],
        compute_cycles=sum(part.compute_cycles or 0 for part in parts),
        runtime_cycles=runtime,
        bound_cycles=bound,
        bound_by=largest.bound_by,
        padded_bound_cycles=sum(part.padded_bound_cycles or 0 for part in parts),
        efficiency=round(bound / max(1, runtime), 6),
        macs=sum(part.macs or 0 for part in parts),
        work_cycles=_added([part.work_cycles for part in parts]),
        stall_cycles=_added([part.stall_cycles for part in parts]),
        layers=tuple(layer for part in parts for layer in part.layers),
        memory_map=tuple(buffer for part in parts for buffer in part.memory_map),
        dram=_traffic([part.dram for part in parts if part.dram]),
    )


def _added(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {name: sum(count[name] for count in counts) for name in counts[0]}


def _traffic(parts: Sequence[DramTraffic]) -> DramTraffic:
    names = [field.name for field in fields(DramTraffic)]
    return DramTraffic(**{name: sum(getattr(part, name) or 0 for part in parts) for name in names})

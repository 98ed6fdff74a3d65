"""From an opened archive to `Facts`: the only module of this package that knows where an archive keeps what.

In: an `Archive`, its statistics and its report, any of which may be missing. Out: records of `sima_nb.facts`. Always
holds: what the archive does not say stays None or empty; only the clock is assumed then, and marked as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sima_compiler import Archive
from sima_nb.facts import CandidateFact, Facts, FileFact, LayerFact, PluginFact
from sima_nb.palette import family

#: The published clock of the MLA, for archives that do not name theirs.
PUBLISHED_CLOCK_MHZ = 1000


def facts_of(archive: Archive, warnings: Sequence[str] = ()) -> Facts:
    """Everything that a summary shows; ``warnings`` come before the report's own."""
    report = archive.report.to_dict() if archive.report else {}
    clock, assumed = clock_of(report)
    stats = archive.stats
    layers = layer_facts(stats, report)
    machine = _mapping(report.get("machine"))
    return Facts(
        name=archive.name,
        path=str(archive.path),
        desired_batch=archive.batch.desired,
        actual_batch=archive.batch.actual,
        reason=archive.batch.reason,
        machine=str(machine.get("name", "")),
        quads=_whole(machine.get("quads")),
        clock_mhz=clock,
        clock_assumed=assumed,
        compute_cycles=stats.total_cycles if stats else _whole(report.get("compute_cycles")) or 0,
        counting=stats.counting if stats else "",
        runtime_cycles=_whole(report.get("runtime_cycles")),
        bound_cycles=_whole(report.get("bound_cycles")),
        padded_bound_cycles=_whole(report.get("padded_bound_cycles")),
        efficiency=_number(report.get("efficiency")),
        stall_cycles={str(name): int(cycles) for name, cycles in _mapping(report.get("stall_cycles")).items()},
        files=tuple(FileFact(file.name, file.bytes) for file in archive.files),
        plugins=tuple(
            PluginFact(plugin.sequence or index, plugin.name, plugin.processor, plugin.kernel or plugin.executable)
            for index, plugin in enumerate(archive.mpk.plugins, 1)
        ),
        layers=layers,
        candidates=candidate_facts(archive.batch.candidates),
        left_to_host=_texts(report.get("cut")),
        warnings=_merged([*warnings, *archive.warnings], report.get("warnings")),
    )


def layer_facts(stats: Any, report: Mapping[str, Any] | None = None) -> tuple[LayerFact, ...]:
    """Layers of the static schedule, with what the report adds to each (matched by name)."""
    if stats is None:
        return ()
    known = {str(row.get("name")): row for row in _rows(_plain(report).get("layers"))}
    layers = list(stats.layers)
    total = stats.total_cycles or 1
    return tuple(_layer(layer, known.get(layer.name, {}), total) for layer in layers)


def candidate_facts(candidates: Iterable[Any]) -> tuple[CandidateFact, ...]:
    """Rows of the negotiation; rows that are facts already pass through."""
    return tuple(row if isinstance(row, CandidateFact) else _candidate(row) for row in candidates)


def clock_of(report: Mapping[str, Any] | None) -> tuple[float, bool]:
    """The machine's clock in MHz, and whether it is the published one because the archive names none."""
    machine = _mapping(_plain(report).get("machine"))
    clock = _number(machine.get("clock_mhz"))
    return (clock, False) if clock else (PUBLISHED_CLOCK_MHZ, True)


def _plain(report: Any) -> Mapping[str, Any]:
    if report is None or isinstance(report, Mapping):
        return report or {}
    return report.to_dict()


def _layer(layer: Any, row: Mapping[str, Any], total: int) -> LayerFact:
    cycles = layer.end_cycle - layer.start_cycle + 1
    return LayerFact(
        id=layer.id,
        name=layer.name,
        family=family(str(row.get("operator") or layer.name)),
        start_cycle=layer.start_cycle,
        end_cycle=layer.end_cycle,
        share=cycles / total,
        macs=_whole(row.get("macs")),
        utilisation=_number(row.get("utilization")) if row.get("macs") else None,
        bound_by=row.get("bound_by") if isinstance(row.get("bound_by"), str) else None,
        runtime_cycles=_whole(row.get("runtime_cycles")),
    )


def _candidate(row: Any) -> CandidateFact:
    tensors = ", ".join(
        tensor.name if tensor.bytes is None else f"{tensor.name} ({tensor.bytes:,} bytes)"
        for tensor in row.limiting_tensors
    )
    limiting = ": ".join(part for part in (row.limiting_layer or "", tensors) if part)
    return CandidateFact(
        batch=row.batch_size,
        feasible=bool(row.feasible),
        basis=row.status.replace("_", " "),
        peak_bytes=row.peak_on_chip_bytes,
        cycles_per_sample=row.cycles_per_sample,
        samples_per_second=row.samples_per_second,
        limiting=limiting,
        reason=row.reason,
        advice="; ".join(lever.text for lever in row.levers),
    )


def _merged(first: Sequence[str], second: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *_texts(second)]))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

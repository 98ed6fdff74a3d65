"""From an opened archive, or a statistics file, to a `View`.

In: an `Archive` or `MlaStats`. Out: the View. Always holds: what the file does not say stays "not recorded"; only the
clock is assumed then, and marked as such. Nothing outside the file is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from sima_compiler.archive.reader import Archive
from sima_compiler.archive.report_records import BatchCandidate, CompileReport, MemoryBuffer, Placement
from sima_compiler.archive.stats import MlaStats
from sima_compiler.view import units, wordings
from sima_compiler.view.advice.findings import findings_of
from sima_compiler.view.events import event_table
from sima_compiler.view.folding import answered
from sima_compiler.view.layers import cause_cycles, layer_table
from sima_compiler.view.palette import PALETTE
from sima_compiler.view.pipeline import file_table, link_table, plugin_table, segments_of
from sima_compiler.view.records import (
    VIEW_SCHEMA_VERSION,
    Batch,
    Event,
    FileRow,
    Layer,
    Link,
    Plugin,
    Totals,
    View,
    ViewMachine,
)
from sima_compiler.view.tables import Table
from sima_compiler.view.unknown import STATISTICS_ONLY, archive_lacks

#: The published clock of the MLA, for files that do not name theirs.
PUBLISHED_CLOCK_MHZ = 1000.0


def view_of_path(path: str | Path) -> View:
    """The View of the file at that path: an archive, statistics (``.yaml``, ``.yml``), or a `*_mpk.json` by itself.

    Raises:
        ArchiveError: none of them can be read from it.
    """
    if Path(path).suffix in {".yaml", ".yml"}:
        return view_of_stats(MlaStats.read(path), str(path))
    if Path(path).suffix == ".json":
        return view_of(Archive.of_pipeline(path))
    return view_of(Archive.open(path))


def view_of(archive: Archive, warnings: Sequence[str] = ()) -> View:
    """The View of an archive; ``warnings`` of the caller come before the report's own."""
    report = archive.report or CompileReport("")
    machine = _machine(report)
    segments = segments_of(archive)
    layers = layer_table(archive.stats, report.layers, report.placements, segments)
    actual = archive.batch.actual or report.actual_batch_size
    desired = archive.batch.desired or report.desired_batch_size
    view = View(
        schema_version=VIEW_SCHEMA_VERSION,
        kind="archive",
        name=archive.name,
        path=str(archive.path),
        report_version=report.schema_version or None,
        machine=machine,
        batch=Batch(desired, actual, report.reason, wordings.batch_sentence(desired, actual, report.reason)),
        totals=_totals(report, archive.stats, layers, machine.clock_mhz, actual),
        segments=segments,
        layers=layers,
        palette=PALETTE,
        wordings=wordings.WORDINGS,
        events=event_table(report.layers),
        memory_map=Table.of(MemoryBuffer, report.memory_map),
        candidates=Table.of(BatchCandidate, report.candidates),
        placements=Table.of(Placement, report.placements),
        files=file_table(archive),
        plugins=plugin_table(archive),
        links=link_table(archive),
        left_to_host=report.cut,
        host_sentence=wordings.host_sentence(report.cut, report.verdict),
        host_layers=report.host_layers,
        warnings=wordings.other_warnings([*warnings, *archive.warnings, *report.warnings], report.cut),
        not_recorded=archive_lacks(archive),
    )
    return replace(view, batch=answered(view), findings=findings_of(view))


def view_of_stats(stats: MlaStats, path: str = "") -> View:
    """The View of a statistics file: names and static cycles."""
    machine = ViewMachine("", PUBLISHED_CLOCK_MHZ, clock_assumed=True)
    layers = layer_table(stats, (), (), ())
    name = PurePath(path).name or "statistics"
    return View(
        schema_version=VIEW_SCHEMA_VERSION,
        kind="stats",
        name=name,
        path=path,
        report_version=None,
        machine=machine,
        batch=Batch(None, None, "", ""),
        totals=_totals(CompileReport(""), stats, layers, machine.clock_mhz, None),
        segments=(),
        layers=layers,
        palette=PALETTE,
        wordings=wordings.WORDINGS,
        events=Table.of(Event, ()),
        memory_map=Table.of(MemoryBuffer, ()),
        candidates=Table.of(BatchCandidate, ()),
        placements=Table.of(Placement, ()),
        files=Table.of(FileRow, ()),
        plugins=Table.of(Plugin, ()),
        links=Table.of(Link, ()),
        not_recorded=(STATISTICS_ONLY,),
    )


def _machine(report: CompileReport) -> ViewMachine:
    """The report's machine; the published clock where it names none."""
    found = report.machine
    if found is None:
        return ViewMachine("", PUBLISHED_CLOCK_MHZ, clock_assumed=True)
    return ViewMachine(
        name=found.name,
        clock_mhz=found.clock_mhz if found.clock_mhz > 0 else PUBLISHED_CLOCK_MHZ,
        clock_assumed=not found.clock_mhz > 0,
        quads=found.quads,
        macs_per_cycle=found.macs_per_cycle,
        dram_bytes_per_cycle=found.dram_bytes_per_cycle,
        on_chip_bytes=found.on_chip_bytes,
        start_cycles=found.start_cycles,
    )


def _totals(
    report: CompileReport, stats: MlaStats | None, layers: Table[Layer], clock_mhz: float, actual: int | None
) -> Totals:
    compute = stats.total_cycles if stats is not None else report.compute_cycles or 0
    cycles = compute if report.runtime_cycles is None else report.runtime_cycles
    return Totals(
        layers=len(layers),
        cycles=cycles,
        static_cycles=0 if stats is None else stats.coverage.end,
        compute_cycles=compute,
        runtime_cycles=report.runtime_cycles,
        bound_cycles=report.bound_cycles,
        bound_by=report.bound_by,
        padded_bound_cycles=report.padded_bound_cycles,
        efficiency=report.efficiency,
        macs=report.macs,
        cause_cycles=cause_cycles(report.work_cycles, report.stall_cycles, report.compute_cycles),
        latency_us=units.latency_us(cycles, clock_mhz) if cycles else None,
        samples_per_second=units.rate(actual or 1, cycles, clock_mhz) or None,
        dram=report.dram,
        counted=_counted(report, stats),
        overlaps=stats.counting if stats is not None else "",
    )


def _counted(report: CompileReport, stats: MlaStats | None) -> tuple[str, ...]:
    """How the totals were counted."""
    time = wordings.STATIC_ONLY if report.runtime_cycles is None else wordings.MLA_SUM
    bounds = {"macs": wordings.BOUND_MACS, "dram": wordings.BOUND_DRAM}
    overlaps = stats.counting if stats is not None else ""
    bound, padded = bounds.get(report.bound_by or "", ""), wordings.padded_bound(report.padded_bound_cycles)
    return tuple(sentence for sentence in (time, overlaps, bound, padded) if sentence)

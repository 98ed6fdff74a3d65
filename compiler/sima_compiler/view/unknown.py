"""What a file does not say: the published form promises less than a report of ours holds, and older reports hold less.

In: an `Archive`. Out: sentences, each of which may follow "not recorded:".
"""

from __future__ import annotations

from sima_compiler.archive.reader import Archive
from sima_compiler.archive.report_records import CompileReport

STATISTICS_ONLY = "all but names and static cycles of layers: a statistics file holds nothing else"
PIPELINE_ONLY = "all but plugins, buffers and batch sizes: a *_mpk.json by itself holds nothing else"
NO_STATISTICS = "cycles of layers: the archive holds no *_mla_stats.yaml"
NO_REPORT = (
    "stalls, causes, memory, the reason of the batch size, placements: only archives of this compiler hold a report"
)


def archive_lacks(archive: Archive) -> tuple[str, ...]:
    """What the archive cannot tell; one without files is a `*_mpk.json` by itself."""
    if not archive.files:
        return (PIPELINE_ONLY,)
    statistics = () if archive.stats is not None else (NO_STATISTICS,)
    return (*statistics, *((NO_REPORT,) if archive.report is None else _report_lacks(archive.report)))


def _report_lacks(report: CompileReport) -> tuple[str, ...]:
    """What an older report has no place for, and what a damaged one left out."""
    known = {
        "stalls": bool(report.stall_cycles),
        "what compute cycles are spent on": bool(report.work_cycles),
        "when each engine works": any(row.load_intervals for row in report.layers),
        "source nodes": any(row.sources for row in report.layers),
        "shapes and blocks": any(row.output_shape for row in report.layers),
        "the memory map": bool(report.memory_map),
        "when buffers are in use": any(row.start_cycle is not None for row in report.memory_map),
        "DRAM traffic": report.dram is not None,
        "bounds": report.bound_cycles is not None,
        "batch sizes that were weighed": bool(report.candidates),
        "the machine": report.machine is not None,
    }
    return tuple(name for name, is_known in known.items() if not is_known)

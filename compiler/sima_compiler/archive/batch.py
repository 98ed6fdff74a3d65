"""The batch size that was asked for, the one that was built, and the candidates between them.

In: a read `*_mpk.json` and, where there is one, the compile report. Out: a frozen `BatchResult`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.archive.mpk_document import MpkDocument
from sima_compiler.archive.report_records import BatchCandidate, CompileReport


@dataclass(frozen=True, slots=True)
class BatchResult:
    """``desired`` and ``actual`` as the MLA plugins carry them, None where they do not.

    ``candidates`` and ``reason`` come from the report; they are empty where there is none.
    """

    desired: int | None
    actual: int | None
    candidates: tuple[BatchCandidate, ...] = ()
    reason: str = ""


def read_batch(mpk: MpkDocument, report: CompileReport | None) -> BatchResult:
    """The batch sizes of an archive."""
    sizes = [(p.desired_batch_size, p.actual_batch_size) for p in mpk.plugins if p.processor == "MLA"]
    desired, actual = next((pair for pair in sizes if pair[1] is not None), (None, None))
    if report is None:
        return BatchResult(desired, actual)
    return BatchResult(desired, actual, report.candidates, report.reason)

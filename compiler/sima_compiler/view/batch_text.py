"""The batch negotiation as plain text: a chart, one row for all sizes that say the same, and answers.

In: a `View`. Out: lines, or plain values for JSON; both say the same.
"""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import Any

from sima_compiler.archive.report_records import BatchCandidate
from sima_compiler.view import units, wordings
from sima_compiler.view.folding import Folded, folded, levers_of
from sima_compiler.view.plain import pairs, paragraph, table
from sima_compiler.view.records import View

_BAR_WIDTH = 16
#: Reasons are wrapped there: the other columns take about 100 letters.
_REASON_WIDTH = 60
#: Bars of sizes that can be built, and of those that could not.
_FEASIBLE, _REFUSED = "█", "░"


def negotiation_text(view: View) -> str:
    """Batch, chart and rows, why not one more, why not the faster smaller one, and what would help."""
    known = [("desired", view.batch.desired_batch_size), ("actual", view.batch.actual_batch_size)]
    head = [
        ("archive", view.path),
        ("batch", " -> ".join(f"{'unknown' if size is None else size} {name}" for name, size in known)),
        *paragraph("", view.batch.sentence),
    ]
    if not view.candidates:
        return pairs([*head, ("", view.wordings["no_candidates"])])
    return f"{pairs(head)}\n\n{batch_text(view)}"


def batch_text(view: View) -> str:
    """One row for all sizes that say the same, and the answers; empty where no sizes are recorded."""
    if not view.candidates:
        return ""
    batch = view.batch
    help_wanted = batch.would_help or (view.wordings["levers_not_planned"],)
    answers = [
        *paragraph("why not one more", batch.why_not_more),
        *paragraph("why not smaller", batch.why_not_faster),
        *(("" if place else "what would help", sentence) for place, sentence in enumerate(help_wanted)),
    ]
    return f"{_rows(view)}\n\n{pairs(answers)}"


def negotiation_data(view: View) -> dict[str, Any]:
    """Plain values: the sizes as they were weighed, the same folded, answers and levers."""
    return {
        "path": view.path,
        "desired_batch_size": view.batch.desired_batch_size,
        "actual_batch_size": view.batch.actual_batch_size,
        "reason": view.batch.sentence,
        "candidates": [asdict(row) for row in view.candidates],
        "rows": [
            {"first": row.first.batch_size, "last": row.last.batch_size, "verdict": row.verdict} for row in folded(view)
        ],
        "why_not_more": view.batch.why_not_more,
        "why_not_faster": view.batch.why_not_faster,
        "levers": [asdict(lever) for lever in levers_of(view)],
    }


def _rows(view: View) -> str:
    best = max((row.samples_per_second or 0.0 for row in view.candidates), default=0.0)
    rows = [line for row in folded(view) for line in _row(row, best)]
    columns = ("batch", "verdict", "samples per second", "", "cycles/sample", "on chip", "why")
    lines = table(columns, rows, right=(3, 4, 5))
    return f"Batch sizes (MLA alone; {_FEASIBLE} can be built, {_REFUSED} cannot)\n{textwrap.indent(lines, '  ')}"


def _row(row: Folded, best: float) -> list[tuple[str, ...]]:
    """The line of a row, and further lines where its reason is long."""
    first, ends = row.first, (row.first, row.last)
    how = wordings.basis(first)
    why = textwrap.wrap(_why(first), _REASON_WIDTH) or [""]
    cells = (
        row.sizes,
        f"{row.verdict}, {how}" if how else row.verdict,
        _bar(first, best),
        _span([units.short_rate(end.samples_per_second) for end in ends if end.samples_per_second]),
        _span([units.count(end.cycles_per_sample) for end in ends if end.cycles_per_sample]),
        _span([units.size(end.peak_on_chip_bytes) for end in ends if end.peak_on_chip_bytes]),
    )
    return [(*cells, why[0]), *((*[""] * len(cells), line) for line in why[1:])]


def _why(row: BatchCandidate) -> str:
    """What limits the size and, where it cannot be built, the reason; what the other columns say is left out."""
    limit = wordings.limited_by(row)
    said_by_others = row.feasible and row.status == "scheduled"
    reason = "" if said_by_others else row.reason
    return "; ".join(part for part in (reason, f"limited by {limit}" if limit else "") if part)


def _bar(row: BatchCandidate, best: float) -> str:
    if not row.samples_per_second or not best:
        return ""
    length = max(1, round(_BAR_WIDTH * row.samples_per_second / best))
    return (_FEASIBLE if row.feasible else _REFUSED) * length


def _span(values: list[str]) -> str:
    """One number, or those of the first and the last of several rows."""
    return " to ".join(dict.fromkeys(values)) or units.NOT_RECORDED

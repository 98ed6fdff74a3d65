"""The batch negotiation as plain text: a chart, one row for all sizes that say the same, and answers.

In: a `View`. Out: lines, or plain values for JSON; both say the same.
"""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import Any

from sima_compiler.archive.report_records import BatchCandidate, Lever
from sima_compiler.view import units, wordings
from sima_compiler.view.folding import Folded, folded, why_not_faster, why_not_more
from sima_compiler.view.plain import pairs, paragraph, table
from sima_compiler.view.records import View

_BAR_WIDTH = 24
#: Bars of sizes that can be built, and of those that could not.
_FEASIBLE, _REFUSED = "█", "░"


def levers_of(view: View) -> tuple[Lever, ...]:
    """What would help, each once."""
    return tuple(dict.fromkeys(lever for row in view.candidates for lever in row.levers))


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
    answers = [
        *paragraph("why not one more", why_not_more(view)),
        *paragraph("why not smaller", why_not_faster(view)),
        *_levers(view),
    ]
    return "\n\n".join(part for part in (pairs(head), _rows(view), pairs(answers)) if part)


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
        "why_not_more": why_not_more(view),
        "why_not_faster": why_not_faster(view),
        "levers": [asdict(lever) for lever in levers_of(view)],
    }


def _levers(view: View) -> list[tuple[str, str]]:
    found = levers_of(view)
    if not found:
        return [
            ("what would help", "not planned: simac batch MODEL --levers, or simac compile MODEL --levers, plans it")
        ]
    return [("" if place else "what would help", wordings.lever_sentence(lever)) for place, lever in enumerate(found)]


def _rows(view: View) -> str:
    best = max((row.samples_per_second or 0.0 for row in view.candidates), default=0.0)
    rows = [_row(row, best) for row in folded(view)]
    columns = ("batch", "verdict", "samples per second", "", "cycles/sample", "on chip", "limited by")
    lines = table(columns, rows, right=(3, 4, 5))
    return f"Batch sizes (MLA alone; {_FEASIBLE} can be built, {_REFUSED} cannot)\n{textwrap.indent(lines, '  ')}"


def _row(row: Folded, best: float) -> tuple[str, ...]:
    first, ends = row.first, (row.first, row.last)
    how = wordings.basis(first)
    return (
        row.sizes,
        f"{row.verdict}, {how}" if how else row.verdict,
        _bar(first, best),
        _span([units.short_rate(end.samples_per_second) for end in ends if end.samples_per_second]),
        _span([units.count(end.cycles_per_sample) for end in ends if end.cycles_per_sample]),
        _span([units.size(end.peak_on_chip_bytes) for end in ends if end.peak_on_chip_bytes]),
        _why(first),
    )


def _why(row: BatchCandidate) -> str:
    """What limits the size; the reason in full stands in the answers and in the JSON."""
    return wordings.limited_by(row) or ("" if row.feasible else textwrap.shorten(row.reason, 60, placeholder=" …"))


def _bar(row: BatchCandidate, best: float) -> str:
    if not row.samples_per_second or not best:
        return ""
    length = max(1, round(_BAR_WIDTH * row.samples_per_second / best))
    return (_FEASIBLE if row.feasible else _REFUSED) * length


def _span(values: list[str]) -> str:
    """One number, or those of the first and the last of several rows."""
    return " to ".join(dict.fromkeys(values)) or units.NOT_RECORDED

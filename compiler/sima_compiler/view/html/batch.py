"""The batch sizes that were weighed: one row for all that say the same, with what limited each and what would help.

In: a `View`. Out: markup; a sentence where the archive holds no report of the negotiation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sima_compiler.view import units, wordings
from sima_compiler.view.folding import Folded, folded
from sima_compiler.view.html.markup import Markup, join, tag
from sima_compiler.view.records import View

_NUMBERS = ("Cycles per sample", "Samples per second", "Peak on chip")


def batch_html(view: View) -> Markup:
    """Answers and table."""
    if not view.candidates:
        return tag("p", f"{view.batch.sentence} {view.wordings['no_candidates']}".strip())
    columns = ("Batch", "Speed", "Verdict", *_NUMBERS, "Limited by", "Reason")
    head = tag("tr", *(tag("th", c, scope="col", class_="n" if c in ("Batch", *_NUMBERS) else None) for c in columns))
    best = max((row.samples_per_second or 0.0 for row in view.candidates), default=0.0)
    body = tag("tbody", *(_row(row, best) for row in folded(view)))
    table = tag("div", tag("table", tag("thead", head), body), class_="scroll", tabindex="0", role="region",
                aria_label="Batch sizes")  # fmt: skip
    return join([*_answers(view), table, *_levers(view)])


def _answers(view: View) -> list[Markup]:
    asked = (("Why not one more?", view.batch.why_not_more), ("Why not smaller?", view.batch.why_not_faster))
    return [tag("p", tag("b", question), f" {answer}") for question, answer in asked if answer]


def _levers(view: View) -> list[Markup]:
    """What would help; where nobody planned with anything, how to."""
    items = [tag("li", sentence) for sentence in view.batch.would_help]
    if not items:
        return [tag("p", view.wordings["levers_not_planned"], class_="note")]
    return [tag("h5", "What would help"), tag("ul", *items)]


def _row(row: Folded, best: float) -> Markup:
    candidate, ends = row.first, (row.first, row.last)
    how = wordings.basis(candidate)
    built = row.verdict == "built"
    return tag(
        "tr",
        tag("th", row.sizes, scope="row", class_="n"),
        tag("td", _speed(candidate.samples_per_second, best, is_feasible=candidate.feasible)),
        tag("td", tag("b", row.verdict) if built else row.verdict, f", {how}" if how else ""),
        tag("td", _span(units.count, [end.cycles_per_sample for end in ends]), class_="n"),
        tag("td", _span(units.short_rate, [end.samples_per_second for end in ends]), class_="n"),
        tag("td", _span(units.size, [end.peak_on_chip_bytes for end in ends]), class_="n"),
        tag("td", wordings.limited_by(candidate) or units.NOT_RECORDED, class_="name"),
        tag("td", candidate.reason or units.NOT_RECORDED, class_="long"),
        class_="built" if built else None,
    )


def _span(written: Callable[[Any], str], values: Sequence[float | None]) -> str:
    """The number of one row, or those of the first and the last of several."""
    return " to ".join(dict.fromkeys(written(value) for value in values if value)) or units.NOT_RECORDED


def _speed(speed: float | None, best: float, *, is_feasible: bool) -> Markup:
    """A bar as long as the rate; an outline where the size is not feasible."""
    if not speed or not best:
        return Markup("")
    return tag("i", class_="rate" if is_feasible else "rate refused", style=f"width:{100 * speed / best:.4g}%")

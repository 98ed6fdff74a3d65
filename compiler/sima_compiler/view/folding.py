"""Batch sizes that say the same become one row, and the questions that everybody asks of them get an answer.

In: a `View`. Out: `Folded` rows and sentences; the sentences travel in the View. The browser folds by the same rule:
both are held to one committed table of cases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sima_compiler.archive.report_records import BatchCandidate, Lever
from sima_compiler.view import units, wordings
from sima_compiler.view.records import Batch, View


@dataclass(frozen=True, slots=True)
class Folded:
    """Sizes from ``first`` to ``last`` with one verdict; the numbers of a row alone are its own."""

    first: BatchCandidate
    last: BatchCandidate
    verdict: str

    @property
    def sizes(self) -> str:
        """The size, or ``18 to 32``."""
        first, last = self.first.batch_size, self.last.batch_size
        return str(first) if first == last else f"{first} to {last}"


def folded(view: View) -> list[Folded]:
    """Neighbouring rows become one where they say the same; what was scheduled has numbers of its own."""
    rows: list[Folded] = []
    for candidate in sorted(view.candidates, key=lambda row: row.batch_size):
        verdict = wordings.verdict(candidate, view.batch.actual_batch_size)
        before = rows[-1] if rows else None
        if (
            before is not None
            and before.verdict == verdict != "built"
            and candidate.status != "scheduled"
            and candidate.batch_size == before.last.batch_size + 1
            and _gist(candidate) == _gist(before.last)
        ):
            rows[-1] = Folded(before.first, candidate, verdict)
        else:
            rows.append(Folded(candidate, candidate, verdict))
    return rows


def _gist(candidate: BatchCandidate) -> tuple[object, ...]:
    """What a row says, without the numbers that only repeat its size."""
    names = tuple(tensor.name for tensor in candidate.limiting_tensors)
    return candidate.status, candidate.limiting_layer, names, re.sub(r"[0-9.,]+", "#", candidate.reason or "")


def levers_of(view: View) -> tuple[Lever, ...]:
    """What would help, each once."""
    return tuple(dict.fromkeys(lever for row in view.candidates for lever in row.levers))


def answered(view: View) -> Batch:
    """The View's batch with the answers that its candidates give."""
    return replace(
        view.batch,
        why_not_more=why_not_more(view),
        why_not_faster=why_not_faster(view),
        would_help=tuple(map(wordings.lever_sentence, levers_of(view))),
    )


def why_not_more(view: View) -> str:
    """What stands in the way of the next larger size; empty where the size that was asked for is built."""
    desired, actual = view.batch.desired_batch_size, view.batch.actual_batch_size
    if actual is None or (desired is not None and actual >= desired):
        return ""
    larger = [row for row in view.candidates if row.batch_size > actual]
    if not larger:
        return ""
    following = min(larger, key=lambda row: row.batch_size)
    limit = wordings.limited_by(following)
    reason = following.reason or wordings.verdict(following, actual)
    return f"Batch {following.batch_size}: {reason}.{f' Limited by {limit}.' if limit else ''}"


def why_not_faster(view: View) -> str:
    """A smaller size that needs fewer cycles per sample than the one that was built, and why it was not taken."""
    built = next((row for row in view.candidates if row.batch_size == view.batch.actual_batch_size), None)
    if built is None or not built.cycles_per_sample:
        return ""
    own = built.cycles_per_sample
    faster = [
        (row.cycles_per_sample, row.batch_size)
        for row in view.candidates
        if row.feasible and row.batch_size < built.batch_size and row.cycles_per_sample and row.cycles_per_sample < own
    ]
    if not faster:
        return ""
    cycles, size = min(faster)
    return (
        f"Batch {size} needs {units.count(cycles)} cycles per sample where {built.batch_size} needs "
        f"{units.count(own)}: {units.percent(1 - cycles / own)} fewer. The largest size within 1 % of the best smaller "
        f"one is built; ask for {size} to get it."
    )

"""One batch size for all MLA segments of a network.

In: the segments, what to plan for, the desired size. Out: a `Negotiation` per segment, all for one size, and one that
stands for the network: its rows are feasible where every segment's are, its cycles their sums. Always: the size is the
largest that every segment finds feasible; with one segment nothing is added to what it negotiated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sima_compiler.ir.layers import Segment
from sima_compiler.negotiate import Candidate, Negotiation, negotiate
from sima_compiler.pipeline import ConstantStore, Target


@dataclass(frozen=True, slots=True)
class Agreement:
    """The outcome: ``whole`` has the size, the sentence and the rows of the network, ``parts`` the plans."""

    whole: Negotiation
    parts: tuple[Negotiation, ...]

    @property
    def runtime(self) -> int:
        """Scheduled cycles of all segments."""
        return sum(part.plan.schedule.runtime for part in self.parts)


def agree(
    segments: Sequence[Segment], target: Target, desired: int, store: ConstantStore, advance: Callable[[int, int], None]
) -> Agreement:
    """The largest size up to ``desired`` that every segment finds feasible; ``advance(done, total)`` per candidate.

    Raises:
        DoesNotFitError: one sample of a segment does not fit.
    """
    found = [negotiate(segment, target, desired, store, advance) for segment in segments]
    first = list(found)
    size = min(one.actual for one in found)
    # A segment whose own size is larger may not find this one feasible: whoever differs is asked again until all agree.
    while any(one.actual != size for one in found):
        found = [
            one if one.actual == size else negotiate(segment, target, size, store, advance)
            for segment, one in zip(segments, found, strict=True)
        ]
        size = min(one.actual for one in found)
    if len(found) == 1:
        return Agreement(found[0], (found[0],))
    rows = _joined_rows(segments, first, found)
    whole = Negotiation(desired, size, found[0].plan, _sentence(desired, size, rows), tuple(rows.values()))
    return Agreement(whole, tuple(replace(one, desired=desired) for one in found))


def _joined_rows(
    segments: Sequence[Segment], first: Sequence[Negotiation], last: Sequence[Negotiation]
) -> dict[int, Candidate]:
    """A row per size that every segment has one of; what was negotiated last stands in front of what came first."""
    known = [
        {row.batch_size: row for one in (early, late) for row in one.candidates}
        for early, late in zip(first, last, strict=True)
    ]
    sizes = sorted(set.intersection(*(set(rows) for rows in known)))
    names = [segment.name for segment in segments]
    return {size: _joined(names, [rows[size] for rows in known]) for size in sizes}


def _joined(names: Sequence[str], rows: Sequence[Candidate]) -> Candidate:
    """One row of all: a segment that is not feasible says why; else the one that takes longest is the limit."""
    refusing = next((place for place, row in enumerate(rows) if not row.feasible), None)
    longest = max(range(len(rows)), key=lambda place: rows[place].cycles or 0)
    limit = longest if refusing is None else refusing
    known = [row.cycles for row in rows if row.cycles is not None]
    cycles = sum(known) if len(known) == len(rows) else None
    peaks = [row.peak_on_chip_bytes for row in rows if row.peak_on_chip_bytes is not None]
    statuses = {row.status for row in rows}
    status = next(one for one in ("does_not_fit", "estimated", "scheduled") if one in statuses)
    return replace(
        rows[limit],
        feasible=refusing is None,
        status=status,
        cycles=None if status == "does_not_fit" else cycles,
        peak_on_chip_bytes=max(peaks) if len(peaks) == len(rows) else None,
        spilled=tuple(name for row in rows for name in row.spilled),
        reason=_reason(names[limit], rows[limit], cycles, feasible=refusing is None),
    )


def _reason(name: str, row: Candidate, cycles: int | None, *, feasible: bool) -> str:
    if not feasible:
        return f"{name} is the limit: {row.reason}"
    each = "" if cycles is None else f"{cycles / row.batch_size:,.0f} cycles per sample in all MLA segments; "
    return f"{each}{name} takes most of them"


def _sentence(desired: int, actual: int, rows: Mapping[int, Candidate]) -> str:
    if actual == desired:
        return f"batch {desired} fits in every MLA segment and is built"
    following = rows.get(actual + 1)
    why = f"; batch {actual + 1} is not: {following.reason}" if following is not None else ""
    return f"batch {actual} is the largest size up to {desired} that every MLA segment finds feasible{why}"

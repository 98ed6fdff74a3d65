"""Waits: which commands of other engines must be complete before a command may start.

Before: commands in a linear order, buffers with addresses. After: per command the number of completed commands of each
engine. A reader waits for the last writers of its bytes; a writer also for their readers; the first user of a buffer's
bytes waits for everything that touched the buffers that lay there before. Engines run their own commands in order, so
one number per engine is enough, and a number never falls below that of the command before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from sima_compiler.ir.program import Engine, Wait
from sima_compiler.stages.scheduling.access import accesses
from sima_compiler.stages.scheduling.marks import Counts, Marks
from sima_compiler.stages.scheduling.order import Placed


@dataclass(slots=True)
class _Space:
    """What happened in a buffer or DRAM tensor so far, and what lay there before."""

    marks: Marks = field(default_factory=Marks)
    before: Counts = field(default_factory=lambda: [0, 0, 0])
    touched: Counts = field(default_factory=lambda: [0, 0, 0])


def waits(order: Sequence[Placed], ranges: Sequence[tuple[int, int]]) -> list[Wait]:
    """The wait of every command in ``order``; ``ranges`` are the buffers' (address, end)."""
    return _Tracker(ranges).run(order)


class _Tracker:
    """Walks the order once and remembers who owns which address."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self._ranges = ranges
        self._spaces: dict[int, _Space] = {}
        self._owners: list[tuple[int, int, int]] = []  # (low, high, buffer), disjoint, ascending

    def run(self, order: Sequence[Placed]) -> list[Wait]:
        result: list[Wait] = []
        floors = {engine: [0, 0, 0] for engine in Engine}
        for placed in order:
            needed = floors[placed.engine]
            for access in accesses(placed.command):
                space = self._spaces.get(access.space) or self._new_space(access.space)
                if any(space.before):
                    _raise(needed, space.before)
                space.marks.use(access, placed.engine, placed.index, needed)
                space.touched[placed.engine] = placed.index + 1
            waited = list(needed)
            waited[placed.engine] = 0
            result.append(Wait(*waited))
        return result

    def _new_space(self, number: int) -> _Space:
        space = self._spaces[number] = _Space()
        if number >= 0:
            self._take_over(number, space)
        return space

    def _take_over(self, buffer: int, space: _Space) -> None:
        """The buffer becomes the owner of its addresses; it must wait for whatever its predecessors saw."""
        low, high = self._ranges[buffer]
        first = max(0, bisect_right(self._owners, low, key=_start) - 1)
        if first < len(self._owners) and self._owners[first][1] <= low:
            first += 1
        stop = bisect_left(self._owners, high, lo=first, key=_start)
        kept: list[tuple[int, int, int]] = []
        for start, end, owner in self._owners[first:stop]:
            _raise(space.before, self._spaces[owner].touched)
            _raise(space.before, self._spaces[owner].before)
            if start < low:
                kept.append((start, low, owner))
            if high < end:
                kept.append((high, end, owner))
        kept.append((low, high, buffer))
        self._owners[first:stop] = sorted(kept)


def _start(owner: tuple[int, int, int]) -> int:
    return owner[0]


def _raise(floor: Counts, other: Counts) -> None:
    for engine, count in enumerate(other):
        floor[engine] = max(floor[engine], count)

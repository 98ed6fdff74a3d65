"""Placing buffers in order of time, as a memory allocator would at run time.

In: buffers. Out: offsets. Always holds: only what lives at the moment matters, so that no list of neighbours is needed;
this stays quick where thousands of buffers live at once, as when small weights are loaded far ahead.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from heapq import heappop, heappush

from sima_compiler.stages.allocation.problem import Buffer
from sima_compiler.stages.allocation.solution import Solution, solution_of


def sweeps(buffers: Sequence[Buffer]) -> tuple[Solution, Solution]:
    """The placements of a sweep forwards and one backwards in time; each takes the lowest hole that is large enough."""
    forwards = [(buffer.lower, buffer.upper) for buffer in buffers]
    backwards = [(-upper, -lower) for lower, upper in forwards]
    return _swept(buffers, forwards), _swept(buffers, backwards)


def _swept(buffers: Sequence[Buffer], lives: Sequence[tuple[int, int]]) -> Solution:
    offsets = [0] * len(buffers)
    holes = _Holes(sum(buffer.size + buffer.alignment for buffer in buffers))
    live: list[tuple[int, int]] = []
    for index in sorted(range(len(buffers)), key=lambda i: (lives[i][0], -buffers[i].size)):
        start, end = lives[index]
        while live and live[0][0] <= start:
            _, ended = heappop(live)
            holes.give(offsets[ended], offsets[ended] + buffers[ended].size)
        offsets[index] = holes.take(buffers[index].size, buffers[index].alignment)
        heappush(live, (end, index))
    return solution_of(buffers, offsets)


class _Holes:
    """The free ranges below ``top``, in order; neighbouring ones are joined."""

    def __init__(self, top: int) -> None:
        self._starts = [0]
        self._ends = [top]

    def take(self, size: int, alignment: int) -> int:
        """The lowest offset with ``size`` free bytes; they are free no more."""
        for place, (start, end) in enumerate(zip(self._starts, self._ends, strict=True)):
            offset = start + -start % alignment
            if end - offset >= size:
                kept = [(start, offset), (offset + size, end)]
                kept = [hole for hole in kept if hole[0] < hole[1]]
                self._starts[place : place + 1] = [hole[0] for hole in kept]
                self._ends[place : place + 1] = [hole[1] for hole in kept]
                return offset
        raise AssertionError("the last hole is larger than all buffers together")

    def give(self, start: int, end: int) -> None:
        """``start`` .. ``end`` are free again."""
        place = bisect_left(self._starts, start)
        first, last = place, place
        if place and self._ends[place - 1] == start:
            first, start = place - 1, self._starts[place - 1]
        if place < len(self._starts) and self._starts[place] == end:
            last, end = place + 1, self._ends[place]
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

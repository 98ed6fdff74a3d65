"""Placing buffers one after the other, and changing the order without starting again.

In: buffers, who lives together with whom, an order, a side for each buffer, and a limit. Out: offsets. Each buffer goes
to the lowest gap below the limit where it fits, or to the highest one when its side is high; one that fits nowhere
below the limit goes to the lowest gap there is and counts as *failing*. Always holds: a buffer's offset depends only on
those that stand before it in the order and live together with it, which is why a change re-places nothing else; buffers
that live together never overlap, failing or not. A change can be taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from sima_compiler.stages.allocation.conflicts import Neighbours
from sima_compiler.stages.allocation.problem import Buffer
from sima_compiler.stages.allocation.solution import Solution, solution_of

#: Work of one placement beside looking at its neighbours.
PLACEMENT_WORK = 4


def lowest_gap(spans: Iterable[tuple[int, int]], size: int, alignment: int) -> int:
    """The lowest aligned offset where ``size`` bytes fit between or above the ``spans``, sorted (offset, end) pairs."""
    offset = 0
    for low, high in spans:
        if low - offset >= size:
            break
        if high > offset:
            offset = high + -high % alignment
    return offset


def highest_gap(spans: Iterable[tuple[int, int]], size: int, alignment: int, limit: int) -> int:
    """The highest aligned offset where ``size`` bytes fit below ``limit``, or -1."""
    free, found = 0, -1
    for low, high in spans:
        top = min(low, limit) - size
        top -= top % alignment
        if top >= free:
            found = top
        free = max(free, high)
    top = limit - size
    top -= top % alignment
    return top if top >= free else found


def first_fit(buffers: Sequence[Buffer], neighbours: Neighbours, order: Sequence[int]) -> Solution:
    """Every buffer in the lowest gap, in that order: what an `Arrangement` with all sides low begins with, in half the
    time, because it need not remember how to go on.
    """
    offsets = [0] * len(order)
    waiting = [True] * len(order)
    spans: list[list[tuple[int, int]]] = [[] for _ in order]
    for index in order:
        waiting[index] = False
        size = buffers[index].size
        spans[index].sort()
        offsets[index] = offset = lowest_gap(spans[index], size, buffers[index].alignment)
        span = (offset, offset + size)
        for other in neighbours[index]:
            if waiting[other]:
                spans[other].append(span)
    return solution_of(buffers, offsets)


class Arrangement:
    """An order of placement with the offsets that follow from it."""

    def __init__(
        self, buffers: Sequence[Buffer], neighbours: Neighbours, order: Sequence[int], high: Sequence[bool], limit: int
    ) -> None:
        """``order`` names every buffer once; ``high[i]`` sends buffer ``i`` to the highest gap; ``limit`` in bytes."""
        self.neighbours = neighbours
        self.limit = limit
        self.work = 0
        #: Buffers that end above the limit, and the sum of their sizes.
        self.failing: dict[int, None] = {}
        self.cost = 0
        self.position = [0] * len(order)
        self._sizes = [buffer.size for buffer in buffers]
        self._alignments = [buffer.alignment for buffer in buffers]
        self._order = list(order)
        self._high = list(high)
        self._offsets = [-1] * len(order)
        self._ends = [0] * len(order)
        self._log: list[tuple[int, int]] = []
        self._change: tuple[int, int] | int = 0
        self._renumber(0, len(order))
        self._settle(range(len(order)))

    @property
    def peak(self) -> int:
        """The end of the highest buffer."""
        over = self.failing
        return max((self._ends[index] for index in over), default=0) if over else max(self._ends, default=0)

    @property
    def solution(self) -> Solution:
        """The offsets as they are now."""
        return Solution(tuple(self._offsets), max(self._ends, default=0))

    def move(self, index: int, position: int) -> None:
        """Let buffer ``index`` take that position in the order."""
        before = self.position[index]
        self._change = (before, position)
        self._replace(before, position)
        low, high = sorted((before, position))
        between = [other for other in self.neighbours[index] if low <= self.position[other] <= high]
        self._settle(sorted(self.position[other] for other in (index, *between)))

    def flip(self, index: int) -> None:
        """Send buffer ``index`` to the other side."""
        self._change = index
        self._high[index] = not self._high[index]
        self._settle((self.position[index],))

    def take_back(self) -> None:
        """Undo the last `move` or `flip`."""
        for index, offset in reversed(self._log):
            self._put(index, offset)
        if isinstance(self._change, tuple):
            before, position = self._change
            self._replace(position, before)
        else:
            self._high[self._change] = not self._high[self._change]

    def _replace(self, source: int, target: int) -> None:
        self._order.insert(target, self._order.pop(source))
        self._renumber(min(source, target), max(source, target) + 1)

    def _renumber(self, first: int, last: int) -> None:
        position = self.position
        for place, index in enumerate(self._order[first:last], first):
            position[index] = place
        self.work += (last - first) // 8

    def _settle(self, positions: Iterable[int]) -> None:
        """Place the buffers at ``positions`` again, and every later one that this concerns."""
        self._log = []
        position, order = self.position, self._order
        waiting = list(positions)
        heapify(waiting)
        queued = set(waiting)
        while waiting:
            place = heappop(waiting)
            index = order[place]
            offset = self._offset(index, place)
            if offset == self._offsets[index]:
                continue
            self._log.append((index, self._offsets[index]))
            self._put(index, offset)
            for other in self.neighbours[index]:
                later = position[other]
                if later > place and later not in queued:
                    queued.add(later)
                    heappush(waiting, later)

    def _offset(self, index: int, place: int) -> int:
        row, position, offsets, ends = self.neighbours[index], self.position, self._offsets, self._ends
        self.work += len(row) + PLACEMENT_WORK
        spans = [(offsets[other], ends[other]) for other in row if position[other] < place]
        spans.sort()
        size, alignment = self._sizes[index], self._alignments[index]
        if self._high[index]:
            found = highest_gap(spans, size, alignment, self.limit)
            if found >= 0:
                return found
        return lowest_gap(spans, size, alignment)

    def _put(self, index: int, offset: int) -> None:
        size = self._sizes[index]
        self._offsets[index] = offset
        self._ends[index] = offset + size
        if offset + size > self.limit:
            if index not in self.failing:
                self.failing[index] = None
                self.cost += size
        elif index in self.failing:
            del self.failing[index]
            self.cost -= size

"""Making room by beginning lives later: for buffers that are filled ahead of their need only because there is room.

Before: a problem that the solvers could not place below a limit, and for each buffer the latest time at which its life
may begin. After: offsets below the limit, and a beginning for each life, never before the given one, never after the
latest. Buffers that cannot wait are placed first, by size; the others follow in order of need, each at the offset where
its life can begin earliest. Checks: `validator`, on the problem with the new lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sima_compiler.stages.allocation.problem import Buffer, Problem
from sima_compiler.stages.allocation.solution import Solution, solution_of

#: Times that a buffer which found no place may be moved to the front of the order.
RETRIES = 12

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Delayed:
    """A solution for the problem whose buffers begin their lives at ``lowers``."""

    solution: Solution
    problem: Problem

    @property
    def lowers(self) -> tuple[int, ...]:
        """When each life begins."""
        return tuple(buffer.lower for buffer in self.problem.buffers)

    @property
    def at_bound(self) -> bool:
        """Whether no placement of these lives has a lower peak."""
        return self.solution.peak == self.problem.lower_bound


def solve_with_delays(problem: Problem, latest: Sequence[int], limit: int) -> Delayed | None:
    """A placement below ``limit``, or None; ``latest[i]`` is the latest beginning of buffer ``i``."""
    buffers = problem.buffers
    firm = sorted(
        (i for i, buffer in enumerate(buffers) if latest[i] <= buffer.lower), key=lambda i: (-buffers[i].size, i)
    )
    waiting = sorted((i for i, buffer in enumerate(buffers) if latest[i] > buffer.lower), key=lambda i: (latest[i], i))
    order = [*firm, *waiting]
    for _ in range(RETRIES):
        placed = _Placed(buffers, latest, limit)
        stuck = next((index for index in order if not placed.put(index)), None)
        if stuck is None:
            lives = [replace(b, lower=begin) for b, begin in zip(buffers, placed.begins, strict=True)]
            return Delayed(solution_of(buffers, placed.offsets), Problem(tuple(lives), problem.capacity))
        order.remove(stuck)
        order.insert(0, stuck)
    return None


class _Placed:
    """Buffers placed so far, as arrays in order of placement."""

    def __init__(self, buffers: Sequence[Buffer], latest: Sequence[int], limit: int) -> None:
        self.begins = [buffer.lower for buffer in buffers]
        self.offsets = [0] * len(buffers)
        self._buffers = buffers
        self._latest = latest
        self._limit = limit
        self._lower, self._upper, self._low, self._high = (np.zeros(len(buffers), np.int64) for _ in range(4))
        self._count = 0

    def put(self, index: int) -> bool:
        """Place buffer ``index``, late if it must be; False where not even that helps."""
        buffer, count = self._buffers[index], self._count
        lower, upper = self._lower[:count], self._upper[:count]
        near = np.flatnonzero((lower < buffer.upper) & (upper > buffer.lower))
        begin, offset = self._earliest(index, near)
        if begin > max(buffer.lower, self._latest[index]):
            return False
        self.begins[index], self.offsets[index] = begin, offset
        self._lower[count], self._upper[count] = begin, buffer.upper
        self._low[count], self._high[count] = offset, offset + buffer.size
        self._count += 1
        return True

    def _earliest(self, index: int, near: Integers) -> tuple[int, int]:
        """The earliest beginning and the lowest offset that has it; a beginning beyond the life where there is none.

        The later the beginning, the fewer of those ``near`` still live then, so that halving finds the earliest one.
        """
        buffer, upper = self._buffers[index], self._upper[near]
        offset = self._lowest(near, buffer)
        if offset is not None:
            return buffer.lower, offset
        begins = np.unique(upper[upper <= self._latest[index]])
        first, end, found = 0, len(begins), (buffer.upper, 0)
        while first < end:
            middle = (first + end) // 2
            offset = self._lowest(near[upper > begins[middle]], buffer)
            if offset is None:
                first = middle + 1
            else:
                end, found = middle, (int(begins[middle]), offset)
        return found

    def _lowest(self, near: Integers, buffer: Buffer) -> int | None:
        """The lowest offset below the limit that is free of those ``near``."""
        low, high = self._low[near], self._high[near]
        by_start = np.argsort(low, kind="stable")
        starts = np.concatenate((np.zeros(1, np.int64), np.maximum.accumulate(high[by_start])))
        starts += -starts % buffer.alignment
        ends = np.append(low[by_start], self._limit)
        fits = np.minimum(ends, self._limit) - starts >= buffer.size
        first = int(fits.argmax())
        return int(starts[first]) if fits[first] else None

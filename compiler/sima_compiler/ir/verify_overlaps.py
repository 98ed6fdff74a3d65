"""Whether moves of a copy write an element twice, in time that does not grow with what they write where walks nest.

In: for every move the rows, columns and channels that it touches; its elements are all their combinations. Out: whether
any two moves have an element in common: a row, a column and a channel.

::

    3,000 parts of a concatenation      no channel in common: each is alone after the first axis
    4 moves of a depth to space         rows in common, then no columns
    one move of 36 million channels     steps of 8 channels that continue each other: counted, never listed

Along one axis moves that share a number are chained into groups; moves of different groups have no element in common.
Where their intervals tell them apart, no number is listed. What is left together after all axes is compared pair by
pair, as matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

#: Channels first: it is along them that networks join and split maps.
AXES = (2, 0, 1)
#: How many moves are compared with all others at a time: bounds the memory of a copy with thousands of them.
PAIRED_MOVES = 512


@dataclass(frozen=True, slots=True)
class Walk:
    """The numbers ``start`` + any number of steps below ``size`` of each stride, for ``steps`` of (stride, size)."""

    start: int
    steps: tuple[tuple[int, int], ...] = ()

    @property
    def last(self) -> int:
        """The largest number."""
        return self.start + sum(stride * (size - 1) for stride, size in self.steps)

    @property
    def distinct(self) -> int:
        """How many different numbers there are; they are listed only where a step falls inside the ones below it."""
        reach = 0
        for stride, size in sorted(self.steps):
            if stride <= reach:
                return self.numbers().size
            reach += stride * (size - 1)
        return prod(size for _, size in self.steps)

    def numbers(self) -> npt.NDArray[np.int64]:
        """All of them in order, each once."""
        offsets = np.zeros(1, np.int64)
        for stride, size in self.steps:
            offsets = np.add.outer(offsets, np.arange(size) * stride).reshape(-1)
        marks = np.zeros(self.last - self.start + 1, np.bool_)  # sorting and hashing take a hundred times as long
        marks[offsets] = True
        return np.flatnonzero(marks) + self.start


#: Rows, columns and channels of a move; its elements are all their combinations.
Reach = tuple[Walk, Walk, Walk]


def overlap(written: Sequence[Reach]) -> bool:
    """Whether any two of them have an element in common."""
    groups: list[Sequence[Reach]] = [written]
    for axis in AXES:
        apart = [part for group in groups for part in _apart(group, axis) if len(part) > 1]
        groups = [part for group in apart for part in _chained(group, axis) if len(part) > 1]
    return any(_meet(group) for group in groups)


def _apart(group: Sequence[Reach], axis: int) -> list[list[Reach]]:
    """The parts of a group whose intervals on the axis do not touch."""
    parts: list[list[Reach]] = []
    end = -1
    for reach in sorted(group, key=lambda reach: reach[axis].start):
        if reach[axis].start > end:
            parts.append([])
        parts[-1].append(reach)
        end = max(end, reach[axis].last)
    return parts


def _chained(group: Sequence[Reach], axis: int) -> list[list[Reach]]:
    """The parts of a group that share no number of the axis with each other."""
    low = min(reach[axis].start for reach in group)
    owners = np.full(max(reach[axis].last for reach in group) + 1 - low, -1, np.int64)
    parents = list(range(len(group)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]  # halves the way for the next one
            number = parents[number]
        return number

    for number, reach in enumerate(group):
        touched = reach[axis].numbers() - low
        for owner in _different(owners[touched], number):
            parents[root(owner)] = number
        owners[touched] = number
    parts: dict[int, list[Reach]] = {}
    for number, reach in enumerate(group):
        parts.setdefault(root(number), []).append(reach)
    return list(parts.values())


def _different(owners: npt.NDArray[np.int64], below: int) -> list[int]:
    """The different numbers from 0 up to ``below`` among them."""
    if owners.size <= below:
        return sorted({owner for owner in owners.tolist() if owner >= 0})
    marks = np.zeros(below + 1, np.bool_)
    marks[owners] = True  # -1, nobody, marks the last place
    return np.flatnonzero(marks[:below]).tolist()


def _meet(group: Sequence[Reach]) -> bool:
    """Whether any two have a common row, a common column and a common channel."""
    axes = [_marks([reach[axis] for reach in group]) for axis in range(3)]
    for start in range(0, len(group), PAIRED_MOVES):
        common = [marks[start : start + PAIRED_MOVES] @ marks.T > 0 for marks in axes]
        meet = common[0] & common[1] & common[2]
        if np.count_nonzero(meet) > len(meet):  # each meets itself
            return True
    return False


def _marks(touched: Sequence[Walk]) -> npt.NDArray[np.float32]:
    """Per move and number of the axis, from the lowest to the highest that is touched, 1 where it is."""
    low = min(walk.start for walk in touched)
    marks = np.zeros((len(touched), max(walk.last for walk in touched) + 1 - low), np.float32)
    for row, walk in zip(marks, touched, strict=True):
        row[walk.numbers() - low] = 1.0
    return marks

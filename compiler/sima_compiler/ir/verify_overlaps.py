"""Whether moves of a copy write an element twice, in time linear in what they write.

In: for every move the rows, columns and channels that it touches; its elements are all their combinations. Out: whether
any two moves have an element in common: a row, a column and a channel.

::

    3,000 parts of a concatenation      no channel in common: each is alone after the first axis
    4 moves of a depth to space         rows in common, then no columns

Along one axis moves that share a number are chained into groups; moves of different groups have no element in common.
What is left together after all axes is compared pair by pair, as matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: Distinct row, column and channel numbers of a move; the elements are all their combinations.
Reach = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]

#: Channels first: it is along them that networks join and split maps.
AXES = (2, 0, 1)
#: How many moves are compared with all others at a time: bounds the memory of a copy with thousands of them.
PAIRED_MOVES = 512


def overlap(written: Sequence[Reach]) -> bool:
    """Whether any two of them have an element in common."""
    groups: list[Sequence[Reach]] = [written]
    for axis in AXES:
        groups = [part for group in groups for part in _chained(group, axis) if len(part) > 1]
    return any(_meet(group) for group in groups)


def _chained(group: Sequence[Reach], axis: int) -> list[list[Reach]]:
    """The parts of a group that share no number of the axis with each other."""
    size = max(int(reach[axis].max()) for reach in group) + 1
    owners = np.full(size, -1, np.int64)
    parents = list(range(len(group)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]  # halves the way for the next one
            number = parents[number]
        return number

    for number, reach in enumerate(group):
        before = np.unique(owners[reach[axis]])
        for owner in before[before >= 0].tolist():
            parents[root(owner)] = number
        owners[reach[axis]] = number
    parts: dict[int, list[Reach]] = {}
    for number, reach in enumerate(group):
        parts.setdefault(root(number), []).append(reach)
    return list(parts.values())


def _meet(group: Sequence[Reach]) -> bool:
    """Whether any two have a common row, a common column and a common channel."""
    axes = [_marks([reach[axis] for reach in group]) for axis in range(3)]
    for start in range(0, len(group), PAIRED_MOVES):
        common = [marks[start : start + PAIRED_MOVES] @ marks.T > 0 for marks in axes]
        meet = common[0] & common[1] & common[2]
        if np.count_nonzero(meet) > len(meet):  # each meets itself
            return True
    return False


def _marks(touched: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.float32]:
    """Per move and number of the axis, from the lowest to the highest that is touched, 1 where it is."""
    low = min(int(numbers.min()) for numbers in touched)
    marks = np.zeros((len(touched), max(int(numbers.max()) for numbers in touched) + 1 - low), np.float32)
    for row, numbers in zip(marks, touched, strict=True):
        row[numbers - low] = 1.0
    return marks

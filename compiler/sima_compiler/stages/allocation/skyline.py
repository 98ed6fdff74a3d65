"""Branch and bound from the floor up: always at the lowest place where something is left to be placed.

In: a problem's buffers, orders of preference, a limit, an amount of work. Out: offsets below the limit, or nothing.
Always holds: the same call gives the same result everywhere; work is counted in cells looked at, never in time.

A *crowd* is the set of buffers that live at one moment, unless a later moment has them all and more. Every buffer that
is not placed yet has a *rest*: the lowest offset above all placed ones that it lives together with. The lowest rest in
a crowd, plus the bytes that the crowd still has to place, must not exceed the limit. At the bound some crowds have no
byte to lose, which leaves few choices. A step takes the crowd with the lowest rest and tries to put each of its buffers
that rest there, in order of preference; then it tries to leave the room below the next rest empty. Not every
arrangement can be reached this way. A descent that takes too many steps is given up for the next order, at last for
orders that are shuffled more and more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from sima_compiler.stages.allocation.dice import Dice
from sima_compiler.stages.allocation.orders import Order
from sima_compiler.stages.allocation.problem import Buffer
from sima_compiler.stages.allocation.solution import Solution, solution_of

#: Cells of the table of crowds that cost as much as one neighbour in the local search, and a step's cost beside them.
CELLS, STEP_WORK = 100, 150
#: Steps of the first descents, per buffer; their growth, in percent, whenever all orders have been tried.
PATIENCE, GROWTH = 2, 130
#: How far, in places, a shuffled order may move a buffer: this much more in each round.
SHUFFLE = 40
#: An offset that no crowd reaches.
NOWHERE = 1 << 62

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def build_up(buffers: Sequence[Buffer], orders: Sequence[Order], limit: int, work: int) -> Solution | None:
    """A solution with a peak of at most ``limit``, or None where that much work finds none."""
    lower, upper = (np.array(column, np.int64) for column in zip(*((b.lower, b.upper) for b in buffers), strict=True))
    moments = crowd_moments(lower, upper)
    left = work // (STEP_WORK + len(buffers) * len(moments) // CELLS)
    if left < len(buffers):
        return None
    tables = _Tables.of(buffers, moments, limit)
    steps, dice = PATIENCE * len(buffers), Dice(1)
    for turn in count():
        for order in orders:
            descent = _Descent(tables, shuffled(order, turn, dice))
            left -= descent.run(min(steps, left))
            if descent.found:
                return solution_of(buffers, descent.offsets)
            if left <= 0:
                return None
        steps = steps * GROWTH // 100
    raise AssertionError("every descent takes a step")


def shuffled(order: Order, turn: int, dice: Dice) -> list[int]:
    """The rank of every buffer; from the second ``turn`` on later than it stands, by `SHUFFLE` places more each."""
    ranks = [0] * len(order)
    reach = SHUFFLE * turn
    for place, index in enumerate(order):
        ranks[index] = 64 * place + (dice.below(64 * reach) if reach else 0)
    return ranks


@dataclass(frozen=True, slots=True)
class _Tables:
    """What never changes: ``lives[i, c]`` says whether buffer ``i`` is in crowd ``c``; ``together[i, j]`` whether two
    buffers live together.
    """

    lives: Flags
    together: Flags
    sizes: Integers
    alignments: Integers
    limit: int

    @staticmethod
    def of(buffers: Sequence[Buffer], moments: Integers, limit: int) -> _Tables:
        lower, upper, sizes, alignments = (
            np.array(column, np.int64)
            for column in zip(*((b.lower, b.upper, b.size, b.alignment) for b in buffers), strict=True)
        )
        lives = (moments >= lower[:, None]) & (moments < upper[:, None])
        together = (lower[:, None] < upper) & (lower < upper[:, None])
        return _Tables(lives, together, sizes, alignments, limit)


def crowd_moments(lower: Integers, upper: Integers) -> Integers:
    """One moment of every crowd: the beginnings of lives after which one ends before another begins."""
    begins, ends = np.unique(lower), np.unique(upper)
    following = np.append(begins[1:], ends[-1])
    first_end = ends[np.searchsorted(ends, begins, side="right")]
    return begins[first_end <= following]


@dataclass(frozen=True, slots=True)
class _State:
    """Where every buffer rests or lies, which wait, the bytes that each crowd has to place, how many buffers wait."""

    rests: Integers
    waiting: Flags
    bytes: Integers
    count: int


class _Descent:
    """One search with one order of preference."""

    def __init__(self, tables: _Tables, preference: Sequence[int]) -> None:
        self._tables = tables
        self._preference = preference
        self.offsets: list[int] = []

    @property
    def found(self) -> bool:
        """Whether the search has ended with everything placed."""
        return bool(self.offsets)

    def run(self, steps: int) -> int:
        """Search until everything is placed, nothing is left to try, or after that many steps; how many it took."""
        tables = self._tables
        buffers = len(tables.sizes)
        everything = (tables.lives * tables.sizes[:, None]).sum(axis=0)
        root = _State(np.zeros(buffers, np.int64), np.ones(buffers, np.bool_), everything, buffers)
        path = [self._choices(root)]
        taken = 0
        while path and taken < steps:
            taken += 1
            state = next(path[-1], None)
            if state is None:
                path.pop()
            elif state.count == 0:
                self.offsets = [int(offset) for offset in state.rests]
                return taken
            else:
                path.append(self._choices(state))
        return taken

    def _choices(self, state: _State) -> Iterator[_State]:
        """The states that one step leads to, most promising first; none where some crowd's bytes no longer fit."""
        tables = self._tables
        rests = np.where(state.waiting, state.rests, NOWHERE)
        lowest = np.where(tables.lives, rests[:, None], NOWHERE).min(axis=0)
        crowd = int(lowest.argmin())
        here = int(lowest[crowd])
        room = np.where(state.bytes > 0, tables.limit - lowest - state.bytes, 0)
        if room.min() < 0:
            return
        members = tables.lives[:, crowd] & state.waiting
        resting = np.flatnonzero(members & (rests == here))
        for index in sorted(resting.tolist(), key=lambda index: self._preference[index]):
            yield self._placed(state, index, here)
        higher = rests[members & (rests > here)]
        if higher.size and higher.min() - here <= room[crowd]:
            yield self._lifted(state, members, int(higher.min()))

    def _placed(self, state: _State, index: int, offset: int) -> _State:
        tables = self._tables
        waiting = state.waiting.copy()
        waiting[index] = False
        above = self._aligned(offset + int(tables.sizes[index]))
        rests = np.where(tables.together[index] & waiting, np.maximum(state.rests, above), state.rests)
        return _State(rests, waiting, state.bytes - tables.lives[index] * tables.sizes[index], state.count - 1)

    def _lifted(self, state: _State, members: Flags, offset: int) -> _State:
        rests = np.where(members, np.maximum(state.rests, self._aligned(offset)), state.rests)
        return _State(rests, state.waiting, state.bytes, state.count)

    def _aligned(self, offset: int) -> Integers:
        return offset + -offset % self._tables.alignments

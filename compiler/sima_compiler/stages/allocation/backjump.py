"""Does it fit? A search that turns back as far as the fault lies.

In: a problem's buffers, who lives together with whom, orders of preference, a limit, an amount of work. Out: offsets
below the limit, or nothing. Always holds: the same call gives the same result everywhere; work is counted in buffers
looked at, never in time.

As in `skyline`, a *crowd* is the set of buffers that live at one moment, and every buffer that waits has a *rest*, the
lowest offset that is left to it. A crowd has room while its waiting buffers, each stacked no lower than its rest, end
below the limit: all of them, and all above any rest. A step takes the crowd with the lowest rest, of several the one
with the least room, and puts one of those that rest there in its place, in order of preference, or else lets none of
them rest there: each goes up to the first end of another that still waits.

For every rest it is known which steps have raised it. Where a crowd has no room, the steps that raised the rests of its
highest stack are to blame, and where all choices of a step fail, those to blame for any of them. A step that is not to
blame would fail in the same way whatever it chose: it is taken back without trying the rest of its choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from sima_compiler.stages.allocation.conflicts import Neighbours
from sima_compiler.stages.allocation.dice import Dice
from sima_compiler.stages.allocation.orders import Order
from sima_compiler.stages.allocation.problem import Buffer
from sima_compiler.stages.allocation.skyline import NOWHERE, crowd_moments, shuffled
from sima_compiler.stages.allocation.solution import Solution, solution_of

#: Work of the first descents, per buffer, and its growth in percent whenever all orders have been tried: short descents
#: first, since a good order hardly turns back: MiniMalloc's J takes 438 steps for 409 buffers, each about 7,500.
PATIENCE, GROWTH = 10_000, 130


@dataclass(frozen=True, slots=True)
class _Tables:
    """What never changes: ``members`` of each crowd, the ``crowds`` and ``neighbours`` of each buffer."""

    sizes: Sequence[int]
    alignments: Sequence[int]
    members: Sequence[Sequence[int]]
    crowds: Sequence[Sequence[int]]
    neighbours: Neighbours
    limit: int


@dataclass(slots=True)
class _Step:
    """A step with its choices: buffers, and None for letting none of them rest.

    ``raised`` are (buffer, rest, steps to blame) of the last choice. ``reason`` are the steps to blame for there being
    no other choice, ``blamed`` those for the choices that have failed, as bits. ``before`` and ``rooms`` are what to
    take back: (buffer, rest, steps to blame) and (crowd, lowest rest, room).
    """

    choices: list[int | None]
    raised: list[tuple[int, int, int]]
    reason: int
    blamed: int = 0
    tried: int = 0
    before: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    rooms: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])


def fitted(
    buffers: Sequence[Buffer], neighbours: Neighbours, orders: Sequence[Order], limit: int, work: int
) -> Solution | None:
    """A solution with a peak of at most ``limit``, or None where that much work finds none."""
    tables = _tables(buffers, neighbours, limit)
    patience, dice = PATIENCE * len(buffers), Dice(1)
    for turn in count():
        for order in orders:
            descent = _Descent(tables, shuffled(order, turn, dice))
            if descent.run(min(patience, work)):
                return solution_of(buffers, descent.rests)
            work -= descent.work
            if work <= 0:
                return None
        patience = patience * GROWTH // 100
    raise AssertionError("every descent takes a step")


def _tables(buffers: Sequence[Buffer], neighbours: Neighbours, limit: int) -> _Tables:
    lower, upper = (np.array(column, np.int64) for column in zip(*((b.lower, b.upper) for b in buffers), strict=True))
    moments = crowd_moments(lower, upper)
    lives = (moments >= lower[:, None]) & (moments < upper[:, None])
    return _Tables(
        sizes=[buffer.size for buffer in buffers],
        alignments=[buffer.alignment for buffer in buffers],
        members=[np.flatnonzero(crowd).tolist() for crowd in lives.T],
        crowds=[np.flatnonzero(row).tolist() for row in lives],
        neighbours=neighbours,
        limit=limit,
    )


class _Descent:
    """One search with one order of preference."""

    def __init__(self, tables: _Tables, ranks: Sequence[int]) -> None:
        self._tables, self._ranks = tables, ranks
        buffers = len(tables.sizes)
        self.work = 1
        self.rests = [0] * buffers
        self._blame = [0] * buffers
        self._waits = [True] * buffers
        self._left = buffers
        self._waiting = [len(members) for members in tables.members]
        self._lowest = [0] * len(tables.members)
        self._room = [tables.limit - sum(tables.sizes[i] for i in members) for members in tables.members]
        self._path: list[_Step] = []

    def run(self, work: int) -> bool:
        """Search until all are placed, nothing is left to try, or after that much work; whether all are placed."""
        if min(self._room) < 0:
            return False
        self._path.append(self._next())
        while self._path and self.work < work:
            step = self._path[-1]
            if step.tried < len(step.choices):
                blame = self._choose(step, len(self._path) - 1)
                if blame is None:
                    if not self._left:
                        return True
                    self._path.append(self._next())
                    continue
                self._take_back(step)
                self._turn_back(blame)
            else:
                self._leave()
                self._turn_back(step.blamed | step.reason)
        return False

    def _next(self) -> _Step:
        """The step at the crowd with the lowest rest."""
        open_crowds = (crowd for crowd, waiting in enumerate(self._waiting) if waiting)
        crowd = min(open_crowds, key=lambda crowd: (self._lowest[crowd], self._room[crowd]))
        waiting = [i for i in self._tables.members[crowd] if self._waits[i]]
        here = self._lowest[crowd]
        resting = sorted((i for i in waiting if self.rests[i] == here), key=lambda i: self._ranks[i])
        reason = 0
        for index in waiting:
            reason |= self._blame[index]
        self.work += len(waiting)
        raised, why = self._lifts(resting, here, reason)
        least = min((self.rests[i] for i in waiting if self.rests[i] > here), default=NOWHERE)
        least = min([least, *(rest for _, rest, _ in raised)])
        if len(raised) < len(resting) or least - here > self._room[crowd]:
            return _Step([*resting], [], why)
        return _Step([*resting, None], raised, why)

    def _lifts(self, resting: Sequence[int], here: int, reason: int) -> tuple[list[tuple[int, int, int]], int]:
        """(buffer, rest, blame) for each where none rests; fewer where one has nothing left to lie on; all to blame."""
        tables, among = self._tables, set(resting)
        lifts: list[tuple[int, int, int]] = []
        everything = reason
        for index in resting:
            above, why = NOWHERE, reason
            for other in tables.neighbours[index]:
                if self._waits[other] and other not in among:
                    why |= self._blame[other]
                    above = min(above, self.rests[other] + tables.sizes[other])
            self.work += len(tables.neighbours[index])
            everything |= why
            if above < NOWHERE:
                lifts.append((index, self._aligned(max(above, here + 1), index), why))
        return lifts, everything

    def _choose(self, step: _Step, depth: int) -> int | None:
        """Takes the next choice; the steps to blame where a crowd has no room then."""
        tables, bit = self._tables, 1 << depth
        index = step.choices[step.tried]
        step.tried += 1
        step.before, step.rooms = [], []
        touched: set[int] = set()
        if index is None:
            for other, rest, why in step.raised:
                self._raise(step, other, rest, why | bit)
                touched.update(tables.crowds[other])
        else:
            self._place(index, waits=False)
            touched.update(tables.crowds[index])
            end, why = self.rests[index] + tables.sizes[index], self._blame[index] | bit
            for other in tables.neighbours[index]:
                if self._waits[other] and self.rests[other] < end:
                    self._raise(step, other, self._aligned(end, other), why)
                    touched.update(tables.crowds[other])
        return next((blame for crowd in sorted(touched) if (blame := self._measure(step, crowd)) is not None), None)

    def _measure(self, step: _Step, crowd: int) -> int | None:
        """Lowest rest and room of a crowd; the steps to blame where its stack ends above the limit."""
        step.rooms.append((crowd, self._lowest[crowd], self._room[crowd]))
        rests, sizes, waits = self.rests, self._tables.sizes, self._waits
        members = self._tables.members[crowd]
        self.work += len(members)
        waiting = sorted((rests[index], index) for index in members if waits[index])
        top = start = 0
        for place, (rest, index) in enumerate(waiting):
            if rest > top:
                top, start = rest, place
            top += sizes[index]
        self._lowest[crowd] = waiting[0][0] if waiting else NOWHERE
        self._room[crowd] = self._tables.limit - top
        if top <= self._tables.limit:
            return None
        blame = 0
        for _, index in waiting[start:]:
            blame |= self._blame[index]
        return blame

    def _raise(self, step: _Step, index: int, rest: int, why: int) -> None:
        step.before.append((index, self.rests[index], self._blame[index]))
        self.rests[index], self._blame[index] = rest, why

    def _place(self, index: int, *, waits: bool) -> None:
        change = 1 if waits else -1
        self._waits[index] = waits
        self._left += change
        for crowd in self._tables.crowds[index]:
            self._waiting[crowd] += change

    def _take_back(self, step: _Step) -> None:
        for crowd, lowest, room in step.rooms:
            self._lowest[crowd], self._room[crowd] = lowest, room
        for index, rest, why in reversed(step.before):
            self.rests[index], self._blame[index] = rest, why
        index = step.choices[step.tried - 1]
        if index is not None:
            self._place(index, waits=True)

    def _leave(self) -> None:
        """Give up the last step, and take back what the one before it chose."""
        self._path.pop()
        if self._path:
            self._take_back(self._path[-1])

    def _turn_back(self, blame: int) -> None:
        """Give up the steps that are not to blame; the first that is remembers who else is."""
        while self._path and not blame >> (len(self._path) - 1) & 1:
            self._leave()
        if self._path:
            self._path[-1].blamed |= blame & ~(1 << (len(self._path) - 1))

    def _aligned(self, offset: int, index: int) -> int:
        return offset + -offset % self._tables.alignments[index]

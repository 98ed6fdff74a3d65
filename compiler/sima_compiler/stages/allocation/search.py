"""Local search: change the order of placement until everything lies below the limit, or the work is used up.

In: a problem's buffers, orders to begin with, a limit, an amount of work. Out: the placement with the lowest peak seen,
or nothing where the work would hardly pay for a start. Always holds: the same call gives the same result everywhere,
because work is counted in neighbours looked at, never in time.

A step takes a buffer that lies above the limit and gives it an earlier place, or turns one that lives together with it
to the other side, or moves one of those. The step stays when not more bytes lie above the limit than before. Every
order is tried for a short while; the most promising ones go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sima_compiler.stages.allocation.arrangement import PLACEMENT_WORK, Arrangement
from sima_compiler.stages.allocation.conflicts import Neighbours
from sima_compiler.stages.allocation.dice import Dice
from sima_compiler.stages.allocation.orders import Order
from sima_compiler.stages.allocation.problem import Buffer
from sima_compiler.stages.allocation.solution import Solution

#: Buffers of at least this share of the largest are sent to the high side in half of the starts.
LARGE_SHARE = 8
#: Starts take at most this part of the work.
START_SHARE = 3
#: In a hundred steps: earlier places for a failing buffer, turned neighbours, neighbours moved anywhere.
EARLIER, TURN, ANYWHERE = 45, 70, 80


@dataclass(slots=True)
class _Run:
    """One start and how far it came."""

    arrangement: Arrangement
    dice: Dice
    best: Solution = field(init=False)

    def __post_init__(self) -> None:
        self.best = self.arrangement.solution


def search(
    buffers: Sequence[Buffer], neighbours: Neighbours, orders: Sequence[Order], limit: int, work: int
) -> Solution | None:
    """The best solution found; its peak is at most ``limit`` when the search succeeded."""
    start = sum(len(row) + PLACEMENT_WORK for row in neighbours)
    large = max(buffer.size for buffer in buffers) // LARGE_SHARE
    sides = ([False] * len(buffers), [buffer.size > large for buffer in buffers])
    starts = [(order, high) for order in orders for high in sides]
    runs: list[_Run] = []
    for order, high in starts[: work // (START_SHARE * start)]:
        run = _Run(Arrangement(buffers, neighbours, order, high, limit), Dice(len(runs) + 1))
        if not run.arrangement.failing:
            return run.best
        runs.append(run)
    return _halving(runs, work - start * len(runs)) if runs else None


def _halving(runs: list[_Run], work: int) -> Solution:
    """Equal shares of half the work for all runs, then of a quarter for the better half, and so on."""
    best = min((run.best for run in runs), key=lambda found: found.peak)
    while work > 0:
        share = max(1, work // (2 * len(runs) if len(runs) > 1 else 1))
        for run in runs:
            before = run.arrangement.work
            _climb(run, before + share)
            work -= max(1, run.arrangement.work - before)
            best = min(best, run.best, key=lambda found: found.peak)
            if not run.arrangement.failing:
                return run.best
        runs = sorted(runs, key=lambda run: run.arrangement.cost)[: (len(runs) + 1) // 2]
    return best


def _climb(run: _Run, work: int) -> None:
    """Steps until nothing fails or the arrangement has done ``work``."""
    arrangement = run.arrangement
    while arrangement.failing and arrangement.work < work:
        cost = arrangement.cost
        _step(arrangement, run.dice)
        if arrangement.peak < run.best.peak:
            run.best = arrangement.solution
        if arrangement.cost > cost:
            arrangement.take_back()


def _step(arrangement: Arrangement, dice: Dice) -> None:
    failing = list(arrangement.failing)
    chosen = failing[dice.below(len(failing))]
    row = arrangement.neighbours[chosen]
    other = row[dice.below(len(row))]
    place, kind = arrangement.position[chosen], dice.below(100)
    if kind < EARLIER:
        before = arrangement.position[other]
        arrangement.move(chosen, before if dice.below(2) and before < place else dice.below(place))
    elif kind < TURN:
        arrangement.flip(other)
    elif kind < ANYWHERE:
        arrangement.move(other, dice.below(len(arrangement.position)))
    else:
        beside = arrangement.neighbours[other]
        arrangement.move(other, arrangement.position[beside[dice.below(len(beside))]])

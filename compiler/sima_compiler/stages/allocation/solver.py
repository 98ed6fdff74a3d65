"""The default solver: greedy orders first, local search where they are not good enough.

In: a problem. Out: a solution, valid but perhaps above the capacity. Always holds: the peak is never above that of the
best greedy order, the orders by size, life, area and start among them; at the lower bound the solver stops; the same
problem gives the same solution everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.stages.allocation.arrangement import Arrangement
from sima_compiler.stages.allocation.conflicts import neighbours_of
from sima_compiler.stages.allocation.orders import greedy_orders
from sima_compiler.stages.allocation.problem import Problem
from sima_compiler.stages.allocation.search import search
from sima_compiler.stages.allocation.solution import Solution


@dataclass(frozen=True, slots=True)
class Effort:
    """Work that local search may do, in neighbours looked at (about five million a second).

    ``fit`` is spent when the best greedy order ends above the capacity although the lower bound does not; ``best`` when
    it ends above the lower bound.
    """

    fit: int = 600_000
    best: int = 0


#: What somebody who asks for the lowest peak, and not for a quick answer, gets.
THOROUGH = Effort(fit=3_000_000, best=3_000_000)


def solve(problem: Problem, effort: Effort = THOROUGH) -> Solution:
    """The placement with the lowest peak found."""
    buffers, bound = problem.buffers, problem.lower_bound
    neighbours = neighbours_of(buffers)
    nowhere_high = [False] * len(buffers)
    tried: list[tuple[Solution, tuple[int, ...]]] = []
    for order in greedy_orders(buffers).values():
        found = Arrangement(buffers, neighbours, order, nowhere_high, bound).solution
        if found.peak == bound:
            return found
        tried.append((found, order))
    tried.sort(key=lambda entry: entry[0].peak)
    best, orders = tried[0][0], [order for _, order in tried]
    for limit, work in _targets(problem, best.peak, bound, effort):
        if work and best.peak > limit:
            best = min(best, search(buffers, neighbours, orders, limit, work), key=lambda found: found.peak)
    return best


def _targets(problem: Problem, peak: int, bound: int, effort: Effort) -> list[tuple[int, int]]:
    """Limits to search for with the work for each: the capacity, the lower bound, and half-way to it."""
    targets: list[tuple[int, int]] = []
    if bound <= problem.capacity < peak:
        targets.append((problem.capacity, effort.fit))
    if effort.best:
        targets += [(bound, effort.best * 3 // 4), ((bound + peak) // 2, effort.best // 4)]
    return targets

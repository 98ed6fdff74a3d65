"""The default solver: greedy orders first, then branch and bound and local search where they are not good enough.

In: a problem. Out: a solution, valid but perhaps above the capacity. Always holds: at the lower bound the solver stops;
the same problem gives the same solution everywhere; and unless more buffers live together than the effort allows for,
the peak is never above that of the best greedy order, those by size, life, area and start among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sima_compiler.stages.allocation.arrangement import first_fit
from sima_compiler.stages.allocation.backjump import fitted
from sima_compiler.stages.allocation.conflicts import Neighbours, neighbours_of, pairs_of
from sima_compiler.stages.allocation.orders import Order, greedy_orders
from sima_compiler.stages.allocation.problem import Problem
from sima_compiler.stages.allocation.search import search
from sima_compiler.stages.allocation.skyline import build_up
from sima_compiler.stages.allocation.solution import Solution
from sima_compiler.stages.allocation.sweep import sweeps


@dataclass(frozen=True, slots=True)
class Effort:
    """Work that may be done, in neighbours looked at (about five million a second).

    ``build`` is for branch and bound, once for the lower bound and once for the capacity, when the best greedy order
    ends above the capacity; ``lower`` likewise when it fits and ends above the lower bound. What is not solved then is
    left, for the capacity, to the search that turns back further (``jump``) and to local search (``fit``), which also
    goes on to the lower bound (``best``). Where more than ``pairs`` pairs of
    buffers live together, they are placed in order of time alone.
    """

    build: int = 600_000
    lower: int = 600_000
    fit: int = 600_000
    jump: int = 0
    best: int = 0
    pairs: int = 300_000


#: What somebody who asks for the lowest peak, and not for a quick answer, gets.
THOROUGH = Effort(build=6_000_000, lower=6_000_000, jump=60_000_000, fit=3_000_000, best=3_000_000, pairs=1 << 62)


def solve(problem: Problem, effort: Effort = THOROUGH) -> Solution:
    """The placement with the lowest peak found."""
    buffers, bound = problem.buffers, problem.lower_bound
    if not buffers:
        return Solution((), 0)
    if pairs_of(buffers) > effort.pairs:
        return min(sweeps(buffers), key=_peak)
    neighbours = neighbours_of(buffers)
    tried: list[tuple[Solution, Order]] = []
    for order in greedy_orders(buffers):
        found = first_fit(buffers, neighbours, order)
        if found.peak == bound:
            return found
        tried.append((found, order))
    best = min((found for found, _ in tried), key=_peak)
    best = _built(problem, [order for _, order in tried], best, effort)
    if effort.jump and problem.lower_bound <= problem.capacity < best.peak:
        found = fitted(buffers, neighbours, [order for _, order in tried], problem.capacity, effort.jump)
        best = found or best
    tried.sort(key=lambda entry: entry[0].peak)
    return _searched(problem, neighbours, [order for _, order in tried], best, effort)


def _peak(solution: Solution) -> int:
    return solution.peak


def _built(problem: Problem, orders: Sequence[Order], best: Solution, effort: Effort) -> Solution:
    """What branch and bound finds, or else ``best``: at the lower bound, or fitting where ``best`` does not."""
    bound, capacity = problem.lower_bound, problem.capacity
    limits = [limit for limit in (bound, capacity) if bound <= limit <= capacity and limit < best.peak]
    work = effort.build if best.peak > capacity else effort.lower
    for limit in dict.fromkeys(limits):
        found = build_up(problem.buffers, orders, limit, work)
        if found is not None:
            return found
    return best


def _searched(
    problem: Problem, neighbours: Neighbours, starts: Sequence[Order], best: Solution, effort: Effort
) -> Solution:
    """The best of ``best`` and what local search finds."""
    for limit, work in _targets(problem, best.peak, effort):
        if best.peak > limit:
            found = search(problem.buffers, neighbours, starts, limit, work)
            best = best if found is None else min(best, found, key=_peak)
    return best


def _targets(problem: Problem, peak: int, effort: Effort) -> list[tuple[int, int]]:
    """Limits to search for with the work for each: the capacity, the lower bound, and half-way to it."""
    bound = problem.lower_bound
    targets = [(problem.capacity, effort.fit)] if bound <= problem.capacity < peak else []
    targets += [(bound, effort.best * 3 // 4), ((bound + peak) // 2, effort.best // 4)]
    return [(limit, work) for limit, work in targets if work]

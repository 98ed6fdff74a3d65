"""Allocate: every buffer gets an address, so that buffers alive at the same step never share a byte.

Before: sizes and lifetimes in steps. After: addresses, at multiples of the lanes, because sizes are. The problem is
handed to the solvers in `allocation`, which know nothing of layers. Where a tiling does not fit although every step
would, loads that were moved ahead of their need start later, the fewest that give room. Checks: `ir.verify_plan`
compares every overlapping pair again. As a program (``python -m sima_compiler.stages.allocate``) the stage solves a
table of buffers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sima_compiler.ir.tiles import Load, MemoryPlan, Misfit, Tiling
from sima_compiler.stages.allocation.delay import Delayed, solve_with_delays
from sima_compiler.stages.allocation.exact import solve_exactly
from sima_compiler.stages.allocation.problem import Buffer, Problem
from sima_compiler.stages.allocation.solution import Solution
from sima_compiler.stages.allocation.solver import THOROUGH, Effort, solve

#: Work per plan: when loads can be delayed instead, and when nothing else can be done.
FLEXIBLE = Effort(build=300_000, lower=6_000_000, fit=0)
FIRM = Effort(build=6_000_000, lower=6_000_000)
#: Work to lower the peak of a plan that fits after its loads were delayed: for small ones only.
SETTLING = Effort(lower=600_000, fit=0, pairs=30_000)


@dataclass(frozen=True, slots=True)
class AllocateOptions:
    """``latest``: for each buffer the latest step at which its life may begin, its first one when that is None.

    ``exact`` asks for the lower bound and lets OR-Tools try what the solver misses; it needs the extra of that name.
    """

    latest: tuple[int, ...] | None = None
    exact: bool = False


def allocate(tiling: Tiling, capacity: int, options: AllocateOptions) -> MemoryPlan | Misfit:
    """Addresses for a tiling's buffers within ``capacity`` bytes.

    Returns:
        The plan, or a `Misfit` that names the step with the largest demand.

    Raises:
        OptionError: exact allocation without OR-Tools.
    """
    problem = problem_of(tiling, capacity)
    latest = options.latest or tuple(buffer.lower for buffer in problem.buffers)
    flexible = any(last > buffer.lower for last, buffer in zip(latest, problem.buffers, strict=True))
    solution = solve(problem, THOROUGH if options.exact else FLEXIBLE if flexible else FIRM)
    if options.exact:
        solution = solve_exactly(problem, solution)
    wanted = problem.lower_bound if options.exact else capacity
    if flexible and solution.peak > wanted:
        delayed = solve_with_delays(problem, latest, min(wanted, capacity))
        if delayed is not None and (delayed.at_bound or not solution.fits(problem)):
            return _plan(_with_delays(tiling, delayed), delayed.problem, _settled(delayed))
    return _plan(tiling, problem, solution) if solution.fits(problem) else _misfit(tiling, problem, solution.peak)


def _settled(delayed: Delayed) -> Solution:
    """With the lives as they are now, the lowest peak that little work finds."""
    if delayed.at_bound:
        return delayed.solution
    return min(delayed.solution, solve(delayed.problem, SETTLING), key=lambda found: found.peak)


def _plan(tiling: Tiling, problem: Problem, solution: Solution) -> MemoryPlan:
    return MemoryPlan(tiling, solution.offsets, solution.peak, problem.capacity, problem.lower_bound)


def problem_of(tiling: Tiling, capacity: int) -> Problem:
    """The buffers' sizes and lifetimes alone, as the solvers want them."""
    buffers = enumerate(tiling.buffers)
    return Problem(
        tuple(Buffer(str(index), found.first, found.last + 1, found.bytes) for index, found in buffers), capacity
    )


def _with_delays(tiling: Tiling, delayed: Delayed) -> Tiling:
    """The tiling with later lives, and with loads no earlier than their buffer's life or the load before them."""
    buffers = zip(tiling.buffers, delayed.lowers, strict=True)
    loads = _in_order(tiling.loads, delayed.lowers)
    return replace(tiling, buffers=tuple(replace(buffer, first=first) for buffer, first in buffers), loads=loads)


def _in_order(loads: Sequence[Load], firsts: Sequence[int]) -> tuple[Load, ...]:
    found: list[Load] = []
    floor = 0
    for load in loads:
        floor = max(floor, load.earliest, firsts[load.command.buffer])
        found.append(replace(load, earliest=floor))
    return tuple(found)


def _misfit(tiling: Tiling, problem: Problem, peak: int) -> Misfit:
    step = problem.busiest_time
    live = sorted((b for b in tiling.buffers if b.first <= step <= b.last), key=lambda b: (-b.bytes, b.name))
    layer = tiling.layers[tiling.steps[step].layer].name
    return Misfit(layer, peak, problem.capacity, tuple((b.name, b.bytes) for b in live))


if __name__ == "__main__":
    from sima_compiler.stages.allocation.command import main

    raise SystemExit(main())

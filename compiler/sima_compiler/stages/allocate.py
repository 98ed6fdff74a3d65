"""Allocate: every buffer gets an address, so that buffers alive at the same step never share a byte.

Before: sizes and lifetimes in steps. After: addresses, at multiples of the lanes, because sizes are. The problem is
handed to the solver in `allocation`, which knows nothing of layers. Checks: `ir.verify_plan` compares every overlapping
pair again. As a program (``python -m sima_compiler.stages.allocate``) the stage solves a table of buffers.
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.ir.tiles import MemoryPlan, Misfit, Tiling
from sima_compiler.stages.allocation.command import main
from sima_compiler.stages.allocation.exact import solve_exactly
from sima_compiler.stages.allocation.problem import Buffer, Problem
from sima_compiler.stages.allocation.solver import THOROUGH, Effort, solve

#: Work per plan that only asks whether the greedy orders fit, and that of one that must be made to fit.
GREEDY = Effort(fit=0, best=0)
SEARCHED = Effort(fit=600_000, best=0)


@dataclass(frozen=True, slots=True)
class AllocateOptions:
    """``search`` lets a local search make fit what the greedy orders leave too high. ``exact`` lets OR-Tools improve what
    the solver found; it needs the extra of that name.
    """

    search: bool = True
    exact: bool = False


def allocate(tiling: Tiling, capacity: int, options: AllocateOptions | None = None) -> MemoryPlan | Misfit:
    """Addresses for a tiling's buffers within ``capacity`` bytes.

    Returns:
        The plan, or a `Misfit` that names the step with the largest demand.

    Raises:
        OptionError: exact allocation without OR-Tools.
    """
    chosen = options or AllocateOptions()
    problem = problem_of(tiling, capacity)
    solution = solve(problem, THOROUGH if chosen.exact else SEARCHED if chosen.search else GREEDY)
    if chosen.exact:
        solution = solve_exactly(problem, solution)
    if not solution.fits(problem):
        return _misfit(tiling, problem, solution.peak)
    return MemoryPlan(tiling, solution.offsets, solution.peak, capacity, problem.lower_bound)


def problem_of(tiling: Tiling, capacity: int) -> Problem:
    """The buffers' sizes and lifetimes alone, as the solver wants them."""
    buffers = enumerate(tiling.buffers)
    return Problem(
        tuple(Buffer(str(index), found.first, found.last + 1, found.bytes) for index, found in buffers), capacity
    )


def _misfit(tiling: Tiling, problem: Problem, peak: int) -> Misfit:
    step = problem.busiest_time
    live = sorted((b for b in tiling.buffers if b.first <= step <= b.last), key=lambda b: (-b.bytes, b.name))
    layer = tiling.layers[tiling.steps[step].layer].name
    return Misfit(layer, peak, problem.capacity, tuple((b.name, b.bytes) for b in live), ("use more quads",))


if __name__ == "__main__":
    raise SystemExit(main())

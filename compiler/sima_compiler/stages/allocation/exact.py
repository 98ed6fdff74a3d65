"""The exact solver: OR-Tools' CP-SAT, an optional extra that runs only when it is asked for.

In: a problem and a solution to start from. Out: a solution with a peak no higher. Always holds: one worker, a fixed
seed and a limit in deterministic time, so that the same release of OR-Tools gives the same result everywhere; without
the extra nothing else in the compiler behaves differently.

The model: a rectangle per buffer, its life wide and its size high, none overlapping (`NoOverlap2D`); the highest end is
minimised. Sizes and alignments are counted in their greatest common divisor, and so are offsets: whatever is pushed
down until it rests on something ends there.
"""

from __future__ import annotations

import importlib
from math import gcd
from typing import Any

from sima_compiler.errors import OptionError
from sima_compiler.stages.allocation.problem import Problem
from sima_compiler.stages.allocation.solution import Solution, solution_of

EXTRA = "pip install 'sima-nb[exact]'"
#: Deterministic seconds for the search of a solution at the lower bound, and for the least peak above it.
AT_BOUND, ABOVE_BOUND = 0.6, 0.1
SEED = 1


def require_exact() -> Any:
    """OR-Tools' CP-SAT module.

    Raises:
        OptionError: the extra is not installed.
    """
    try:
        return importlib.import_module("ortools.sat.python.cp_model")
    except ImportError as error:
        raise OptionError(f"exact allocation needs OR-Tools: {error}", hint=EXTRA) from error


def solve_exactly(problem: Problem, start: Solution) -> Solution:
    """The best solution that CP-SAT finds within its limit, or ``start`` where that is none better.

    Raises:
        OptionError: the extra is not installed.
    """
    bound = problem.lower_bound
    cp_model = require_exact()
    if start.peak <= bound:
        return start
    found = _solved(cp_model, problem, bound, None, AT_BOUND)
    return found or _solved(cp_model, problem, start.peak, start, ABOVE_BOUND) or start


def _solved(cp_model: Any, problem: Problem, limit: int, start: Solution | None, seconds: float) -> Solution | None:
    """A solution with a peak of at most ``limit``; the least one when there is a ``start`` to improve."""
    buffers = problem.buffers
    unit = gcd(*(buffer.size for buffer in buffers), *(b.alignment for b in buffers if b.alignment > 1))
    model, highest = cp_model.CpModel(), limit // unit
    lives: list[Any] = []
    places: list[Any] = []
    offsets: list[tuple[Any, int]] = []
    for buffer in buffers:
        size, step = buffer.size // unit, max(1, buffer.alignment // unit)
        offset = model.new_int_var(0, (highest - size) // step, "")
        offsets.append((offset, step))
        lives.append(model.new_fixed_size_interval_var(buffer.lower, buffer.upper - buffer.lower, ""))
        places.append(model.new_fixed_size_interval_var(offset * step, size, ""))
    model.add_no_overlap_2d(lives, places)
    if start is not None:
        peak = model.new_int_var(problem.lower_bound // unit, highest, "")
        for (offset, step), buffer, at in zip(offsets, buffers, start.offsets, strict=True):
            model.add(offset * step + buffer.size // unit <= peak)
            model.add_hint(offset, at // (unit * step))
        model.minimize(peak)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.catch_sigint_signal = False  # its handler would outlive the call and take Ctrl-C from Python
    solver.parameters.random_seed = SEED
    solver.parameters.max_deterministic_time = seconds
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return solution_of(buffers, [solver.value(offset) * step * unit for offset, step in offsets])

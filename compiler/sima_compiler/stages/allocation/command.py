"""The allocator as a program: ``python -m sima_compiler.stages.allocate IN.csv --capacity N -o OUT.csv``.

In: arguments. Out: an exit code: 0 when everything fits, 1 when it does not (nothing is written then), 2 for wrong
usage, an unusable table, or an output that cannot be written. What was found is said in one line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sima_compiler.errors import InternalError, SimaError
from sima_compiler.stages.allocation.exact import require_exact, solve_exactly
from sima_compiler.stages.allocation.problem import Problem
from sima_compiler.stages.allocation.solution import Solution
from sima_compiler.stages.allocation.solver import solve
from sima_compiler.stages.allocation.table import read_table, write_table
from sima_compiler.stages.allocation.validator import Fault, validate

FITS, DOES_NOT_FIT, UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; wrong usage raises SystemExit(2) as argparse does."""
    parsed = _parser().parse_args(arguments)
    try:
        if parsed.exact:
            require_exact()
        table = read_table(parsed.table)
        problem = Problem(table.buffers, parsed.capacity)
        solution = solve(problem)
        if parsed.exact:
            solution = solve_exactly(problem, solution)
        _check(problem, solution)
        if not solution.fits(problem):
            sys.stderr.write(f"error: {_refusal(problem, solution, exact=parsed.exact)}\n")
            return DOES_NOT_FIT
        write_table(parsed.output, table, solution.offsets)
    except SimaError as error:
        sys.stderr.write(f"error: {error}\n")
        return UNUSABLE
    bound = problem.lower_bound
    sys.stdout.write(
        f"{len(problem.buffers)} buffers fit: peak {solution.peak} of {problem.capacity}, lower bound {bound}\n"
    )
    return FITS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sima_compiler.stages.allocate",
        description="Give every buffer of a MiniMalloc table an offset, so that those alive together share no byte.",
        epilog="exit code: 0 fits, 1 does not fit, 2 wrong usage or an unusable table",
    )
    parser.add_argument("table", type=Path, metavar="IN.csv", help="columns id, lower, upper (exclusive), size")
    parser.add_argument("--capacity", type=_capacity, required=True, metavar="N", help="bytes that there are")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.csv", help="the same table with the column offset"
    )
    parser.add_argument(
        "--exact", action="store_true", help="let OR-Tools improve the result (needs the extra [exact])"
    )
    return parser


def _capacity(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, found {value}")
    return value


def _check(problem: Problem, solution: Solution) -> None:
    """A wrong solution is our bug, except for one that is merely too high."""
    wrong = [found for found in validate(problem, solution) if found.fault is not Fault.ABOVE_CAPACITY]
    if wrong:
        raise InternalError(f"allocate: {wrong[0].fault.value}: {', '.join(wrong[0].buffers)}: {wrong[0].detail}")


def _refusal(problem: Problem, solution: Solution, *, exact: bool) -> str:
    bound = problem.lower_bound
    sentence = f"does not fit: the peak is {solution.peak}, the capacity {problem.capacity}, the lower bound {bound}"
    if bound > problem.capacity:
        return f"{sentence}; no placement fits"
    return sentence if exact else f"{sentence}; --exact may find a lower peak"

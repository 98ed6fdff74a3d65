"""Does it fit? On problems whose answer is known: from every order there is, or because they were cut from a whole."""

from __future__ import annotations

import random

import pytest

from sima_compiler.stages.allocation.backjump import fitted
from sima_compiler.stages.allocation.conflicts import neighbours_of
from sima_compiler.stages.allocation.orders import greedy_orders
from sima_compiler.stages.allocation.problem import Buffer, Problem
from sima_compiler.stages.allocation.solution import Solution
from sima_compiler.stages.allocation.solver import solve
from sima_compiler.stages.allocation.validator import validate
from tests.allocation.allocation_problems import least_peak, live_bytes, random_problem

WORK = 3_000_000


def found(problem: Problem, limit: int, work: int = WORK) -> Solution | None:
    buffers = problem.buffers
    return fitted(buffers, neighbours_of(buffers), list(greedy_orders(buffers)), limit, work)


def cut_out(count: int, capacity: int, seed: int, *, dropped: float = 0.0) -> Problem:
    """``capacity`` bytes by 1,000 steps, cut into ``count`` buffers in random order, of which some are dropped."""
    dice = random.Random(seed)
    pieces = [(0, 1000, capacity)]
    while len(pieces) < count:
        lower, upper, size = pieces.pop(
            max(range(len(pieces)), key=lambda i: (pieces[i][1] - pieces[i][0]) * pieces[i][2])
        )
        if dice.random() < 0.5 and size >= 4:
            cut = dice.randint(size // 4, size - size // 4)
            pieces += [(lower, upper, cut), (lower, upper, size - cut)]
        elif upper - lower >= 4:
            cut = lower + dice.randint((upper - lower) // 4, upper - lower - (upper - lower) // 4)
            pieces += [(lower, cut, size), (cut, upper, size)]
        else:
            pieces.append((lower, upper, size))
    kept = [piece for piece in pieces if dice.random() >= dropped]
    dice.shuffle(kept)
    return Problem(tuple(Buffer(f"b{i}", *piece) for i, piece in enumerate(kept)), capacity)


@pytest.mark.parametrize("seed", range(12))
def test_the_least_peak_of_all_orders_is_found_and_nothing_below_it(seed: int) -> None:
    problem = random_problem(6, ("skewed", "even", "mixed")[seed % 3], seed, alignments=(1, 32) if seed % 2 else (1,))
    least = least_peak(problem)
    solution = found(problem, least)
    assert solution is not None
    assert not validate(Problem(problem.buffers, least), solution)
    assert found(problem, least - 1, 20_000) is None


@pytest.mark.parametrize("seed", range(4))
def test_what_was_cut_out_of_a_whole_fits_into_it_again(seed: int) -> None:
    problem = cut_out(60, 1 << 20, seed, dropped=0.04)
    solution = found(problem, problem.capacity)
    assert solution is not None
    assert not validate(problem, solution)
    assert found(problem, problem.capacity) == solution


def test_the_solver_asks_for_it_where_everything_else_ends_above_the_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = cut_out(40, 1 << 20, 1)
    assert live_bytes(problem) == problem.capacity
    monkeypatch.setattr("sima_compiler.stages.allocation.solver.build_up", lambda *_: None)
    monkeypatch.setattr("sima_compiler.stages.allocation.solver.search", lambda *_: None)
    assert solve(problem).fits(problem)


def test_without_work_nothing_is_found() -> None:
    problem = cut_out(60, 1 << 20, 0, dropped=0.04)
    assert found(problem, problem.capacity, 50) is None

"""The solvers against plain ones, on seeded problems; every result is judged by the validator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sima_compiler.errors import OptionError
from sima_compiler.stages.allocation.arrangement import Arrangement
from sima_compiler.stages.allocation.conflicts import neighbours_of, pairs_of
from sima_compiler.stages.allocation.exact import solve_exactly
from sima_compiler.stages.allocation.orders import contention, greedy_orders
from sima_compiler.stages.allocation.problem import Buffer, Problem
from sima_compiler.stages.allocation.skyline import build_up
from sima_compiler.stages.allocation.solver import THOROUGH, Effort, solve
from sima_compiler.stages.allocation.sweep import sweeps
from sima_compiler.stages.allocation.validator import validate
from tests.allocation.allocation_problems import (
    KINDS,
    ROOMY,
    best_of_four,
    least_peak,
    live_bytes,
    plain_first_fit,
    random_problem,
)

QUICK = Effort(build=100_000, lower=100_000, fit=100_000, best=100_000)
GREEDY = Effort(build=0, lower=0, fit=0, best=0)
ROOT = Path(__file__).parents[2]
lives = st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(1, 50), st.sampled_from([1, 1, 4, 16]))
problems = st.lists(lives, min_size=1, max_size=25).map(
    lambda rows: Problem(
        tuple(Buffer(str(i), a, a + n, size, align) for i, (a, n, size, align) in enumerate(rows)), ROOMY
    )
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "seeds"), [(100, 6), (300, 2), (1000, 1)])
def test_never_worse_than_the_best_of_four_greedy_orders(count: int, seeds: int, kind: str) -> None:
    for seed in range(seeds):
        problem = random_problem(count, kind, seed)
        found = solve(problem, QUICK)
        assert not validate(problem, found)
        assert problem.lower_bound == live_bytes(problem) <= found.peak <= best_of_four(problem)


def test_local_search_improves_on_the_greedy_orders_and_often_reaches_the_bound() -> None:
    reached = improved = missed = 0
    for seed in range(12):
        problem = random_problem(100, "even", seed)
        greedy, searched = solve(problem, GREEDY), solve(problem, THOROUGH)
        assert searched.peak <= greedy.peak
        missed += greedy.peak > problem.lower_bound
        improved += searched.peak < greedy.peak
        reached += searched.peak == problem.lower_bound
    assert missed >= 3
    assert improved >= missed - 1
    assert reached >= 10


def test_branch_and_bound_finds_what_there_is_and_nothing_else() -> None:
    """On problems small enough for every order to be tried; what it leaves out is rare."""
    found = above = 0
    for seed in range(60):
        problem = random_problem(6, KINDS[seed % 3], seed, alignments=(1, 1, 16))
        buffers, least = problem.buffers, least_peak(problem)
        orders = list(greedy_orders(buffers))
        built = build_up(buffers, orders, least, 100_000)
        if built is not None:
            assert built.peak == least
            assert not validate(problem, built)
        found += built is not None
        above += least > problem.lower_bound
        assert build_up(buffers, orders, least - 1, 20_000) is None
    assert above >= 5
    assert found >= 57


def test_branch_and_bound_reaches_the_bound_where_no_greedy_order_does() -> None:
    missed = reached = 0
    for count, seeds in ((100, 20), (300, 2)):
        for kind in KINDS:
            for seed in range(seeds):
                problem = random_problem(count, kind, seed)
                if solve(problem, GREEDY).peak > problem.lower_bound:
                    missed += 1
                    reached += solve(problem, Effort(fit=0)).peak == problem.lower_bound
    assert missed >= 15
    assert reached >= missed - 2


def test_branch_and_bound_leaves_alone_what_would_take_too_long() -> None:
    problem = random_problem(100, "even", 2)
    orders = list(greedy_orders(problem.buffers))
    assert build_up(problem.buffers, orders, problem.lower_bound, 600_000) is not None
    assert build_up(problem.buffers, orders, problem.lower_bound, 10_000) is None


@settings(max_examples=60)
@given(problems)
def test_every_solution_is_valid_and_not_below_the_bound(problem: Problem) -> None:
    for found in (solve(problem, Effort(20_000, 20_000, 20_000, 20_000)), *sweeps(problem.buffers)):
        assert not validate(problem, found)
        assert found.peak >= live_bytes(problem)


@settings(max_examples=60)
@given(problems)
def test_neighbours_pairs_and_contention_are_what_their_names_say(problem: Problem) -> None:
    buffers = problem.buffers
    together = [
        tuple(j for j, b in enumerate(buffers) if j != i and a.lower < b.upper and b.lower < a.upper)
        for i, a in enumerate(buffers)
    ]
    assert neighbours_of(buffers) == tuple(together)
    assert pairs_of(buffers) == sum(map(len, together)) // 2
    live = {time: sum(b.size for b in buffers if b.lower <= time < b.upper) for time in range(50)}
    assert contention(buffers) == [max(live[time] for time in range(b.lower, b.upper)) for b in buffers]


@settings(max_examples=60)
@given(problems, st.integers(0, 1 << 30))
def test_an_arrangement_that_was_changed_equals_one_made_anew(problem: Problem, seed: int) -> None:
    """Moves and turns re-place only what they concern; the result must not show that."""
    buffers, neighbours, count = problem.buffers, neighbours_of(problem.buffers), len(problem.buffers)
    order, high, limit = list(range(count)), [False] * count, problem.lower_bound
    changed = Arrangement(buffers, neighbours, order, high, limit)
    for step in range(6):
        seed, index, place = seed // 7 + step, seed % count, seed // 3 % count
        if seed % 2:
            changed.move(index, place)
            back = seed % 5 == 0
            if not back:
                order.insert(place, order.pop(order.index(index)))
        else:
            changed.flip(index)
            back = seed % 3 == 0
            high[index] ^= not back
        if back:
            changed.take_back()
        anew = Arrangement(buffers, neighbours, order, high, limit)
        assert changed.solution == anew.solution
        assert changed.cost == anew.cost == sum(buffers[i].size for i in changed.failing)


def test_the_first_fit_inside_is_plain_first_fit() -> None:
    problem = random_problem(80, "mixed", 3, alignments=(1, 8, 64))
    for order in greedy_orders(problem.buffers):
        found = Arrangement(problem.buffers, neighbours_of(problem.buffers), order, [False] * 80, ROOMY).solution
        assert found.peak == plain_first_fit(problem, order)


def test_alignments_are_kept() -> None:
    problem = random_problem(150, "even", 1, alignments=(1, 16, 256))
    found = solve(problem, QUICK)
    assert not validate(problem, found)
    assert any(offset % 256 for offset in found.offsets)


def test_the_search_stops_at_the_capacity_when_only_that_is_asked_for() -> None:
    problem = random_problem(100, "even", 19)
    greedy = solve(problem, GREEDY)
    assert greedy.peak > problem.lower_bound
    middle = Problem(problem.buffers, (greedy.peak + problem.lower_bound) // 2)
    found = solve(middle, Effort(build=0, fit=1_000_000, best=0))
    assert found.fits(middle)
    assert found.peak > middle.lower_bound


def test_thousands_that_live_together_are_placed_quickly_and_well() -> None:
    weights = [Buffer(f"w{i}", max(0, i - 1500), i + 1, 2304 + 16 * (i % 50)) for i in range(2000)]
    maps = [Buffer(f"m{i}", i, i + 2, 65536) for i in range(2000)]
    problem = Problem((*weights, *maps), ROOMY)
    assert pairs_of(problem.buffers) > Effort().pairs
    found = solve(problem, Effort())
    assert not validate(problem, found)
    assert found.peak <= 1.02 * problem.lower_bound


def test_nothing_to_place_is_placed_at_once() -> None:
    nothing = Problem((), 0)
    found = solve(nothing)
    assert (found.offsets, found.peak, nothing.lower_bound, nothing.busiest_time) == ((), 0, 0, 0)
    assert not validate(nothing, found)


@pytest.mark.parametrize(
    "fields", [("a", 3, 3, 1, 1), ("a", 4, 3, 1, 1), ("a", 0, 1, 0, 1), ("a", 0, 1, -5, 1), ("a", 0, 1, 1, 0)]
)
def test_buffers_that_mean_nothing_are_refused(fields: tuple[str, int, int, int, int]) -> None:
    with pytest.raises(OptionError, match="buffer a: "):
        Buffer(*fields)


def test_the_exact_solver_finds_the_least_peak_of_all() -> None:
    above = 0
    for seed in range(25):
        drawn = random_problem(6, "even", seed, alignments=(1, 1, 64) if seed % 2 else (1,))
        lives = [
            Buffer(b.id, b.lower, b.lower + 1 + seed % 3 + i % 2, b.size, b.alignment)
            for i, b in enumerate(drawn.buffers)
        ]
        problem = Problem(tuple(lives), ROOMY)
        worst = max(sweeps(problem.buffers), key=lambda found: found.peak)
        found = solve_exactly(problem, worst)
        assert not validate(problem, found)
        assert found.peak == least_peak(problem)
        above += found.peak > problem.lower_bound
    assert above, "no problem here has a least peak above the lower bound; draw others"


def test_the_exact_solver_repeats_itself() -> None:
    problem = random_problem(60, "even", 14)
    start = solve(problem, GREEDY)
    assert solve_exactly(problem, start) == solve_exactly(problem, start)


def test_another_process_and_hash_seed_give_the_same_offsets() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from tests.allocation.allocation_problems import random_problem\n"
        "from sima_compiler.stages.allocation.solver import Effort, solve\n"
        "print(solve(random_problem(100, 'even', 19), Effort(100_000, 100_000, 100_000)).offsets)"
    )
    paths = [str(ROOT), str(ROOT / "compiler")]
    other = subprocess.run(
        [sys.executable, "-c", code, *paths],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
        check=True,
    )
    assert other.stdout.strip() == str(solve(random_problem(100, "even", 19), QUICK).offsets)

"""The validator finds each way in which a solution can be wrong, and agrees with painting bytes on a grid."""

from __future__ import annotations

import random

import numpy as np
import pytest

from sima_compiler.errors import InternalError
from sima_compiler.ir.program import BufferKind
from sima_compiler.ir.tiles import Lifetime, MemoryPlan, Tiling
from sima_compiler.ir.verify_plan import verify_memory
from sima_compiler.stages.allocation.problem import Buffer, Problem
from sima_compiler.stages.allocation.solution import Solution, solution_of
from sima_compiler.stages.allocation.validator import Fault, validate
from tests.allocation.allocation_problems import random_problem

#: a and b live together, c follows a and takes its bytes.
PROBLEM = Problem((Buffer("a", 0, 4, 32), Buffer("b", 2, 8, 16, 16), Buffer("c", 4, 9, 32)), 48)
RIGHT = Solution((0, 32, 0), 48)
WRONG = [
    (Solution((0, 32), 48), Fault.WRONG_COUNT, ()),
    (Solution((0, 32, 0, 0), 48), Fault.WRONG_COUNT, ()),
    (Solution((-1, 32, 0), 48), Fault.NEGATIVE_OFFSET, ("a",)),
    (Solution((0, 48, 0), 64), Fault.ABOVE_CAPACITY, ("b",)),
    (Solution((0, 40, 0), 56), Fault.MISALIGNED, ("b",)),
    (Solution((0, 16, 0), 32), Fault.OVERLAP, ("a", "b")),
    (Solution((0, 32, 1), 48), Fault.OVERLAP, ("b", "c")),
    (Solution((0, 32, 0), 47), Fault.WRONG_PEAK, ()),
]


def test_a_right_solution_has_no_fault() -> None:
    assert validate(PROBLEM, RIGHT) == ()


@pytest.mark.parametrize(("solution", "fault", "buffers"), WRONG)
def test_each_fault_is_named_with_its_buffers(solution: Solution, fault: Fault, buffers: tuple[str, ...]) -> None:
    found = {(finding.fault, finding.buffers) for finding in validate(PROBLEM, solution)}
    assert (fault, buffers) in found
    expected = {fault, Fault.ABOVE_CAPACITY} if fault is Fault.MISALIGNED else {fault}
    assert {finding.fault for finding in validate(PROBLEM, solution)} == expected


def test_every_kind_of_fault_has_a_case() -> None:
    assert {fault for _, fault, _ in WRONG} == set(Fault)


def painted_twice(problem: Problem, offsets: list[int]) -> bool:
    """Whether some byte holds two buffers at once, seen on a grid of time by bytes."""
    times = max(buffer.upper for buffer in problem.buffers)
    grid = np.zeros((times, max(offsets) + max(buffer.size for buffer in problem.buffers)), np.int8)
    for buffer, offset in zip(problem.buffers, offsets, strict=True):
        grid[buffer.lower : buffer.upper, offset : offset + buffer.size] += 1
    return bool((grid > 1).any())


def test_overlaps_are_found_exactly_where_a_painted_grid_shows_them() -> None:
    clashes = 0
    for seed in range(300):
        dice = random.Random(seed)
        drawn = random_problem(6, "even", seed)
        problem = Problem(tuple(Buffer(b.id, b.lower, b.upper, b.size % 20 + 1) for b in drawn.buffers), drawn.capacity)
        offsets = [dice.randrange(60) for _ in problem.buffers]
        faults = {finding.fault for finding in validate(problem, solution_of(problem.buffers, offsets))}
        clash = painted_twice(problem, offsets)
        assert faults == ({Fault.OVERLAP} if clash else set())
        clashes += clash
    assert 30 < clashes < 270


def test_the_verifier_of_plans_agrees_with_the_validator() -> None:
    """The two were written apart: one for the compiler's records, one for the problem's."""
    for seed in range(100):
        dice = random.Random(seed)
        drawn = random_problem(6, "even", seed).buffers
        buffers = tuple(Lifetime(b.id, BufferKind.ACTIVATION, b.size % 20 + 1, b.lower, b.upper - 1) for b in drawn)
        tiling = Tiling("MLA_0", 1, (), (), (), (), buffers, (), (), ())
        offsets = tuple(dice.randrange(60) for _ in buffers)
        problem = Problem(tuple(Buffer(b.name, b.first, b.last + 1, b.bytes) for b in buffers), 70)
        solution = solution_of(problem.buffers, offsets)
        plan = MemoryPlan(tiling, offsets, solution.peak, 70, problem.lower_bound)
        if validate(problem, solution):
            with pytest.raises(InternalError, match="allocate: "):
                verify_memory(plan)
        else:
            verify_memory(plan)

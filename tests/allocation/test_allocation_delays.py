"""Lives that may begin later: what is given up, and that nothing else changes."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from sima_compiler.ir.program import BufferKind, LoadConstants, Wait
from sima_compiler.ir.tiles import Lifetime, Load, MemoryPlan, Misfit, Tiling
from sima_compiler.machine.description import Machine
from sima_compiler.pipeline import ConstantStore, Plan, Target, lower, plan
from sima_compiler.stages.allocate import AllocateOptions, allocate
from sima_compiler.stages.allocation.delay import solve_with_delays
from sima_compiler.stages.allocation.problem import Buffer, Problem
from sima_compiler.stages.allocation.validator import validate
from tests.allocation.allocation_problems import random_problem


def test_a_life_begins_as_early_as_the_room_allows() -> None:
    """The map fills the memory until step 3; the weights, needed at 5, can come at 3, and wait no longer than that."""
    problem = Problem((Buffer("map", 0, 3, 8), Buffer("weights", 0, 7, 4), Buffer("other", 3, 6, 4)), 8)
    delayed = solve_with_delays(problem, (0, 5, 3), 8)
    assert delayed is not None
    assert delayed.lowers == (0, 3, 3)
    assert not validate(delayed.problem, delayed.solution)
    assert delayed.at_bound


def test_nothing_is_delayed_where_everything_fits() -> None:
    problem = random_problem(100, "even", 1)
    latest = [buffer.upper - 1 for buffer in problem.buffers]
    delayed = solve_with_delays(problem, latest, 1 << 40)
    assert delayed is not None
    assert delayed.problem == problem


def test_what_cannot_wait_long_enough_has_no_place() -> None:
    problem = Problem((Buffer("map", 0, 3, 8), Buffer("weights", 0, 7, 4)), 8)
    assert solve_with_delays(problem, (0, 2), 8) is None
    assert solve_with_delays(problem, (0, 3), 8) is not None
    assert solve_with_delays(problem, (0, 3), 7) is None


@pytest.mark.parametrize("seed", range(6))
def test_random_lives_stay_between_the_given_and_the_latest_beginning(seed: int) -> None:
    dice = random.Random(seed)
    problem = random_problem(150, "even", seed, alignments=(1, 32))
    latest = [dice.choice((b.lower, dice.randrange(b.lower, b.upper))) for b in problem.buffers]
    needed = Problem(
        tuple(replace(b, lower=late) for b, late in zip(problem.buffers, latest, strict=True)), problem.capacity
    )
    limit = max(int(needed.lower_bound * 1.3), int(problem.lower_bound * 0.9))
    delayed = solve_with_delays(problem, latest, limit)
    assert delayed is not None
    assert delayed.solution.peak <= limit
    assert not validate(delayed.problem, delayed.solution)
    rows = list(zip(problem.buffers, delayed.lowers, latest, strict=True))
    assert all(buffer.lower <= begin <= late for buffer, begin, late in rows)
    assert limit >= problem.lower_bound or any(begin > buffer.lower for buffer, begin, _ in rows)


def test_loads_stay_in_order_when_one_of_them_is_delayed() -> None:
    """Two loads moved to step 0; the first must wait for the map, so the second, which has room, waits with it."""
    buffers = (
        Lifetime("map", BufferKind.ACTIVATION, 96, 0, 2),
        Lifetime("large", BufferKind.PARAMETERS, 64, 0, 5),
        Lifetime("small", BufferKind.PARAMETERS, 32, 0, 6),
    )
    loads = tuple(Load(LoadConstants(0, Wait(), index - 1, index), 4 + index, 0) for index in (1, 2))
    tiling = Tiling("MLA_0", 1, (), (), loads, (), buffers, (), (), ())
    found = allocate(tiling, 128, AllocateOptions(latest=(0, 5, 6)))
    assert isinstance(found, MemoryPlan)
    assert [buffer.first for buffer in found.tiling.buffers] == [0, 3, 0]
    assert [load.earliest for load in found.tiling.loads] == [3, 3]
    assert (found.peak, found.lower_bound) == (128, 128)


def test_a_batch_that_fills_the_memory_keeps_its_loads_legal(quantized_networks) -> None:
    machine = Machine.load("mlsoc")
    (segment,) = lower(quantized_networks("light_resnet50").graph, machine).segments
    found = plan(segment, Target(machine, machine.quads, True), 8, ConstantStore(compress=False))
    assert not isinstance(found, Misfit)
    assert isinstance(found, Plan)
    memory = found.memory
    assert memory.lower_bound <= memory.peak <= memory.capacity
    loads = memory.tiling.loads
    assert all(load.earliest <= load.needed for load in loads)
    assert all(before.earliest <= after.earliest for before, after in pairwise(loads))
    assert all(load.earliest >= memory.tiling.buffers[load.command.buffer].first for load in loads)

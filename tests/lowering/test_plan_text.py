"""The text forms of the planned levels: goldens of a small network on the tiny machine, and no field is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sima_compiler.ir.graph import ConvAttributes, Graph, Op
from sima_compiler.ir.program import Convolve, Wait
from sima_compiler.ir.text_plan import memory_text, schedule_text, tiling_text
from sima_compiler.machine.description import Machine
from sima_compiler.pipeline import ConstantStore, Plan, Target, lower, plan
from tests.lowering.graph_pen import Pen

TINY = Machine.load("tiny")


def network() -> Graph:
    """Two convolutions that meet, a table, a pool and a classifier."""
    pen = Pen(3)
    x = pen.input(3, 6, 6)
    stem = pen.conv(x, 8, (3, 3), pads=(1, 1, 1, 1), clamp=(-20, 90))
    y = pen.binary(Op.ADD, pen.unary(Op.SIGMOID, pen.conv(stem, 8)), stem)
    z = pen.pool(Op.MAX_POOL, y, ConvAttributes((2, 2), (2, 2)))
    return pen.graph(pen.gemm(pen.reshape(pen.global_pool(z), 8), 4))


@pytest.fixture(scope="module")
def found() -> Plan:
    segment = lower(network(), TINY).segments[0]
    result = plan(segment, Target(TINY, TINY.quads, compress=False), 2, ConstantStore(compress=False))
    assert isinstance(result, Plan)
    return result


def test_tiling_text(found: Plan, golden: Callable[[str], None]) -> None:
    golden(tiling_text(found.memory.tiling))


def test_memory_text(found: Plan, golden: Callable[[str], None]) -> None:
    golden(memory_text(found.memory).split("tiling ")[0])
    assert memory_text(found.memory).endswith(tiling_text(found.memory.tiling))


def test_schedule_text(found: Plan, golden: Callable[[str], None]) -> None:
    golden(schedule_text(found.schedule))


def test_a_load_that_may_start_earlier_shows(found: Plan) -> None:
    tiling = found.memory.tiling
    last = tiling.loads[-1]
    later = replace(tiling, loads=(*tiling.loads[:-1], replace(last, needed=last.needed + 1)))
    assert tiling_text(later) != tiling_text(tiling)


def test_a_missing_wait_shows(found: Plan) -> None:
    program = found.schedule.program
    *front, last = program.compute
    hasty = replace(program, compute=(*front, replace(last, wait=Wait())))
    assert schedule_text(replace(found.schedule, program=hasty)) != schedule_text(found.schedule)


def test_one_changed_constant_and_one_changed_clamp_show(found: Plan) -> None:
    tiling = found.memory.tiling
    block = tiling.constants[0]
    changed = replace(block, data=bytes([block.data[0] ^ 1]) + block.data[1:])
    assert tiling_text(replace(tiling, constants=(changed, *tiling.constants[1:]))) != tiling_text(tiling)
    place, step = next((i, step) for i, step in enumerate(tiling.steps) if isinstance(step, Convolve))
    steps = (*tiling.steps[:place], replace(step, clamp=(1, 2)), *tiling.steps[place + 1 :])
    assert "clamp 1..2" in tiling_text(replace(tiling, steps=steps))

"""Programs with wrong numbers under right checksums: a clear error or a result, never a crash of numpy."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sima_compiler.errors import SimaError
from sima_compiler.ir.layers import BinaryOp, Broadcast, PoolKind, RowKind, Window
from sima_compiler.ir.program import (
    ArrayMapping,
    Combine,
    Fill,
    Gather,
    Multiply,
    Normalize,
    Operand,
    Part,
    Pool,
    Program,
    Resample,
    Role,
    Translate,
    Wait,
)
from sima_compiler.lm.constants import ConstantSections
from sima_compiler.lm.writer import encode
from sima_compiler.rowwise import real_exponentials
from sima_compiler.sim.execute import run_lm
from tests.sim import test_execute_parts as in_parts
from tests.sim.small_programs import FULL, ProgramBuilder, Shape, binary_step, convolve, quant, random_map

SHAPE: Shape = (1, 3, 4, 4)
UNIT = quant(1, 0)


def every_command() -> Program:
    """x -> convolution -> pool -> combine -> translate -> gather over a fill -> resample -> rows and products -> y."""
    builder, rng = ProgramBuilder(1), np.random.default_rng(0)
    x, y = (builder.tensor(name, role, SHAPE, UNIT) for name, role in (("x", Role.INPUT), ("y", Role.OUTPUT)))
    a, b, c, d, e, f, g = (builder.operand(SHAPE) for _ in range(7))
    builder.load(x, a)
    window = Window((3, 3), (1, 1), (1, 1), (1, 1, 1, 1))
    weights = rng.integers(-127, 128, (4, 3, 3, 2)).astype(np.int8)
    bias, factors = np.zeros(4, np.int32), np.full(4, 0.01, np.float32)
    filters = builder.parameters(ConstantSections(weights=weights, bias=bias, multipliers=factors))
    table = builder.parameters(ConstantSections(lookup=np.arange(-128, 128).astype(np.int8)[::-1]))
    rows = np.array([2, 1, 0], np.int32)
    tables = builder.parameters(ConstantSections(rows=rows, columns=np.arange(4, dtype=np.int32)))
    step = binary_step(BinaryOp.SUB, a, Broadcast.NONE, (UNIT, UNIT, UNIT))
    builder.compute(convolve(a, b, filters, window, (0, UNIT), groups=2))
    builder.compute(
        Pool(0, Wait(), PoolKind.AVERAGE, b, c, None, window, True, False, UNIT, UNIT, FULL, has_lookup=False)
    )
    builder.compute(Combine(0, Wait(), c, d, None, step))
    builder.compute(Translate(0, Wait(), d, e, table))
    builder.compute(Fill(0, Wait(), f, 7))
    builder.compute(Gather(0, Wait(), e.buffer, 0, f.buffer, 0, (3, 4, 4), (16, 4, 1), (16, 4, 1), None))
    builder.compute(Resample(0, Wait(), f, g, tables, has_lookup=False))
    builder.store(y, _rows_and_products(builder, g))
    return builder.program()


def _rows_and_products(builder: ProgramBuilder, source: Operand) -> Operand:
    """Softmax -> layer norm -> product of both."""
    shares, normal, result = (builder.operand(SHAPE) for _ in range(3))
    table = builder.parameters(ConstantSections(exponentials=real_exponentials(0.1)))
    scales = np.ones(4, np.float32)
    gains = builder.parameters(ConstantSections(gains=scales, offsets=scales))
    softmax = Normalize(
        layer=0, wait=Wait(), kind=RowKind.SOFTMAX, source=source, target=shares, parameters=table, input=quant(0.1, 0),
        output=quant(0.01, -128), epsilon=0.0, clamp=FULL, gains=False, offsets=False, per_pixel=False,
    )  # fmt: skip
    builder.compute(softmax)
    builder.compute(replace(softmax, kind=RowKind.LAYER, source=shares, target=normal, parameters=gains, epsilon=0.5,
                            gains=True, offsets=True))  # fmt: skip
    builder.compute(
        Multiply(
            layer=0,
            wait=Wait(),
            source=shares,
            right=normal,
            target=result,
            parameters=None,
            left_zero_point=-128,
            right_zero_point=3,
            multiplier=0.25,
            real=False,
            intermediate=UNIT,
            clamp=FULL,
            has_lookup=False,
            mapping=ArrayMapping(1, 1),
        )
    )
    return result


PROGRAM = every_command()
IN_PARTS = [
    in_parts.dense().program(),
    *(in_parts.pool(*kind, (0, 1, 5, 6), in_parts.THREE).program() for kind in in_parts.KINDS),
]
NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 5, 16, 17, 49, 127, 255, 4096, 2**31, 2**40])


def execute(program: Program, shape: Shape = SHAPE) -> np.ndarray:
    return run_lm(encode(program), {"x": random_map(np.random.default_rng(1), shape)})["y"]


def test_the_program_itself_runs() -> None:
    assert execute(PROGRAM).shape == (1, 4, 3, 4)


def damaged(draw: st.DrawFn, value: Any) -> Any:
    """The record with one number or one `Part` somewhere inside replaced."""
    if isinstance(value, tuple) and value:
        index = draw(st.integers(0, len(value) - 1))
        return (*value[:index], damaged(draw, value[index]), *value[index + 1 :])
    if is_dataclass(value) and not isinstance(value, type):
        name = draw(st.sampled_from([field.name for field in fields(value)]))
        return replace(value, **{name: damaged(draw, getattr(value, name))})
    if isinstance(value, Part):
        return draw(st.sampled_from(Part))
    return draw(NUMBERS) if type(value) is int else value


@st.composite
def hostile_programs(draw: st.DrawFn, programs: list[Program]) -> Program:
    """One to three numbers of the commands, tensors or buffers are wrong."""
    program = draw(st.sampled_from(programs))
    for _ in range(draw(st.integers(1, 3))):
        part = draw(st.sampled_from(["compute", "compute", "dma_in", "dma_out", "tensors", "buffers"]))
        program = replace(program, **{part: damaged(draw, getattr(program, part))})
    return program


@given(hostile_programs([PROGRAM]))
@settings(max_examples=600, deadline=None, derandomize=True)
def test_wrong_numbers_end_in_an_error_of_ours_or_a_result(program: Program) -> None:
    with suppress(SimaError):
        assert execute(program).dtype == np.int8


@given(hostile_programs(IN_PARTS))
@settings(max_examples=600, deadline=None, derandomize=True)
def test_wrong_numbers_in_parts_end_likewise(program: Program) -> None:
    with suppress(SimaError):
        assert execute(program, in_parts.SHAPE).dtype == np.int8

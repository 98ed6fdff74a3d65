"""Convolutions and pools in parts, written by hand: the accumulators' rules, each broken once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sima_compiler.errors import ExecutionError, LmError
from sima_compiler.ir.layers import PoolKind, Window
from sima_compiler.ir.program import ArrayMapping, Convolve, Fill, Operand, Part, Pool, Program, Role, Wait, WayOut
from sima_compiler.lm.constants import ConstantSections
from sima_compiler.lm.reader import decode
from sima_compiler.lm.writer import encode
from sima_compiler.sim.execute import run_lm
from sima_compiler.sim.requantizing import Requantizer
from tests.sim.small_programs import FULL, ProgramBuilder, convolve, quant, random_map

SHAPE = (1, 6, 5, 16)
X, Y = quant(0.05, 3), quant(0.1, -7)
WEIGHTS = np.random.default_rng(1).integers(-127, 128, (16, 6, 5, 16)).astype(np.int8)
BIAS = np.arange(-80, 80, 10, dtype=np.int32)
MULTIPLIERS = np.linspace(0.001, 0.002, 16, dtype=np.float32)
Commands = list[Any]


def rows_of(source: Operand, first: int, count: int) -> Operand:
    return replace(source, offset=first * source.row_stride, rows=count)


def dense(edit: Callable[[Commands], Commands] = lambda commands: commands) -> ProgramBuilder:
    """One result of 16 channels over the whole map, in window rows 0-1, 2-3 and 4-5."""
    builder = ProgramBuilder(1)
    x = builder.tensor("x", Role.INPUT, SHAPE, X, lanes=16)
    y = builder.tensor("y", Role.OUTPUT, (1, 1, 1, 16), Y, lanes=16)
    source, target = builder.operand(SHAPE, 16), builder.operand((1, 1, 1, 16), 16)
    builder.load(x, source)
    commands: Commands = []
    for first, part in zip((0, 2, 4), (Part.FIRST, Part.NEXT, Part.LAST), strict=True):
        weights = np.ascontiguousarray(WEIGHTS[:, first : first + 2])
        tail = {"bias": BIAS, "multipliers": MULTIPLIERS} if part.finishes else {}
        number = builder.parameters(ConstantSections(weights=weights, **tail))
        window = Window((2, 5), (1, 1), (1, 1), (0, 0, 0, 0))
        command = convolve(rows_of(source, first, 2), target, number, window, (X.zero_point, Y))
        commands.append(replace(command, part=part))
    for command in edit(commands):
        builder.compute(command)
    builder.store(y, target)
    return builder


def run(builder: ProgramBuilder) -> np.ndarray:
    inputs = {"x": random_map(np.random.default_rng(0), SHAPE)}
    return run_lm(encode(builder.program()), inputs)["y"]


def test_three_parts_give_the_whole_sum() -> None:
    image = random_map(np.random.default_rng(0), SHAPE)[0].astype(np.int64) - X.zero_point
    sums = np.einsum("crk,orkc->o", image, WEIGHTS.astype(np.int64)) + BIAS
    expected = np.clip(np.rint(sums.astype(np.float32) * MULTIPLIERS) + Y.zero_point, -128, 127)
    assert run(dense()).ravel().tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda c: c[1:], "next part continues no part"),
        (lambda c: [*c, c[0]], "the program ends while a Convolve in parts waits for its last part"),
        (lambda c: [c[0], c[0], c[2]], "Convolve starts while a Convolve in parts waits"),
        (lambda c: [c[0], Fill(0, Wait(), c[0].target, 0), *c[1:]], "Fill starts while a Convolve in parts waits"),
        (lambda c: [c[0], replace(c[1], mapping=ArrayMapping(1, 1, 2)), c[2]], "next part continues no part"),
        (lambda c: [c[0], c[1], replace(c[2], target=replace(c[2].target, padding=1))], "leaves|bytes|continues no"),
    ],
)
def test_parts_out_of_order_are_caught(edit: Callable[[Commands], Commands], sentence: str) -> None:
    with pytest.raises(ExecutionError, match=sentence):
        run(dense(edit))


def test_a_block_has_to_fit_the_accumulators() -> None:
    """The tiny machine holds 64 vectors per tile: 100 pixels on one tile do not fit, on two tiles they do."""
    builder, shape = ProgramBuilder(1), (1, 10, 10, 16)
    x = builder.tensor("x", Role.INPUT, shape, X, lanes=16)
    y = builder.tensor("y", Role.OUTPUT, shape, Y, lanes=16)
    source, target = builder.operand(shape, 16), builder.operand(shape, 16)
    builder.load(x, source)
    point = Window((1, 1), (1, 1), (1, 1), (0, 0, 0, 0))
    first = builder.parameters(ConstantSections(weights=np.ascontiguousarray(WEIGHTS[:, :1, :1])))
    tail = ConstantSections(weights=np.ascontiguousarray(WEIGHTS[:, :1, :1]), bias=BIAS, multipliers=MULTIPLIERS)
    last = builder.parameters(tail)
    for number, part in ((first, Part.FIRST), (last, Part.LAST)):
        command = convolve(source, target, number, point, (X.zero_point, Y))
        builder.compute(replace(command, part=part, mapping=ArrayMapping(2, 1)))
    builder.store(y, target)
    image = {"x": random_map(np.random.default_rng(0), shape)}
    program = builder.program()
    run_lm(encode(program), image)
    narrow = [
        replace(command, mapping=ArrayMapping(1, 1)) for command in program.compute if isinstance(command, Convolve)
    ]
    with pytest.raises(ExecutionError, match="100 accumulators per tile and lane of 64"):
        run_lm(encode(replace(program, compute=tuple(narrow))), image)


def test_a_part_that_does_not_finish_has_no_lookup() -> None:
    builder = dense(lambda c: [replace(c[0], way_out=WayOut.LOOKUP), *c[1:]])
    with pytest.raises(LmError, match="a part that does not finish"):
        decode(encode(builder.program()))


THREE = (Part.FIRST, Part.NEXT, Part.LAST)


def pool(kind: PoolKind, is_global: bool, cuts: tuple[int, ...], parts: tuple[Part, ...]) -> ProgramBuilder:
    """One result over the whole map, its rows cut at ``cuts``."""
    builder = ProgramBuilder(1)
    x = builder.tensor("x", Role.INPUT, SHAPE, X, lanes=16)
    y = builder.tensor("y", Role.OUTPUT, (1, 1, 1, 16), Y, lanes=16)
    source, target = builder.operand(SHAPE, 16), builder.operand((1, 1, 1, 16), 16)
    builder.load(x, source)
    for first, stop, part in zip(cuts, cuts[1:], parts, strict=False):
        window = Window((stop - first, 5), (1, 1), (1, 1), (0, 0, 0, 0))
        builder.compute(
            Pool(0, Wait(), kind, rows_of(source, first, stop - first), target, None, window, False, is_global, X, Y,
                 FULL, has_lookup=False, part=part)
        )  # fmt: skip
    builder.store(y, target)
    return builder


KINDS = [(PoolKind.MAX, False), (PoolKind.AVERAGE, False), (PoolKind.AVERAGE, True)]


@pytest.mark.parametrize(("kind", "is_global"), KINDS)
def test_a_pool_in_parts_is_the_pool(kind: PoolKind, is_global: bool) -> None:
    whole = run(pool(kind, is_global, (0, 6), (Part.WHOLE,)))
    assert np.array_equal(whole, run(pool(kind, is_global, (0, 1, 5, 6), THREE)))


def hostile(edit: Callable[[Commands], Commands], program: Program) -> Program:
    return replace(program, compute=tuple(edit(list(program.compute))))


@pytest.mark.parametrize("samples", [2, 3])
def test_a_part_of_another_shape_is_caught(samples: int) -> None:
    """Sums of 2 and of 3 samples do not add; sums of 1 and of 2 would spread."""

    def more(command: Convolve | Pool) -> Convolve | Pool:
        return replace(command, source=replace(command.source, samples=samples, sample_stride=0))

    for builder in (dense(), *(pool(*kind, (0, 1, 5, 6), THREE) for kind in KINDS)):
        for edit in (lambda c: [more(c[0]), *c[1:]], lambda c: [c[0], more(c[1]), c[2]]):
            program = hostile(edit, builder.program())
            with pytest.raises(ExecutionError, match="does not reduce to"):
                run_lm(encode(program), {"x": random_map(np.random.default_rng(0), SHAPE)})


@pytest.mark.parametrize(
    ("mapping", "error", "sentence"),
    [
        (ArrayMapping(0, 1), LmError, "into 0 parts"),
        (ArrayMapping(1, 1, 0), LmError, "into 0 parts"),
        (ArrayMapping(100, 1), ExecutionError, "100 tiles of 8"),
    ],
)
def test_a_block_is_held_by_the_tiles_that_there_are(
    mapping: ArrayMapping, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        run(dense(lambda c: [replace(command, mapping=mapping) for command in c]))


@pytest.mark.parametrize("factor", [np.nan, np.inf])
def test_a_multiplier_that_is_no_number_is_caught(factor: float) -> None:
    with pytest.raises(ExecutionError, match="no finite number"):
        Requantizer(np.zeros(2, np.int32), np.array([1, factor], np.float32), 0, FULL)

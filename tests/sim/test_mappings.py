"""Hand-written files with mappings that no machine holds: refused by the simulator and by the replay of time alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.layers import Window
from sima_compiler.ir.program import ArrayMapping, Program, Role
from sima_compiler.lm.constants import ConstantSections
from sima_compiler.lm.writer import encode
from sima_compiler.machine.description import Machine
from sima_compiler.sim.execute import run_lm
from sima_compiler.sim.timing import replay_lm
from tests.sim.small_programs import ProgramBuilder, convolve, quant, random_map

TINY = Machine.load("tiny")
UNIT = quant(1, 0)
SHAPE = (1, 6, 6, 3)


def convolution(mapping: ArrayMapping, lanes: int = 1, columns_apart: int = 1, groups: int = 1) -> Program:
    """3x3, 3 to 3 channels, on rows of packed pixels or of pixels padded to ``lanes``."""
    builder = ProgramBuilder(1)
    x, y = (builder.tensor(n, role, SHAPE, UNIT, lanes=lanes) for n, role in (("x", Role.INPUT), ("y", Role.OUTPUT)))
    source, target = builder.operand(SHAPE, lanes), builder.operand(SHAPE, lanes)
    builder.load(x, source)
    weights = np.random.default_rng(3).integers(-127, 128, (3, 3, 3, 3 // groups)).astype(np.int8)
    bias, factors = np.zeros(3, np.int32), np.full(3, 0.01, np.float32)
    number = builder.parameters(ConstantSections(weights=weights, bias=bias, multipliers=factors))
    window = Window((3, 3), (1, 1), (1, columns_apart), (1, columns_apart, 1, columns_apart))
    command = convolve(source, target, number, window, (0, UNIT), groups=groups)
    builder.compute(replace(command, mapping=mapping))
    builder.store(y, target)
    return builder.program()


def run(program: Program) -> Any:
    return run_lm(encode(program), {"x": random_map(np.random.default_rng(0), SHAPE)})


def replay(program: Program) -> Any:
    return replay_lm(encode(program))


#: What is wrong, the program, and what the error says. `tiny` has 8 tiles in rows of 2.
IMPOSSIBLE: dict[str, tuple[Callable[[], Program], str]] = {
    "pixels on tiles that do not exist": (
        lambda: convolution(ArrayMapping(100_000, 1)),
        r"100000 x 1 x 1 parts take 100000 tiles of 8",
    ),
    "one tile too many": (lambda: convolution(ArrayMapping(9, 1)), "take 9 tiles of 8"),
    "outputs on tiles that do not exist": (lambda: convolution(ArrayMapping(1, 12)), "take 12 tiles of 8"),
    "a product of splits that is too large": (lambda: convolution(ArrayMapping(3, 2, 2)), "take 12 tiles of 8"),
    "tiles of quads that are not in use": (
        lambda: replace(convolution(ArrayMapping(8, 1)), quads=1),
        "take 8 tiles of 4",
    ),
    "more quads than the machine has": (lambda: replace(convolution(ArrayMapping(1, 1)), quads=3), "uses 3 quads"),
    "a contraction over more than a row": (
        lambda: convolution(ArrayMapping(1, 1, 8)),
        "8 parts does not divide a row of 2",
    ),
    "folded pixels that are padded to lanes": (
        lambda: convolution(ArrayMapping(1, 1, folded=True), lanes=16),
        "pixels lie 16 bytes apart with 3 channels",
    ),
    "folded columns that lie apart": (
        lambda: convolution(ArrayMapping(1, 1, folded=True), columns_apart=2),
        "2 columns apart",
    ),
    "folded groups": (lambda: convolution(ArrayMapping(1, 1, folded=True), groups=3), "a window of 3 groups"),
}


@pytest.mark.parametrize("judge", [run, replay])
@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_no_machine_holds_is_refused(case: str, judge: Callable[[Program], Any]) -> None:
    build, sentence = IMPOSSIBLE[case]
    with pytest.raises(ExecutionError, match=sentence):
        judge(build())


@pytest.mark.parametrize("judge", [run, replay])
@pytest.mark.parametrize(
    "mapping",
    [
        ArrayMapping(8, 1),
        ArrayMapping(1, 8),
        ArrayMapping(2, 2, 2),
        ArrayMapping(4, 1, 2),
        ArrayMapping(1, 1, folded=True),
    ],
)
def test_what_the_machine_holds_runs(mapping: ArrayMapping, judge: Callable[[Program], Any]) -> None:
    judge(convolution(mapping))


def test_a_row_of_three_is_not_shared_by_two() -> None:
    """A split below the row's length must divide it too."""
    text = TINY.text.replace("tile_row: 2", "tile_row: 3").replace("tiles_per_quad: 4", "tiles_per_quad: 6")
    program = replace(convolution(ArrayMapping(1, 1, 2)), machine=text)
    with pytest.raises(ExecutionError, match="2 parts does not divide a row of 3"):
        replay(program)


def test_a_mapping_changes_no_result() -> None:
    whole = run(convolution(ArrayMapping(1, 1)))["y"]
    for mapping in (ArrayMapping(4, 2), ArrayMapping(1, 1, 2), ArrayMapping(8, 1, folded=True)):
        np.testing.assert_array_equal(run(convolution(mapping))["y"], whole)

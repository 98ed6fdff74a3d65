"""The plan's own check of mappings, held to what the mapping search may and may not give."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sima_compiler.errors import InternalError
from sima_compiler.ir.program import Convolve
from sima_compiler.ir.tiles import Tiling
from sima_compiler.ir.verify_mappings import TileShape, verify_mappings
from sima_compiler.stages.tile import TileOptions, tile
from tests.lowering.agreement import MACHINE, lowered
from tests.lowering.graph_pen import Pen

SHAPE = TileShape(rows=MACHINE.tiles(4) // MACHINE.tile_row, row_tiles=MACHINE.tile_row, lanes=MACHINE.lanes)


@pytest.fixture(scope="module")
def tiling() -> Tiling:
    """A first layer that folds, then one that does not."""
    pen = Pen(5)
    y = pen.conv(pen.input(3, 16, 16), 32, (3, 3), pads=(1, 1, 1, 1))
    (segment,) = lowered(pen.graph(pen.conv(y, 32, (3, 3), pads=(1, 1, 1, 1)))).segments
    found = tile(segment, MACHINE, TileOptions(4, 1, MACHINE.sram_bytes(4), 1))
    assert isinstance(found, Tiling)
    return found


def with_mapping(tiling: Tiling, layer: int, **changes: object) -> Tiling:
    def changed(command: object) -> object:
        if isinstance(command, Convolve) and command.layer == layer:
            return replace(command, mapping=replace(command.mapping, **changes))
        return command

    return replace(tiling, steps=tuple(changed(command) for command in tiling.steps))


def test_a_real_plan_lies_on_tiles(tiling: Tiling) -> None:
    verify_mappings(tiling, SHAPE)
    folded = [command.mapping.folded for command in tiling.steps if isinstance(command, Convolve)]
    assert True in folded
    assert False in folded


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pixels": 100_000}, "100000 x"),
        ({"pixels": 65, "outputs": 1, "contraction": 1}, "65 x 1 groups of tiles, there are 64"),
        ({"pixels": 17, "outputs": 1, "contraction": 4}, "17 x 1 groups of tiles, there are 16"),
        ({"contraction": 8}, "rows of 4 tiles do not hold groups of 8"),
        ({"contraction": 3, "pixels": 1, "outputs": 1}, "rows of 4 tiles do not hold groups of 3"),
        ({"pixels": 0}, "0 x"),
        ({"folded": True}, "folds a row that is not packed"),
    ],
)
def test_each_impossible_mapping_is_noticed(tiling: Tiling, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(InternalError, match=f"^tile: step .*{sentence}"):
        verify_mappings(with_mapping(tiling, 1, **changes), SHAPE)


def test_every_split_that_fills_the_machine_is_legal(tiling: Tiling) -> None:
    for contraction in (1, 2, 4):
        for outputs in (1, 2, 16):
            pixels = 64 // (contraction * outputs)
            verify_mappings(with_mapping(tiling, 1, pixels=pixels, outputs=outputs, contraction=contraction), SHAPE)

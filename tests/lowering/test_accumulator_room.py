"""Room in the accumulators, counted tile by tile."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np

from sima_compiler import Machine
from sima_compiler.machine.cost import ArrayWork
from sima_compiler.stages.tiling.block.mapping import has_room, holding_mapping

TINY = Machine.load("tiny")


def busiest(work: ArrayWork, pixels: int, outputs: int) -> int:
    """Vectors of results of the tile that has most, when each vector is dealt out in turn."""
    return ceil(work.pixels / pixels) * ceil(work.outputs / outputs)


def test_there_is_room_where_some_split_holds_all_results() -> None:
    random = np.random.default_rng(0)
    answers: set[bool] = set()
    for _ in range(300):
        machine = replace(TINY, accumulator_pixels=int(random.integers(1, 40)))
        tiles = machine.tiles(1)
        work = ArrayWork(int(random.integers(1, 300)), int(random.integers(1, 20)), int(random.integers(1, 9)))
        splits = [
            (pixels, outputs)
            for outputs in range(1, min(tiles, work.outputs) + 1)
            for pixels in range(1, min(tiles // outputs, work.pixels) + 1)
        ]
        expected = any(busiest(work, *split) <= machine.accumulator_pixels for split in splits)
        assert has_room(work, machine, 1) == expected, (work, machine.accumulator_pixels)
        answers.add(expected)
        if expected:
            mapping = holding_mapping(work, machine, 1)
            assert busiest(work, mapping.pixels, mapping.outputs) <= machine.accumulator_pixels
    assert answers == {True, False}

"""Moves of copies cut by blocks and loads: every element once, in few pieces, within the memory; numpy enumerates."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest

from sima_compiler.ir.graph import Graph, Quantization
from sima_compiler.ir.layers import Copy, FeatureMap, Layout
from sima_compiler.machine.description import Machine
from sima_compiler.pipeline import ConstantStore, Plan, Target, lower, plan
from sima_compiler.stages.tiling.block.copies import CoordinateMove, Dimension, coordinate_move, restricted
from sima_compiler.stages.tiling.block.copy_loads import CopySources, copy_loads
from sima_compiler.stages.tiling.block.geometry import Range, Region, bytes_of
from tests.lowering.graph_pen import Pen

MLSOC = Machine.load("mlsoc")
QUANT = Quantization(0.02, 0)


def elements(parts: list[CoordinateMove]) -> list[tuple[int, ...]]:
    """(target position, source position) of every step of every part, sorted."""
    found: list[tuple[int, ...]] = []
    for part in parts:
        for steps in product(*(range(dim.size) for dim in part.dimensions)):
            sides = (
                np.array(start)
                + sum(step * np.array(side(dim)) for step, dim in zip(steps, part.dimensions, strict=True))
                for start, side in ((part.target, lambda dim: dim.target), (part.source, lambda dim: dim.source))
            )
            found.append(tuple(int(value) for side in sides for value in side))
    return sorted(found)


def random_move(random: np.random.Generator, *, nested: bool) -> CoordinateMove:
    """Up to five dimensions along any axes; nested strides continue each other with gaps, others meet anywhere."""
    reach = [1, 1, 1]
    dimensions: list[Dimension] = []
    for _ in range(int(random.integers(1, 6))):
        size, axis = int(random.integers(2, 5)), int(random.integers(3))
        stride = reach[axis] + int(random.integers(3)) if nested else int(random.integers(1, 8))
        reach[axis] += (size - 1) * stride
        steps = (stride * (axis == 0), stride * (axis == 1), stride * (axis == 2))
        dimensions.append(Dimension(size, position(random, 4), steps))
    order = random.permutation(len(dimensions))
    ordered = tuple(dimensions[index] for index in order)
    return CoordinateMove(0, "x", position(random, 5), position(random, 5), ordered)


def position(random: np.random.Generator, limit: int) -> tuple[int, int, int]:
    row, column, channel = (int(value) for value in random.integers(0, limit, 3))
    return row, column, channel


def random_box(random: np.random.Generator, move: CoordinateMove) -> tuple[Range, Range, Range]:
    limits = [high + 3 for _, high in move.box(target=True)]
    ranges = [tuple(sorted(map(int, random.integers(0, limit, 2)))) for limit in limits]
    return tuple((low, high + 1) for low, high in ranges)  # type: ignore[return-value]


@pytest.mark.parametrize("nested", [True, False])
def test_parts_are_the_steps_inside_the_box(nested: bool) -> None:
    random = np.random.default_rng(21)
    for _ in range(150):
        move = random_move(random, nested=nested)
        box = random_box(random, move)
        inside = [
            found
            for found in elements([move])
            if all(low <= found[axis] < high for axis, (low, high) in enumerate(box))
        ]
        parts = restricted(move, *box)
        assert elements(list(parts)) == inside
        if nested:
            along = [sum(dim.target[axis] > 0 for dim in move.dimensions) for axis in range(3)]
            assert len(parts) <= prod(1 + 2 * count for count in along)


@pytest.mark.parametrize("limit", [16, 48, 400, 1 << 30])
def test_loads_hold_what_their_parts_read(limit: int) -> None:
    random = np.random.default_rng(limit % 97)
    for layout in (Layout.HWC, Layout.HWC16) * 30:
        moves = [random_move(random, nested=True) for _ in range(2)]
        moves = [CoordinateMove(number, "x", m.source, m.target, m.dimensions) for number, m in enumerate(moves)]
        rows, columns, channels = sizes = tuple(
            max(move.box(target=False)[axis][1] for move in moves) for axis in range(3)
        )
        source = FeatureMap("x", rows, columns, channels, QUANT, layout, sizes, (0, 1, 2))
        box = random_box(random, moves[0])
        loads = copy_loads(moves, CopySources({"x": source}, {"x"}, limit, MLSOC), Region((0, 1), *box))
        found = [part for load in loads for part in load.parts]
        for move in moves:
            own = [part for part in found if part.number == move.number]
            assert elements(own) == elements(list(restricted(move, *box)))
        for load in loads:
            assert bytes_of(source, load.region, MLSOC) <= limit
            ranges = (load.region.rows, load.region.columns, load.region.channels)
            assert all(high <= size for (_, high), size in zip(ranges, sizes, strict=True))
            for part in load.parts:
                within = zip(part.box(target=False), ranges, strict=True)
                assert all(low <= start and end <= high for (start, end), (low, high) in within)


def flattened(size: int, *shape: int) -> Graph:
    """A convolution of a square image of 16 channels, reshaped."""
    pen = Pen()
    return pen.graph(pen.reshape(pen.conv(pen.input(3, size, size), 16), *shape))


SHAPES = [(16 * 1500, 1500), (4, 4 * 1500, 1500), (2, 8 * 1500 * 1500), (16 * 1500 * 1500,)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_block_of_a_huge_reshape_is_a_few_pieces(shape: tuple[int, ...]) -> None:
    segment = lower(flattened(1500, *shape), MLSOC).segments[0]
    layer = segment.layers[-1]
    assert isinstance(layer.kernel, Copy)
    target = segment.maps[layer.output]
    sizes = (target.rows, target.columns, target.channels)
    move = coordinate_move(0, layer.kernel.moves[0], segment.maps[layer.inputs[0]], target)
    random = np.random.default_rng(3)
    for axis, size in enumerate(sizes):
        for _ in range(50 if size > 1 else 0):
            low, high = sorted(map(int, random.integers(0, size, 2)))
            ranges = [(0, size) for size in sizes]
            ranges[axis] = (low, high + 1)
            assert len(restricted(move, *ranges)) <= 5


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_a_huge_reshape_takes_few_commands(shape: tuple[int, ...]) -> None:
    segment = lower(flattened(1500, *shape), MLSOC).segments[0]
    found = plan(segment, Target(MLSOC, 1, False), 1, ConstantStore(compress=False))
    assert isinstance(found, Plan), found.sentence()
    assert len(found.memory.tiling.steps) < 400
    assert found.schedule.runtime < 5_000_000  # a byte per DRAM burst would take 144 million

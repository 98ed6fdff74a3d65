"""The bounds' counts against counts of their own: every window cell of every pixel walked one by one, to the unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor

import pytest

from sima_compiler import Machine
from sima_compiler.bounds.loads import LayerLoad, layer_loads, weight_sizes
from sima_compiler.bounds.total import segment_bounds
from sima_compiler.ir.graph import ConvAttributes, Op
from sima_compiler.ir.layers import Blend, Convolution, Segment
from sima_compiler.pipeline import lower
from tests.lowering.graph_pen import Pen

TINY = Machine.load("tiny")
TILES = TINY.tiles(2)

#: (channels, rows, columns), outputs, kernel, strides, dilations, pads (top, left, bottom, right), groups.
CONVOLUTIONS = [
    ((40, 5, 9), 6, (5, 4), (2, 3), (3, 2), (5, 3, 4, 4), 1),
    ((3, 12, 10), 20, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 1),
    ((3, 9, 9), 8, (7, 7), (2, 2), (1, 1), (3, 3, 3, 3), 1),
    ((3, 9, 9), 8, (3, 3), (1, 1), (1, 2), (1, 2, 1, 2), 1),
    ((1024, 1, 1), 32, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 1),
    ((24, 6, 6), 48, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 2),
    ((17, 4, 4), 17, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 17),
    ((32, 7, 5), 32, (5, 5), (2, 2), (1, 1), (2, 2, 2, 2), 32),
    ((16, 8, 8), 16, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), 1),
    ((32, 5, 5), 32, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 8),
    ((40, 5, 5), 60, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 4),
    ((512, 1, 1), 40, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), 1),
    ((2, 6, 6), 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 1),
]
Case = tuple[tuple[int, int, int], int, tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, ...], int]


def convolution(case: Case) -> Segment:
    shape, outputs, kernel, strides, dilations, pads, groups = case
    pen = Pen()
    window = {"strides": strides, "dilations": dilations, "pads": pads, "groups": groups}
    (segment,) = lower(pen.graph(pen.conv(pen.input(*shape), outputs, kernel, **window)), TINY).segments
    assert isinstance(segment.layers[-1].kernel, Convolution)
    return segment


def seen_cells(case: Case, target: tuple[int, int]) -> Iterator[list[tuple[int, int]]]:
    """Window cells that lie on the map, for every output pixel."""
    (_, rows, columns), _, (height, width), strides, dilations, pads, _ = case
    for row in range(target[0]):
        for column in range(target[1]):
            yield [
                (i, j)
                for i in range(height)
                for j in range(width)
                if 0 <= row * strides[0] - pads[0] + i * dilations[0] < rows
                and 0 <= column * strides[1] - pads[1] + j * dilations[1] < columns
            ]


def target_of(segment: Segment) -> tuple[int, int]:
    target = segment.maps[segment.layers[-1].output]
    return target.rows, target.columns


def loads_of(segment: Segment, batch: int) -> LayerLoad:
    sizes = weight_sizes(segment, len)
    return layer_loads(segment, sizes, TINY, quads=2, batch=batch)[-1]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_multiplications_are_those_whose_operand_is_on_the_map(case: Case, batch: int) -> None:
    segment = convolution(case)
    shape, outputs, *_, groups = case
    cells = sum(len(seen) for seen in seen_cells(case, target_of(segment)))
    assert loads_of(segment, batch).macs == cells * (shape[0] // groups) * outputs * batch


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_weights_are_those_that_meet_the_map(case: Case) -> None:
    segment = convolution(case)
    shape, outputs, *_, groups = case
    met = {cell for seen in seen_cells(case, target_of(segment)) for cell in seen}
    assert loads_of(segment, 1).raw_bytes == len(met) * (shape[0] // groups) * outputs


def blocks_of_a_cell(inputs: int, outputs: int, groups: int) -> int:
    """Of 16 x 16 weights, each group by itself, or several side by side in a block with zeros between them."""
    apart = groups * ceil(Fraction(outputs, 16)) * ceil(Fraction(inputs, 16))
    if groups == 1:
        return apart
    each = min(Fraction(ceil(Fraction(count * inputs, 16)), min(16, count * outputs)) for count in range(1, groups + 1))
    return min(apart, ceil(groups * outputs * each))


def cycles_of_the_array(case: Case, pixels: list[list[tuple[int, int]]], batch: int) -> int:
    """Blocks of 16 inputs x 16 outputs per pixel, cells of a row together where the lanes can take them; a block stays
    as long as it loads, and the sums of one pixel pass a row of tiles block by block.
    """
    (channels, _, _), outputs, _, _, (_, apart), _, groups = case
    inputs, cycles = channels // groups, 0
    if channels < 16 and groups == 1 and apart == 1:
        for seen in pixels:
            for row in {i for i, _ in seen}:
                cycles += ceil(Fraction(sum(1 for i, _ in seen if i == row) * inputs, 16)) * batch
    else:
        counts = Counter(cell for seen in pixels for cell in seen)
        cycles = sum(max(count * batch, TINY.weight_load_cycles) for count in counts.values())
    cycles *= blocks_of_a_cell(inputs, outputs // groups, groups)
    products = sum(len(seen) for seen in pixels) * inputs * outputs * batch
    cycles = min(cycles, products // 16)  # the vector unit has 16 lanes
    longest = max(len(seen) for seen in pixels) * inputs
    chain = ceil(Fraction(ceil(Fraction(longest, 16)), TINY.tile_row)) * TINY.weight_load_cycles
    return max(floor(Fraction(cycles, TILES)), min(chain, longest))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("case", [case for case in CONVOLUTIONS if case[-1] != case[0][0]])
def test_padded_work_of_the_array(case: Case, batch: int) -> None:
    segment = convolution(case)
    pixels = list(seen_cells(case, target_of(segment)))
    expected = cycles_of_the_array(case, pixels, batch) + TINY.fill_cycles
    assert loads_of(segment, batch).padded_cycles == expected


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("case", [case for case in CONVOLUTIONS if case[-1] == case[0][0]])
def test_padded_work_of_a_depthwise_convolution(case: Case, batch: int) -> None:
    segment = convolution(case)
    cells = [len(seen) for seen in seen_cells(case, target_of(segment))]
    vectors = ceil(Fraction(case[0][0], 16)) * batch
    spread = ceil(Fraction(sum(max(1, count) for count in cells) * vectors, TILES))
    whole = ceil(Fraction(len(cells) * vectors, TILES)) * min(max(1, count) for count in cells)
    assert loads_of(segment, batch).padded_cycles == max(spread, whole) + TINY.fill_cycles


@pytest.mark.parametrize("op", [Op.MAX_POOL, Op.AVERAGE_POOL])
def test_padded_work_of_a_pool(op: Op) -> None:
    pen = Pen()
    attributes = ConvAttributes((3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
    (segment,) = lower(pen.graph(pen.pool(op, pen.input(20, 9, 8), attributes)), TINY).segments
    case = ((20, 9, 8), 20, (3, 3), (2, 2), (1, 1), (1, 1, 1, 1), 20)
    cells = [len(seen) for seen in seen_cells(case, target_of(segment))]
    assert loads_of(segment, 1).padded_cycles == ceil(Fraction(sum(cells) * 2, TILES)) + TINY.fill_cycles


def test_padded_work_of_a_linear_resize() -> None:
    """A result takes a step for each neighbour that counts."""
    pen = Pen()
    (segment,) = lower(pen.graph(pen.blend(pen.input(20, 5, 8), 4, 7)), TINY).segments
    kernel = segment.layers[-1].kernel
    assert isinstance(kernel, Blend)
    cells = 0
    for row in range(4):
        for column in range(7):
            pairs = [
                {(axis.near[at], axis.near_weights[at]), (axis.far[at], axis.far_weights[at])}
                for axis, at in ((kernel.rows, row), (kernel.columns, column))
            ]
            counted = [len({place for place, weight in pair if weight}) for pair in pairs]
            cells += counted[0] * counted[1]
    assert loads_of(segment, 3).padded_cycles == ceil(Fraction(cells * 2 * 3, TILES))


def test_weights_over_padding_alone_do_not_inflate_the_bound() -> None:
    """3x3 with pad 1 on a map of one pixel: only the middle of every filter is ever multiplied."""
    pen = Pen()
    window = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1)}
    machine = Machine.load("mlsoc")
    (segment,) = lower(pen.graph(pen.conv(pen.input(1024, 1, 1), 1024, (3, 3), **window)), machine).segments
    loads = layer_loads(segment, weight_sizes(segment, len), machine, quads=4, batch=1)
    found = segment_bounds(segment, loads, machine, quads=4, batch=1)
    assert found.bound_cycles == ceil(Fraction(1024 * 1024 + 1024 + 1024, 64))


def cycles_of(segment: Segment) -> dict[str, int]:
    """Padded cycles by the layer's operator; the last one counts where several are alike."""
    loads = layer_loads(segment, weight_sizes(segment, len), TINY, quads=2, batch=1)
    return {layer.operator: load.padded_cycles for layer, load in zip(segment.layers, loads, strict=True)}


#: Vectors of a 16 x 16 map of 16 channels per tile.
VECTORS = 16 * 16 // TILES
#: What a layer takes by itself: it fills its unit once.
FILL = TINY.fill_cycles


@pytest.mark.parametrize(("inputs", "product"), [(16, VECTORS), (48, 2 * VECTORS)])
def test_a_product_is_charged_no_more_than_its_neighbour_computed_again(inputs: int, product: int) -> None:
    """y = 1x1(x) is read by y * z and as an output, so y cannot carry the product unless it is computed twice.

    By itself the product takes 2 cycles a vector, the convolution one per 16 inputs.
    """
    pen = Pen()
    x = pen.input(inputs, 16, 16)
    y, z = pen.conv(x, 16, (1, 1)), pen.conv(x, 16, (1, 1))
    (segment,) = lower(pen.graph(pen.binary(Op.MUL, pen.unary(Op.TANH, y), z), y, z), TINY).segments
    assert cycles_of(segment)["mul"] == product + FILL


def test_a_second_product_finds_no_way_out_to_ride_on() -> None:
    """The convolution carries the first one; both products' operands are needed elsewhere too."""
    pen = Pen()
    x = pen.input(16, 16, 16)
    y = pen.binary(Op.MUL, pen.conv(x, 16, (1, 1)), x)
    (segment,) = lower(pen.graph(pen.binary(Op.MUL, y, x), y), TINY).segments
    assert cycles_of(segment)["mul"] == 2 * VECTORS + FILL


def test_a_product_of_inputs_rides_on_nothing() -> None:
    pen = Pen()
    (segment,) = lower(pen.graph(pen.binary(Op.MUL, pen.input(16, 16, 16), pen.input(16, 16, 16))), TINY).segments
    assert cycles_of(segment)["mul"] == 2 * VECTORS + FILL


@pytest.mark.parametrize(("inputs", "table"), [(16, 2 * VECTORS), (4, 2 * VECTORS)])
def test_a_table_behind_a_concatenation_rides_on_all_of_it_or_runs_by_itself(inputs: int, table: int) -> None:
    pen = Pen()
    x = pen.input(inputs, 16, 16)
    joined = pen.concat(pen.conv(x, 16, (1, 1)), pen.conv(x, 16, (1, 1)))
    (segment,) = lower(pen.graph(pen.unary(Op.TANH, joined), joined), TINY).segments
    assert cycles_of(segment)["tanh"] == table

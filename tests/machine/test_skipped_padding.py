"""Window rows and columns over padding: what a command leaves out, counted one by one, and what cutting gains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sima_compiler.ir.graph import ConvAttributes, Op
from sima_compiler.ir.layers import Window
from sima_compiler.ir.program import Convolve, Operand, Pool
from sima_compiler.ir.tiles import Tiling
from sima_compiler.machine.cost import command_work, worked_window
from sima_compiler.machine.description import Machine
from sima_compiler.machine.runs import run_cycles
from sima_compiler.machine.traffic import cells_on_map
from sima_compiler.stages.tile import TileOptions, tile
from sima_compiler.stages.tiling.block.geometry import Region
from sima_compiler.stages.tiling.block.margins import MOST_BANDS, ArrayBlock, margin_ways
from tests.lowering.agreement import lowered
from tests.lowering.graph_pen import Pen

MLSOC = Machine.load("mlsoc")
WITHOUT = Machine.parse(MLSOC.text.replace("skips_padding: 1", "skips_padding: 0"))
TINY = Machine.parse(Machine.load("tiny").text + "skips_padding: 1\n")


def seen(window: Window, axis: int, outputs: int, size: int) -> set[int]:
    """Cells along an axis that any output sees on the map, one by one."""
    found: set[int] = set()
    for output in range(outputs):
        for cell in range(window.kernel[axis]):
            place = output * window.strides[axis] - window.pads[axis] + cell * window.dilations[axis]
            found |= {cell} if 0 <= place < size else set()
    return found


def test_cells_on_the_map_are_those_that_a_walk_over_all_windows_meets() -> None:
    dice = np.random.default_rng(11)
    for _ in range(400):
        kernel, stride, dilation, pad, size, outputs = (
            int(dice.integers(low, high)) for low, high in ((1, 8), (1, 5), (1, 4), (0, 9), (1, 12), (1, 9))
        )
        window = Window((kernel, 1), (stride, 1), (dilation, 1), (pad, 0, 0, 0))
        assert cells_on_map(window, 0, outputs, size) == len(seen(window, 0, outputs, size))


def tiling(machine: Machine, shape: tuple[int, int, int], batch: int, op: str) -> Tiling:
    pen = Pen(2)
    x = pen.conv(pen.input(*shape), shape[0], (1, 1))
    if op == "pool":
        y = pen.pool(Op.MAX_POOL, x, ConvAttributes((3, 3), pads=(1, 1, 1, 1)))
    else:
        groups = shape[0] if op == "depthwise" else 1
        y = pen.conv(x, shape[0] if groups > 1 else 64, (3, 3), pads=(1, 1, 1, 1), groups=groups)
    (segment,) = lowered(pen.graph(pen.conv(y, 16, (1, 1)))).segments
    found = tile(segment, machine, TileOptions(machine.quads, batch, machine.sram_bytes(machine.quads), 1))
    assert isinstance(found, Tiling)
    return found


def windows_of(found: Tiling) -> list[Convolve | Pool]:
    return [command for command in found.steps if isinstance(command, Convolve | Pool) and command.layer == 1]


@pytest.mark.parametrize("op", ["array", "depthwise", "pool"])
def test_margins_are_cut_where_that_is_faster(op: str) -> None:
    """14 x 14 with 3 x 3 windows: an edge in seven is over padding."""
    cut, whole = (windows_of(tiling(machine, (64, 14, 14), 16, op)) for machine in (MLSOC, WITHOUT))
    cycles, before = (
        run_cycles([command_work(command, MLSOC, 4) for command in cut], MLSOC),
        run_cycles([command_work(command, WITHOUT, 4) for command in whole], WITHOUT),
    )
    assert len(cut) > len(whole)
    assert cycles < before
    windows = {worked_window(command, MLSOC).kernel for command in cut}
    assert (3, 3) in windows
    assert windows & {(2, 3), (3, 2)}


def test_margins_stay_where_filling_the_array_once_more_costs_more() -> None:
    (command,) = windows_of(tiling(MLSOC, (64, 14, 14), 1, "pool"))
    assert worked_window(command, MLSOC).kernel == (3, 3)


def test_all_parts_of_a_block_use_the_same_constants() -> None:
    cut = windows_of(tiling(MLSOC, (64, 14, 14), 16, "array"))
    assert len({command.parameters for command in cut}) == 1
    assert {command.window.kernel for command in cut} == {(3, 3)}


def covered(regions: list[Region], rows: int, columns: int) -> np.ndarray:
    count = np.zeros((rows, columns), np.int64)
    for region in regions:
        count[slice(*region.rows), slice(*region.columns)] += 1
    return count


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [2, 3, 5, 7])
def test_cuts_cover_a_region_once_and_each_part_sees_one_window(kernel: int, stride: int) -> None:
    pad, size = kernel // 2, 12
    window = Window((kernel, kernel), (stride, stride), (1, 1), (pad, pad, pad, pad))
    outputs = (size + 2 * pad - kernel) // stride + 1
    ways = list(margin_ways(Region((0, 1), (0, outputs), (0, outputs), (0, 16)), window, (size, size)))
    assert len(ways) == 2
    for bands in ways:
        for pick in (0, -1):
            regions = [region for choices in bands for region in choices[pick]]
            np.testing.assert_array_equal(covered(regions, outputs, outputs), 1)
        for region in (region for choices in bands for region in choices[-1]):
            for low, high in (region.rows, region.columns):
                cells = {
                    tuple(sorted(seen(replace(window, pads=(pad - place * stride, 0, 0, 0)), 0, 1, size)))
                    for place in range(low, high)
                }
                assert len(cells) == 1


def test_a_window_as_large_as_its_map_is_not_cut_into_single_rows() -> None:
    window = Window((12, 1), (1, 1), (1, 1), (6, 0, 6, 0))
    assert list(margin_ways(Region((0, 1), (0, 13), (0, 12), (0, 16)), window, (12, 12))) == []
    assert MOST_BANDS < 12


def test_what_a_command_leaves_out_depends_on_all_of_its_results() -> None:
    """One row of results at the top edge does not need the window's first row; two rows do."""
    operand = Operand(0, 0, 1, 4, 4, 16, 256, 64, 16)
    pool = windows_of(tiling(TINY, (16, 4, 4), 1, "pool"))[0]
    assert isinstance(pool, Pool)
    top = replace(
        pool,
        source=replace(operand, rows=2),
        target=replace(operand, rows=1),
        window=Window((3, 3), (1, 1), (1, 1), (1, 1, 0, 1)),
    )
    assert worked_window(top, TINY).kernel == (2, 3)
    two = replace(top, source=replace(operand, rows=3), target=replace(operand, rows=2))
    assert worked_window(two, TINY).kernel == (3, 3)
    assert worked_window(top, Machine.load("tiny")).kernel == (3, 3)


@pytest.mark.parametrize("case", [(64, 14, 3, 1, 1), (3, 20, 7, 2, 3), (24, 9, 5, 1, 2), (40, 7, 3, 2, 1)])
def test_cuts_that_are_told_by_a_blocks_shape_cost_what_their_commands_cost(case: tuple[int, ...]) -> None:
    """The shape knows the cells of each part without making its command."""
    channels, size, kernel, stride, pad = case
    pen = Pen(2)
    graph = pen.graph(
        pen.conv(pen.input(channels, size, size), 48, (kernel, kernel), strides=(stride,) * 2, pads=(pad,) * 4)
    )
    (segment,) = lowered(graph).segments
    found = tile(segment, MLSOC, TileOptions(4, 8, MLSOC.sram_bytes(4), 1))
    assert isinstance(found, Tiling)
    window = segment.layers[0].kernel.window  # type: ignore[union-attr]
    for command in found.steps:
        assert isinstance(command, Convolve)
        target = command.target
        rows = offset_of(target.offset % target.sample_stride // target.row_stride, target.rows)
        columns = offset_of(target.offset % target.row_stride // target.pixel_stride, target.columns)
        region = Region((0, target.samples), rows, columns, (0, target.channels))
        outputs = -(-target.channels // 16)
        block = ArrayBlock(region, window, (size, size), channels, outputs, 0, command.mapping.folded)
        assert block.work(region, MLSOC, 4) == command_work(command, MLSOC, 4)


def offset_of(first: int, count: int) -> tuple[int, int]:
    return first, first + count

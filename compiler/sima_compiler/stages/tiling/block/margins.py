"""Blocks at the border of a map, cut so that what their windows would multiply over padding is left out.

::

    before: 3 x 3 with pads 1 over 8 x 8       after: + - - - - - - +   corners see 2 x 2 cells of the window,
            one command, 9 cells a pixel              |             |   edges 2 x 3,
                                                      + - - - - - - +   the middle all 3 x 3

In: a block's output region, its window, the size of its source map. Out: ways to cut the region, and the fastest of
them by the cost model, since a command of few pixels waits for its weights. Always holds: the cuts of a way cover the
region, each pixel once, and all of them read the block's own constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TypeVar

from sima_compiler.ir.layers import Window
from sima_compiler.machine.cost import ArrayWork, CommandWork, array_parts
from sima_compiler.machine.description import Machine
from sima_compiler.machine.runs import run_cycles
from sima_compiler.machine.traffic import ceil_div
from sima_compiler.stages.tiling.block.geometry import Range, Region
from sima_compiler.stages.tiling.block.mapping import best_mapping

Cut = TypeVar("Cut")

#: Cuts along an axis: a 7 x 7 window with stride 2 has 5. Far more appear only where windows are as large as their map,
#: and there each would be a row of a few pixels.
MOST_BANDS = 7


def margin_share(region: Region, window: Window) -> float:
    """Most of a block's window cells that can lie over padding, as a share; ``window`` has the block's own pads."""
    top, left, bottom, right = window.pads
    _, rows, columns, _ = region.shape
    return _lost(top, bottom, rows * window.kernel[0]) + _lost(left, right, columns * window.kernel[1])


def fewest_cuts(pads: tuple[int, int, int, int]) -> int:
    """Commands that the cheapest way to cut adds: one for each padded end of an axis."""
    ends = [sum(pad > 0 for pad in pads[axis::2]) for axis in (0, 1)]
    return min(count for count in ends if count)


def _lost(before: int, behind: int, cells: int) -> float:
    """The first result loses ``before`` cells, the next at least one less, and so on; likewise from the other end."""
    return min(1.0, (before * (before + 1) + behind * (behind + 1)) / 2 / cells)


@dataclass(frozen=True, slots=True)
class ArrayBlock:
    """A block of a convolution on the array, as far as its cuts depend on it: the region that it computes, the window
    with the layer's own pads, the size of the map that it slides over, channels in, blocks of channels out.
    """

    region: Region
    window: Window
    size: tuple[int, int]
    inputs: int
    outputs: int
    operand_bytes: int
    folded: bool

    def work(self, region: Region, machine: Machine, quads: int) -> CommandWork:
        """The work of a part of it: the cells that its results see, none of those over padding alone."""
        rows, columns = (
            _seen_by(bounds, self.window, axis, self.size[axis])
            for axis, bounds in enumerate((region.rows, region.columns))
        )
        lanes = machine.lanes
        across = ceil_div(columns * self.inputs, lanes) if self.folded else columns * ceil_div(self.inputs, lanes)
        samples, high, wide, _ = region.shape
        work = ArrayWork(samples * high * wide, self.outputs, rows * across, self.operand_bytes)
        return array_parts(work, best_mapping(work, machine, quads), machine)


@lru_cache(maxsize=65_536)
def array_cuts(block: ArrayBlock, machine: Machine, quads: int) -> tuple[Region, ...]:
    """The parts in which a block is fastest, itself where that is. Asked again for every block of a shape: a batch of
    ResNet-50 has 500 blocks of 40 shapes.
    """
    ways = margin_ways(block.region, block.window, block.size)
    return tuple(cheapest(block.region, ways, lambda region: region, lambda cuts: _cycles(cuts, block, machine, quads)))


def _cycles(regions: Sequence[Region], block: ArrayBlock, machine: Machine, quads: int) -> int:
    return run_cycles([block.work(region, machine, quads) for region in regions], machine)


def cheapest(
    region: Region,
    ways: Iterator[list[tuple[list[Region], ...]]],
    made: Callable[[Region], Cut],
    cycles: Callable[[Sequence[Cut]], int],
) -> list[Cut]:
    """What ``made`` makes of the parts of the region that take the fewest cycles; all at once where none are fewer."""
    best = [made(region)]
    least = cycles(best)
    for bands in ways:
        found: list[Cut] = []
        for choices in bands:
            found += min(([made(part) for part in parts] for parts in choices), key=cycles)
        taken = cycles(found)
        if taken < least:
            best, least = found, taken
    return best


def _seen_by(outputs: Range, window: Window, axis: int, size: int) -> int:
    """Cells of the window along an axis that any of these results sees on the map."""
    cells = {cell for output in range(*outputs) for cell in range(*_seen(output, window, axis, size))}
    return max(1, len(cells))


def margin_ways(region: Region, window: Window, size: tuple[int, int]) -> Iterator[list[tuple[list[Region], ...]]]:
    """The ways to cut a region at its margins: into rows, each as it is or cut along its columns; and into columns.

    Of each band its choices, of which any may be taken: corners lose less in small pieces, and edges lose by them.
    """
    rows = _bands(region.rows, window, 0, size[0])
    columns = _bands(region.columns, window, 1, size[1])
    if len(rows) > 1:
        yield [_choices([_part(region, high, wide) for wide in columns], _part(region, high)) for high in rows]
    if len(columns) > 1:
        yield [_choices([_part(region, high, wide) for high in rows], _part(region, None, wide)) for wide in columns]


def _choices(cut: list[Region], whole: Region) -> tuple[list[Region], ...]:
    return ([whole], cut) if len(cut) > 1 else ([whole],)


def _part(region: Region, rows: Range | None, columns: Range | None = None) -> Region:
    return Region(region.samples, rows or region.rows, columns or region.columns, region.channels)


def _bands(outputs: Range, window: Window, axis: int, size: int) -> list[Range]:
    """Neighbouring results that see the same cells of the window; all together where there would be too many bands."""
    bands = [tuple(group) for _, group in groupby(range(*outputs), lambda output: _seen(output, window, axis, size))]
    return [(band[0], band[-1] + 1) for band in bands] if len(bands) <= MOST_BANDS else [outputs]


def _seen(output: int, window: Window, axis: int, size: int) -> Range:
    """First and last cell of the window, along an axis, that lie on the map."""
    start, step = output * window.strides[axis] - window.pads[axis], window.dilations[axis]
    first = max(0, -(start // step))
    return first, max(first, min(window.kernel[axis], -((start - size) // step)))

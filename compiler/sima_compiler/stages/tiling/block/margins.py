"""Blocks at the border of a map, cut so that what their windows would multiply over padding is left out.

::

    before: 3 x 3 with pads 1 over 8 x 8       after: + - - - - - - +   corners see 2 x 2 cells of the window,
            one command, 9 cells a pixel              |             |   edges 2 x 3,
                                                      + - - - - - - +   the middle all 3 x 3

In: a block's output region, its window, its source map. Out: ways to cut the region; whether one pays is for the cost
model to say, since a command of few pixels waits for its weights. Always holds: the cuts of a way cover the region,
each pixel once, and all of them read the block's own constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from sima_compiler.ir.layers import FeatureMap, Window
from sima_compiler.stages.tiling.block.geometry import Range, Region

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


def margin_ways(region: Region, window: Window, source: FeatureMap) -> Iterator[list[tuple[list[Region], ...]]]:
    """The ways to cut a region at its margins: into rows, each as it is or cut along its columns; and into columns.

    Of each band its choices, of which any may be taken: corners lose less in small pieces, and edges lose by them.
    """
    rows = _bands(region.rows, window, 0, source.rows)
    columns = _bands(region.columns, window, 1, source.columns)
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

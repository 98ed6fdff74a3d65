"""Reductions in parts: a block whose weights or inputs do not fit on chip at once sums them range by range.

In: a layer that reduces (a convolution, a pool), sizes of a part, an output block. Out: the parts of the block's
reduction in the order of its window, each with the input region and the window that its command sees.

::

    before: one output channel of Flatten + Gemm over a 1022 x 1022 x 16 map needs 16.7 million weights at once
    after:  rows 0-399 of its window, then 400-799, then 800-1021, summed up in the accumulators

Checks: cells of padding alone cost nothing. A convolution leaves such a part out; a pool, whose divisor may count them,
joins it to a neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from sima_compiler.ir.kernels import Reduction
from sima_compiler.ir.layers import Convolution, FeatureMap, Pooling, Window
from sima_compiler.ir.program import Part
from sima_compiler.stages.tiling.block.geometry import Range, Region, block_window, shares, splits, window_range

#: Rows, columns, channels.
Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Extent:
    """Most window rows, window columns and input channels of one group that a part sums."""

    rows: int
    columns: int
    channels: int


@dataclass(frozen=True, slots=True)
class WindowPart:
    """What one part sums: ranges of window rows, window columns and a group's input channels; ``part`` is its place."""

    rows: Range
    columns: Range
    channels: Range
    part: Part

    def window(self, window: Window) -> Window:
        """The layer's window reduced to these rows and columns; pads may become negative until a block cuts them."""
        first_row, first_column = (
            span[0] * dilation for span, dilation in zip((self.rows, self.columns), window.dilations, strict=True)
        )
        top, left, bottom, right = window.pads
        size = (self.rows[1] - self.rows[0], self.columns[1] - self.columns[0])
        return replace(window, kernel=size, pads=(top - first_row, left - first_column, bottom, right))


def whole_extent(kernel: Reduction) -> Extent:
    """Everything at once."""
    height, width = kernel.window.kernel
    return Extent(height, width, kernel.weights.shape[3] if isinstance(kernel, Convolution) else 1)


def smaller_extents(kernel: Reduction, lanes: int) -> list[Extent]:
    """Sizes of parts from large to small: fewer window rows, then fewer columns of one row, then fewer channels of one
    cell, in whole vectors of ``lanes``.
    """
    whole = whole_extent(kernel)
    if isinstance(kernel, Pooling) and not kernel.kind.in_parts:
        return [whole]
    vectors = -(-whole.channels // lanes)
    found = [Extent(rows, whole.columns, whole.channels) for rows in shares(whole.rows)]
    found += [Extent(1, columns, whole.channels) for columns in shares(whole.columns)]
    found += [Extent(1, 1, min(whole.channels, lanes * count)) for count in shares(vectors)]
    return list(dict.fromkeys(found))


def parts_of(kernel: Reduction, extent: Extent, source: FeatureMap, output: Region) -> Iterator[WindowPart]:
    """The parts of an output block's reduction, in the order of the window's rows, columns and channels."""
    whole = whole_extent(kernel)
    rows = _along(kernel, 0, extent.rows, output.rows, source.rows)
    columns = _along(kernel, 1, extent.columns, output.columns, source.columns)
    spans = list(product(rows, columns, splits(whole.channels, extent.channels)))
    for index, (row, column, channels) in enumerate(spans):
        yield WindowPart(row, column, channels, _place(index, len(spans)))


def _place(index: int, count: int) -> Part:
    if count == 1:
        return Part.WHOLE
    return Part.FIRST if index == 0 else Part.LAST if index == count - 1 else Part.NEXT


def _along(kernel: Reduction, axis: int, block: int, output: Range, size: int) -> list[Range]:
    """The window's cells along an axis in blocks that meet the map; everything at once where none does."""
    window, found = kernel.window, list[Range]()
    start = 0
    for low, high in splits(window.kernel[axis], block):
        pads, lengths = list(window.pads), list(window.kernel)
        pads[axis] -= low * window.dilations[axis]
        lengths[axis] = high - low
        part = Window((lengths[0], lengths[1]), window.strides, window.dilations, (pads[0], pads[1], pads[2], pads[3]))
        (first, last), _ = window_range(output, part, axis, size)
        if first < last:
            found.append((start, high))
            start = high
        elif isinstance(kernel, Convolution):
            start = high
    if not found:
        return [(0, window.kernel[axis])]
    if isinstance(kernel, Pooling):
        found[-1] = (found[-1][0], window.kernel[axis])
    return found


def group_channels(kernel: Convolution, source: FeatureMap, target: FeatureMap, outputs: Range) -> Range:
    """Input channels of the groups that a range of output channels belongs to."""
    per_group_in, per_group_out = source.channels // kernel.groups, target.channels // kernel.groups
    return (outputs[0] // per_group_out * per_group_in, -(-outputs[1] // per_group_out) * per_group_in)


def part_region(kernel: Reduction, cells: WindowPart, source: FeatureMap, target: FeatureMap, output: Region) -> Region:
    """The region of the first input that a part of an output block reads."""
    rows, columns, _ = block_window(output, cells.window(kernel.window), source)
    if isinstance(kernel, Pooling):
        return Region(output.samples, rows, columns, output.channels)
    first, last = group_channels(kernel, source, target, output.channels)
    if cells.channels != (0, source.channels // kernel.groups):
        first, last = first + cells.channels[0], first + cells.channels[1]
    return Region(output.samples, rows, columns, (first, last))


def part_shape(kernel: Reduction, extent: Extent, source: FeatureMap, block: Shape) -> Shape:
    """Most (rows, columns, channels) of the first input that a part of a block of (rows, columns, channels) reads."""
    window = kernel.window
    rows, columns = (
        min(size, (count - 1) * stride + (cells - 1) * dilation + 1)
        for size, count, stride, cells, dilation in zip(
            (source.rows, source.columns),
            block[:2],
            window.strides,
            (extent.rows, extent.columns),
            window.dilations,
            strict=True,
        )
    )
    if isinstance(kernel, Pooling):
        return rows, columns, block[2]
    per_group_out = kernel.weights.shape[0] // kernel.groups
    groups = -(-block[2] // per_group_out)
    return rows, columns, groups * extent.channels

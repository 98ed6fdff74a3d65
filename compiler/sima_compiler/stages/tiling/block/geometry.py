"""Regions of feature maps and how they lie in memory.

All ranges are half open. A region speaks of a map of the whole batch: samples, rows, columns, channels.
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.ir.layers import FeatureMap, Layout, Window
from sima_compiler.ir.program import Box, Operand
from sima_compiler.machine.description import Machine

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Region:
    """A box of a feature map."""

    samples: Range
    rows: Range
    columns: Range
    channels: Range

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Sizes in the order samples, rows, columns, channels."""
        return _length(self.samples), _length(self.rows), _length(self.columns), _length(self.channels)


def _length(span: Range) -> int:
    return span[1] - span[0]


@dataclass(frozen=True, slots=True)
class Strides:
    """Distances in bytes between samples, rows and pixels."""

    sample: int
    row: int
    pixel: int


@dataclass(frozen=True, slots=True)
class Held:
    """The region of a map that a buffer holds, ``offset`` bytes into the buffer.

    ``padding`` counts the bytes behind each pixel's channels that belong to nobody: a writer fills them.
    """

    buffer: int
    map: FeatureMap
    region: Region
    strides: Strides
    padding: int
    offset: int = 0


def whole(feature_map: FeatureMap, batch: int) -> Region:
    """The region of everything."""
    return Region((0, batch), (0, feature_map.rows), (0, feature_map.columns), (0, feature_map.channels))


def strides_of(feature_map: FeatureMap, region: Region, machine: Machine) -> Strides:
    """Strides of a buffer that holds just this region, in the map's layout; a region with the map's last channels has
    room for all of the map's padding, which a store brings to DRAM.
    """
    _, rows, columns, channels = region.shape
    padding = machine.align(feature_map.channels) - feature_map.channels
    behind = padding if region.channels[1] == feature_map.channels else 0
    pixel = channels if feature_map.layout is Layout.HWC else machine.align(channels + behind)
    return Strides(rows * columns * pixel, columns * pixel, pixel)


def bytes_of(feature_map: FeatureMap, region: Region, machine: Machine) -> int:
    """Bytes of a buffer for this region, rounded up to whole vectors."""
    return machine.align(region.shape[0] * strides_of(feature_map, region, machine).sample)


def map_bytes(feature_map: FeatureMap, batch: int, machine: Machine) -> int:
    """Bytes of the map for the whole batch."""
    return bytes_of(feature_map, whole(feature_map, batch), machine)


def offset_in(held: Held, region: Region) -> int:
    """Where a region's first byte lies in the buffer that holds it."""
    return held.offset + offset_from(held.region, held.strides, region)


def offset_from(origin: Region, strides: Strides, region: Region) -> int:
    """Bytes from the first byte of a region that lies in memory with these strides to that of a region inside it."""
    return (
        (region.samples[0] - origin.samples[0]) * strides.sample
        + (region.rows[0] - origin.rows[0]) * strides.row
        + (region.columns[0] - origin.columns[0]) * strides.pixel
        + (region.channels[0] - origin.channels[0])
    )


def operand_of(held: Held, region: Region, *, writes: bool = False) -> Operand:
    """The region as a command's operand; a writer of the last channels also fills the padding lanes."""
    samples, rows, columns, channels = region.shape
    padding = held.padding if writes and region.channels[1] == held.region.channels[1] else 0
    return Operand(
        buffer=held.buffer,
        offset=offset_in(held, region),
        samples=samples,
        rows=rows,
        columns=columns,
        channels=channels,
        sample_stride=held.strides.sample,
        row_stride=held.strides.row,
        pixel_stride=held.strides.pixel,
        padding=padding,
    )


def transfer_box(held: Held, region: Region, dram: Strides) -> Box:
    """The copy of a region between DRAM (whole map, strides ``dram``) and a buffer, merged into the longest runs.

    Padding lanes travel along when the region reaches the last channel.
    """
    samples, rows, columns, channels = region.shape
    run = channels
    if region.channels[1] == held.map.channels:
        run += min(
            held.strides.pixel - (held.region.channels[1] - held.region.channels[0]), dram.pixel - held.map.channels
        )
    if run == held.strides.pixel == dram.pixel:
        run, columns = run * columns, 1
        if run == held.strides.row == dram.row:
            run, rows = run * rows, 1
            if run == held.strides.sample == dram.sample:
                run, samples = run * samples, 1
    return Box(
        (samples, rows, columns, run),
        (dram.sample, dram.row, dram.pixel),
        (held.strides.sample, held.strides.row, held.strides.pixel),
    )


def window_range(output: Range, window: Window, axis: int, size: int) -> tuple[Range, tuple[int, int]]:
    """Input range of an output range along one axis (0 rows, 1 columns), and the padding cells before and after it."""
    stride, kernel, dilation = window.strides[axis], window.kernel[axis], window.dilations[axis]
    start = output[0] * stride - window.pads[axis]
    end = (output[1] - 1) * stride + (kernel - 1) * dilation + 1 - window.pads[axis]
    return (max(0, start), min(size, end)), (max(0, -start), max(0, end - size))


def block_window(output: Region, window: Window, source: FeatureMap) -> tuple[Range, Range, Window]:
    """Input rows and columns of an output block, and the window with the block's own pads."""
    rows, (top, bottom) = window_range(output.rows, window, 0, source.rows)
    columns, (left, right) = window_range(output.columns, window, 1, source.columns)
    return rows, columns, Window(window.kernel, window.strides, window.dilations, (top, left, bottom, right))


def splits(size: int, block: int) -> tuple[Range, ...]:
    """``range(size)`` in blocks of at most ``block``."""
    return tuple((low, min(size, low + block)) for low in range(0, size, block))


def shares(size: int) -> list[int]:
    """The sizes that cut ``size`` into 1, 2, 3 ... nearly equal parts, largest first."""
    found = [size]
    while found[-1] > 1:
        found.append(-(-size // -(-size // (found[-1] - 1))))
    return found

"""A modelled memory in which every byte knows who wrote it.

In: named ranges (buffers on chip, tensors in DRAM) and how many commands will read each. Out: views of bytes, handed
out only after the checks. Always holds: a view that was handed out for reading contains only bytes that its own range
wrote and that no other range has overwritten since; a write never destroys bytes that somebody still has to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Int8Array

#: No command touches more elements than this, or than the memory has bytes. Strides of 0 repeat bytes.
MAX_ELEMENTS = 1 << 26


@dataclass(frozen=True, slots=True)
class Range:
    """A named range of a memory, in bytes."""

    name: str
    address: int
    bytes: int

    @property
    def end(self) -> int:
        """First byte after it."""
        return self.address + self.bytes


@dataclass(frozen=True, slots=True)
class Region:
    """A strided box inside range number ``range``; the first element lies at ``offset``. Strides in bytes."""

    range: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def bounds(self) -> tuple[int, int]:
        """First byte and first byte after the last, counted from the range's start."""
        spans = [(size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)]
        low = self.offset + sum(span for span in spans if span < 0)
        return low, self.offset + sum(span for span in spans if span > 0) + 1

    def merged(self) -> Region:
        """The same bytes in the same order, dimensions that continue each other joined."""
        shape: list[int] = []
        strides: list[int] = []
        for size, stride in zip(self.shape, self.strides, strict=True):
            if size == 1:
                continue
            if shape and strides[-1] == size * stride:
                shape[-1], strides[-1] = shape[-1] * size, stride
            else:
                shape.append(size)
                strides.append(stride)
        return Region(self.range, self.offset, tuple(shape), tuple(strides))


class Memory:
    """Bytes, the tag of each byte's last writer, and the reads that are still to come per range."""

    def __init__(self, name: str, ranges: Sequence[Range], size: int, reads: Sequence[int]) -> None:
        """``reads[i]`` is the number of commands that will read range i; ``size`` the memory's bytes."""
        self.name = name
        self.ranges = tuple(ranges)
        self.size = size
        self.reads = list(reads)
        self._bytes = np.zeros(size, np.int8)
        self._writer = np.zeros(size, np.min_scalar_type(len(ranges)))
        self._overlaps = _overlapping(self.ranges)
        self._written = [False] * len(self.ranges)

    def read(self, region: Region) -> Int8Array:
        """A view of the region.

        Raises:
            ExecutionError: outside the range or the memory, never written, or last written by another range.
        """
        self.check_bounds(region, "read")
        if not (self._tags(region) == region.range + 1).all():
            raise self._not_written(region)
        view = self._view(self._bytes, region)
        view.flags.writeable = False
        return view

    def write(self, region: Region) -> Int8Array:
        """A view of the region to be filled by the caller; its bytes count as written by the range.

        Raises:
            ExecutionError: outside the range or the memory, or onto bytes of another range that are still to be read.
        """
        self.check_bounds(region, "write")
        self._check_live(region)
        self._tags(region)[...] = region.range + 1
        self._written[region.range] = True
        return self._view(self._bytes, region)

    def finish_read(self, number: int) -> None:
        """One of the commands that read range ``number`` is done."""
        self.reads[number] -= 1

    def _tags(self, region: Region) -> np.ndarray:
        """The tags of a region's bytes, in as few dimensions as they can be walked in."""
        return self._view(self._writer, region.merged())

    def _view(self, array: np.ndarray, region: Region) -> np.ndarray:
        start = (self.ranges[region.range].address + region.offset) * array.itemsize
        strides = tuple(stride * array.itemsize for stride in region.strides)
        return np.ndarray(region.shape, array.dtype, array, start, strides)

    def check_bounds(self, region: Region, verb: str) -> None:
        """Refuse a region that leaves its range or the memory; ``verb`` says what it is for.

        Raises:
            ExecutionError: it does, or it is empty or absurdly large.
        """
        target = self.ranges[region.range]
        if min(region.shape, default=1) < 1 or prod(region.shape) > max(MAX_ELEMENTS, self.size):
            raise ExecutionError(f"{verb} of {target.name}: {region.shape} is no region of bytes")
        low, high = region.bounds()
        if low < 0 or high > target.bytes:
            raise ExecutionError(f"{verb} of {target.name}: bytes {low}..{high - 1} of {target.bytes}")
        if target.end > self.size:
            raise ExecutionError(
                f"{verb} of {target.name}: it ends at byte {target.end} of {self.name}, which has {self.size}"
            )

    def _check_live(self, region: Region) -> None:
        """A write must not hit bytes that another range wrote and that are still to be read."""
        for other in self._overlaps[region.range]:
            alive = self.reads[other] > 0 and self._written[other]
            if alive and (self._tags(region) == other + 1).any():
                raise ExecutionError(
                    f"write to {self.ranges[region.range].name} would destroy bytes of {self.ranges[other].name}, "
                    f"which {self.reads[other]} more commands read"
                )

    def _not_written(self, region: Region) -> ExecutionError:
        tags = self._tags(region)
        wrong = tags[tags != region.range + 1]
        first = int(wrong.flat[0])
        reason = f"last written by {self.ranges[first - 1].name}" if first else "never written"
        return ExecutionError(
            f"read of {self.ranges[region.range].name}: {wrong.size} of {tags.size} bytes are not its own ({reason})",
            hint="a wait is missing, or two buffers share addresses too early",
        )


def _overlapping(ranges: tuple[Range, ...]) -> tuple[tuple[int, ...], ...]:
    """For each range, the others that share bytes with it."""
    found: list[list[int]] = [[] for _ in ranges]
    open_ranges: list[int] = []
    for index in sorted(range(len(ranges)), key=lambda i: ranges[i].address):
        open_ranges = [other for other in open_ranges if ranges[other].end > ranges[index].address]
        for other in open_ranges:
            found[index].append(other)
            found[other].append(index)
        open_ranges.append(index)
    return tuple(tuple(sorted(others)) for others in found)

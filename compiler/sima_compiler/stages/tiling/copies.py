"""Affine moves of a copy layer in coordinates: rows, columns and channels of both maps.

In: a `Move` in elements of the dense storage order. Out: `CoordinateMove`s, their part inside an output block, the
input box that a part reads, and byte strides for any buffers. Before: one dimension may run across pixels and rows.
After: every dimension steps by fixed rows, columns and channels on both sides, because one that carries is split at the
carry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import gcd

from sima_compiler.errors import InternalError
from sima_compiler.ir.layers import Copy, FeatureMap, Move
from sima_compiler.stages.tiling.geometry import Held, Range, Region

Position = tuple[int, int, int]
AXES = range(3)


@dataclass(frozen=True, slots=True)
class Dimension:
    """``size`` steps, each moving by (rows, columns, channels) in the source and in the target."""

    size: int
    source: Position
    target: Position


@dataclass(frozen=True, slots=True)
class CoordinateMove:
    """One affine copy from position ``source`` to position ``target``; ``number`` is the move's place in its layer."""

    number: int
    name: str
    source: Position
    target: Position
    dimensions: tuple[Dimension, ...]

    def box(self, *, target: bool) -> tuple[Range, Range, Range]:
        """Bounding ranges of rows, columns and channels on one side."""
        start = self.target if target else self.source
        steps = [(dim.size, dim.target if target else dim.source) for dim in self.dimensions]
        ends = [start[axis] + sum((size - 1) * step[axis] for size, step in steps) + 1 for axis in AXES]
        return (start[0], ends[0]), (start[1], ends[1]), (start[2], ends[2])


def coordinate_move(number: int, move: Move, source: FeatureMap, target: FeatureMap) -> CoordinateMove:
    """The move in coordinates of its two maps.

    Raises:
        InternalError: a stride that is no whole number of channels, pixels or rows on one side.
    """
    pending = list(zip(move.sizes, move.source_strides, move.target_strides, strict=True))
    dimensions: list[Dimension] = []
    while pending:
        size, from_stride, to_stride = pending.pop(0)
        if size == 1:
            continue
        inner = gcd(_carry_free(size, from_stride, source), _carry_free(size, to_stride, target))
        if inner < size:
            pending[:0] = [(size // inner, from_stride * inner, to_stride * inner), (inner, from_stride, to_stride)]
        else:
            dimensions.append(Dimension(size, _position(from_stride, source), _position(to_stride, target)))
    starts = _position(move.source_offset, source), _position(move.target_offset, target)
    found = CoordinateMove(number, move.source, *starts, tuple(dimensions))
    _check(found, source, target)
    return found


def _position(elements: int, feature_map: FeatureMap) -> Position:
    pixel, channel = divmod(elements, feature_map.channels)
    return (*divmod(pixel, feature_map.columns), channel)


def _carry_free(size: int, stride: int, feature_map: FeatureMap) -> int:
    """The largest divisor of ``size`` whose steps, started at an even position, never carry."""
    channels, columns = feature_map.channels, feature_map.columns
    for unit, limit in ((1, channels), (channels, columns)):
        if stride % (unit * limit) and (size - 1) * stride >= unit * limit:
            if (unit * limit) % stride:
                return 1
            return gcd(size, unit * limit // stride)
    return size


def _check(move: CoordinateMove, source: FeatureMap, target: FeatureMap) -> None:
    for side, feature_map in ((False, source), (True, target)):
        limits = (feature_map.rows, feature_map.columns, feature_map.channels)
        if any(high > limit for (_, high), limit in zip(move.box(target=side), limits, strict=True)):
            raise InternalError(f"tile: move {move.number} of {move.name} crosses rows or pixels of {feature_map.name}")


def restricted(move: CoordinateMove, block: Region) -> Iterator[CoordinateMove]:
    """The parts of a move whose targets lie in a block's rows and columns."""
    parts = [move]
    for axis, limits in ((0, block.rows), (1, block.columns)):
        parts = [piece for part in parts for piece in _cut(part, axis, limits)]
    yield from parts


def _cut(move: CoordinateMove, axis: int, limits: Range) -> Iterator[CoordinateMove]:
    """Parts of a move whose target coordinate lies within limits along one axis.

    All but one of the dimensions that step along the axis are taken step by step; the last is narrowed to a range.
    """
    stepping = [index for index, dim in enumerate(move.dimensions) if dim.target[axis]]
    if not stepping:
        if limits[0] <= move.target[axis] < limits[1]:
            yield move
        return
    *outer, inner = stepping
    rest = [dim for index, dim in enumerate(move.dimensions) if index not in outer]
    for steps in product(*(range(move.dimensions[index].size) for index in outer)):
        offsets = [(step, move.dimensions[index]) for step, index in zip(steps, outer, strict=True)]
        start = replace(
            move,
            source=_advance(move.source, [(step, dim.source) for step, dim in offsets]),
            target=_advance(move.target, [(step, dim.target) for step, dim in offsets]),
            dimensions=tuple(rest),
        )
        yield from _narrow(start, move.dimensions[inner], axis, limits)


def _narrow(move: CoordinateMove, along: Dimension, axis: int, limits: Range) -> Iterator[CoordinateMove]:
    stride = along.target[axis]
    low = max(0, -(-(limits[0] - move.target[axis]) // stride))
    high = min(along.size, -(-(limits[1] - move.target[axis]) // stride))
    if low < high:
        position = next(index for index, dim in enumerate(move.dimensions) if dim is along)
        dimensions = list(move.dimensions)
        dimensions[position] = replace(along, size=high - low)
        yield replace(
            move,
            source=_advance(move.source, [(low, along.source)]),
            target=_advance(move.target, [(low, along.target)]),
            dimensions=tuple(dimensions),
        )


def _advance(start: Position, steps: Sequence[tuple[int, Position]]) -> Position:
    return (
        start[0] + sum(count * step[0] for count, step in steps),
        start[1] + sum(count * step[1] for count, step in steps),
        start[2] + sum(count * step[2] for count, step in steps),
    )


def copy_input_region(kernel: Copy, source: FeatureMap, target: FeatureMap, block: Region) -> Region:
    """The box of one source map that an output block reads; empty ranges when it reads nothing."""
    boxes = [
        part.box(target=False)
        for number, move in enumerate(kernel.moves)
        if move.source == source.name
        for part in restricted(coordinate_move(number, move, source, target), block)
    ]
    if not boxes:
        return Region(block.samples, (0, 0), (0, 0), (0, 0))
    ranges = [(min(box[axis][0] for box in boxes), max(box[axis][1] for box in boxes)) for axis in AXES]
    return Region(block.samples, *ranges)


def byte_dimensions(
    move: CoordinateMove, source: Held, target: Held
) -> tuple[int, int, tuple[tuple[int, int, int], ...]]:
    """Byte offsets in the two buffers, and (size, source stride, target stride) in bytes per dimension."""
    offsets = source.offset + _offset(move.source, source), target.offset + _offset(move.target, target)
    dimensions = tuple((dim.size, _bytes(dim.source, source), _bytes(dim.target, target)) for dim in move.dimensions)
    return (*offsets, dimensions)


def _offset(position: Position, held: Held) -> int:
    region = held.region
    rows, columns, channels = region.rows[0], region.columns[0], region.channels[0]
    return _bytes((position[0] - rows, position[1] - columns, position[2] - channels), held)


def _bytes(step: Position, held: Held) -> int:
    return step[0] * held.strides.row + step[1] * held.strides.pixel + step[2]

"""Affine moves of a copy layer in coordinates: rows, columns and channels of both maps.

In: a `Move` in elements of the dense storage order. Out: `CoordinateMove`s, their part inside an output block, the
input box that a part reads, and byte strides for any buffers. Before: one dimension may run across pixels and rows.
After: every dimension steps by fixed rows, columns and channels on both sides, because one that carries is split at the
carry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

from sima_compiler.errors import InternalError
from sima_compiler.ir.layers import Copy, FeatureMap, Move
from sima_compiler.stages.tiling.block.geometry import Held, Range, Region

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


def coordinate_moves(kernel: Copy, maps: Mapping[str, FeatureMap], target: FeatureMap) -> tuple[CoordinateMove, ...]:
    """All moves of a layer in coordinates."""
    return tuple(coordinate_move(number, move, maps[move.source], target) for number, move in enumerate(kernel.moves))


def coordinate_move(number: int, move: Move, source: FeatureMap, target: FeatureMap) -> CoordinateMove:
    """The move in coordinates of its two maps.

    Raises:
        InternalError: a stride that is no whole number of channels, pixels or rows on one side.
    """
    offsets = move.source_offset, move.target_offset
    steps = tuple(zip(move.sizes, move.source_strides, move.target_strides, strict=True))
    found = _coordinates(
        number=number, name=move.source, offsets=offsets, steps=steps, source=_sizes(source), target=_sizes(target)
    )
    for side, feature_map in ((False, source), (True, target)):
        limits = _sizes(feature_map)
        if any(high > limit for (_, high), limit in zip(found.box(target=side), limits, strict=True)):
            raise InternalError(f"tile: move {number} of {move.source} crosses rows or pixels of {feature_map.name}")
    return found


@lru_cache(maxsize=1 << 12)
def _coordinates(
    number: int,
    name: str,
    offsets: tuple[int, int],
    steps: tuple[tuple[int, int, int], ...],
    source: Position,
    target: Position,
) -> CoordinateMove:
    pending = list(steps)
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
    starts = _position(offsets[0], source), _position(offsets[1], target)
    return CoordinateMove(number, name, *starts, tuple(dimensions))


def _sizes(feature_map: FeatureMap) -> Position:
    return feature_map.rows, feature_map.columns, feature_map.channels


def _position(elements: int, sizes: Position) -> Position:
    pixel, channel = divmod(elements, sizes[2])
    return (*divmod(pixel, sizes[1]), channel)


def _carry_free(size: int, stride: int, sizes: Position) -> int:
    """The largest divisor of ``size`` whose steps, started at an even position, never carry."""
    _, columns, channels = sizes
    for unit, limit in ((1, channels), (channels, columns)):
        if stride % (unit * limit) and (size - 1) * stride >= unit * limit:
            if (unit * limit) % stride:
                return 1
            return gcd(size, unit * limit // stride)
    return size


@lru_cache(maxsize=1 << 14)
def restricted(move: CoordinateMove, rows: Range, columns: Range, channels: Range) -> tuple[CoordinateMove, ...]:
    """The parts of a move whose targets lie in these rows, columns and channels, each element in one part."""
    parts = [move]
    for axis, limits in enumerate((rows, columns, channels)):
        parts = [piece for part in parts for piece in _cut(part, axis, limits)]
    return tuple(parts)


def _cut(move: CoordinateMove, axis: int, limits: Range) -> Iterator[CoordinateMove]:
    """Parts of a move whose target coordinate lies within limits along one axis.

    Steps of the widest dimension that keep all others inside stay together; those that cross a limit, one at either
    end where strides nest, are cut along the other dimensions.
    """
    low, high = limits[0] - move.target[axis], limits[1] - move.target[axis]
    stepping = [index for index, dim in enumerate(move.dimensions) if dim.target[axis]]
    reach = sum((move.dimensions[index].size - 1) * move.dimensions[index].target[axis] for index in stepping)
    if low >= high or low > reach or high <= 0:
        return
    if low <= 0 and reach < high:
        yield move
        return
    outer = max(stepping, key=lambda index: move.dimensions[index].target[axis])
    size, stride = move.dimensions[outer].size, move.dimensions[outer].target[axis]
    inner = reach - (size - 1) * stride
    first, last = max(0, -(-(low - inner) // stride)), min(size, -(-high // stride))
    inside, outside = max(first, -(-low // stride)), min(last, (high - 1 - inner) // stride + 1)
    if inside >= outside:
        inside = outside = last
    for step in (*range(first, inside), *range(outside, last)):
        yield from _cut(narrowed(move, outer, (step, step + 1)), axis, limits)
    if inside < outside:
        yield narrowed(move, outer, (inside, outside))


def narrowed(move: CoordinateMove, index: int, steps: Range) -> CoordinateMove:
    """The part of a move that takes only some steps of one dimension."""
    along = move.dimensions[index]
    low, high = steps
    kept = () if high - low == 1 else (Dimension(high - low, along.source, along.target),)
    return CoordinateMove(
        move.number,
        move.name,
        _advance(move.source, low, along.source),
        _advance(move.target, low, along.target),
        (*move.dimensions[:index], *kept, *move.dimensions[index + 1 :]),
    )


def _advance(start: Position, steps: int, step: Position) -> Position:
    return start[0] + steps * step[0], start[1] + steps * step[1], start[2] + steps * step[2]


def copy_input_region(kernel: Copy, source: FeatureMap, target: FeatureMap, block: Region) -> Region:
    """The box of one source map that an output block reads; empty ranges when it reads nothing."""
    boxes = [
        part.box(target=False)
        for number, move in enumerate(kernel.moves)
        if move.source == source.name
        for part in restricted(coordinate_move(number, move, source, target), block.rows, block.columns, block.channels)
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

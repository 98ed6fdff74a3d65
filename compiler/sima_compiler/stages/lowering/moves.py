"""Moves: one affine copy between two views of the same logical shape.

In: the geometries of two maps and a view on each. Out: a `Move` whose dimensions each stay within one axis (rows,
columns or channels) of both maps, so that padded pixels never lie inside a stride; or None where no single move does.
Always holds: at most six dimensions, none of size 1, none that could be joined with its neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.ir.layers import Move
from sima_compiler.stages.lowering.feature_maps import Geometry
from sima_compiler.stages.lowering.views import Axis, Factor, View

#: What the machine's copy engine walks.
MAX_DIMENSIONS = 6


@dataclass(frozen=True, slots=True)
class Dimension:
    """One loop of a copy: ``size`` steps, in elements of the two maps."""

    size: int
    source: int
    target: int


def build_move(source: View, source_sizes: Geometry, target: View, target_sizes: Geometry) -> Move | None:
    """The copy of everything ``source`` reads to where ``target`` says; None when it takes more than one move."""
    paired = _pair(source.factors, target.factors)
    if paired is None:
        return None
    split = _split(paired, source_sizes, target_sizes)
    if split is None:
        return None
    dimensions = _joined(split, source_sizes, target_sizes)
    read = [(dimension.size, dimension.source) for dimension in dimensions]
    written = [(dimension.size, dimension.target) for dimension in dimensions]
    legal = stays_inside(source.offset, read, source_sizes) and stays_inside(target.offset, written, target_sizes)
    if len(dimensions) > MAX_DIMENSIONS or not legal:
        return None
    return Move(
        source=source.source,
        source_offset=source.offset,
        target_offset=target.offset,
        sizes=tuple(dimension.size for dimension in dimensions),
        source_strides=tuple(dimension.source for dimension in dimensions),
        target_strides=tuple(dimension.target for dimension in dimensions),
        lookup=source.lookup,
    )


def stays_inside(offset: int, loops: list[tuple[int, int]], sizes: Geometry) -> bool:
    """Whether loops (size, stride) from ``offset`` never leave the axis of the map that their stride walks."""
    _, columns, channels = sizes
    units = (columns * channels, channels, 1)
    reach = [offset // units[0], offset // channels % columns, offset % channels]
    for size, stride in loops:
        axis = _axis(stride, sizes)
        if stride % units[axis]:
            return False
        reach[axis] += (size - 1) * stride // units[axis]
    return all(end < size for end, size in zip(reach, sizes, strict=True))


def _axis(stride: int, sizes: Geometry) -> int:
    """0, 1 or 2: the slowest axis of the map whose unit is not larger than ``stride``."""
    _, columns, channels = sizes
    if stride >= columns * channels and sizes[0] > 1:
        return 0
    return 1 if stride >= channels and columns > 1 else 2


def _pair(source: Axis, target: Axis) -> list[Dimension] | None:
    """Split two digit lists until their sizes agree one by one."""
    left, right = list(source), list(target)
    result: list[Dimension] = []
    while left and right:
        a, b = left.pop(), right.pop()
        size = min(a.size, b.size)
        if a.size % size or b.size % size:
            return None
        result.append(Dimension(size, a.stride, b.stride))
        _put_back(left, a, size)
        _put_back(right, b, size)
    return None if left or right else result[::-1]


def _put_back(digits: list[Factor], digit: Factor, size: int) -> None:
    if digit.size > size:
        digits.append(Factor(digit.size // size, digit.stride * size))


def _split(dimensions: list[Dimension], source: Geometry, target: Geometry) -> list[Dimension] | None:
    """Cut dimensions where they would run over the end of an axis of either map."""
    result: list[Dimension] = []
    work = list(reversed(dimensions))
    while work:
        dimension = work.pop()
        cut = _cut(dimension.size, dimension.source, source) or _cut(dimension.size, dimension.target, target)
        if cut is None:
            result.append(dimension)
        elif dimension.size % cut:
            return None
        else:
            work.append(Dimension(cut, dimension.source, dimension.target))
            work.append(Dimension(dimension.size // cut, dimension.source * cut, dimension.target * cut))
    return result


def _cut(size: int, stride: int, sizes: Geometry) -> int | None:
    """Steps of ``stride`` until the next slower axis begins, None when ``size`` steps do not get there."""
    for unit in (sizes[2], sizes[1] * sizes[2]):
        if stride < unit < stride * size and unit % stride == 0:
            return unit // stride
    return None


def _joined(dimensions: list[Dimension], source: Geometry, target: Geometry) -> list[Dimension]:
    """Slowest write first; neighbours that continue each other in both maps, within one axis of each, become one."""
    result: list[Dimension] = []
    for dimension in sorted(dimensions, key=lambda one: (-one.target, -one.source)):
        if dimension.size == 1:
            continue
        last = result[-1] if result else None
        if last is not None and _continues(last, dimension, source, target):
            result[-1] = Dimension(last.size * dimension.size, dimension.source, dimension.target)
        else:
            result.append(dimension)
    return result


def _continues(slow: Dimension, fast: Dimension, source: Geometry, target: Geometry) -> bool:
    joined = slow.source == fast.size * fast.source and slow.target == fast.size * fast.target
    same = _axis(slow.source, source) == _axis(fast.source, source)
    return joined and same and _axis(slow.target, target) == _axis(fast.target, target)

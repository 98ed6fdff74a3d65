"""Affine moves of a copy layer as gather commands on buffers.

In: a `Move` in elements of the dense storage order, and where its two maps lie. Out: sizes and byte strides. Before: one
dimension may run across pixels (16 dense channels of 3-channel pixels). After: every dimension steps a fixed number of bytes in
both padded layouts, because a dimension that carries from channels into pixels is split at the carry.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from sima_compiler.errors import InternalError
from sima_compiler.ir.layers import Move
from sima_compiler.stages.tiling.geometry import Held


@dataclass(frozen=True, slots=True)
class Side:
    """One map of a move: channels and pixel stride say how elements become bytes."""

    channels: int
    pixel: int

    @property
    def packed(self) -> bool:
        """No padding: element offsets are byte offsets."""
        return self.channels == self.pixel

    def bytes(self, elements: int) -> int:
        """Byte offset of an element offset."""
        return elements // self.channels * self.pixel + elements % self.channels

    def carries(self, size: int, stride: int) -> bool:
        """Whether stepping ``size`` times crosses from one pixel into the next other than by whole pixels."""
        return not self.packed and stride % self.channels != 0 and (size - 1) * stride >= self.channels


Dimension = tuple[int, int, int]


def gather_dimensions(move: Move, source: Held, target: Held) -> tuple[int, int, tuple[Dimension, ...]]:
    """Source and target byte offsets in the maps, and (size, source stride, target stride) per dimension.

    The samples dimension is not included. Offsets count from the first held sample.
    """
    sides = (_side(source), _side(target))
    dimensions = list(zip(move.sizes, move.source_strides, move.target_strides, strict=True))
    split: list[Dimension] = []
    while dimensions:
        size, source_stride, target_stride = dimensions.pop(0)
        if size == 1:
            continue
        inner = _carry_free(size, source_stride, target_stride, sides)
        if inner == size:
            split.append((size, sides[0].bytes(source_stride), sides[1].bytes(target_stride)))
        else:
            dimensions[:0] = [
                (size // inner, source_stride * inner, target_stride * inner),
                (inner, source_stride, target_stride),
            ]
    return sides[0].bytes(move.source_offset), sides[1].bytes(move.target_offset), tuple(split)


def _side(held: Held) -> Side:
    return Side(held.map.channels, held.strides.pixel)


def _carry_free(size: int, source_stride: int, target_stride: int, sides: tuple[Side, Side]) -> int:
    """The largest divisor of ``size`` whose steps stay inside pixels on both sides."""
    inner = size
    for side, stride in zip(sides, (source_stride, target_stride), strict=True):
        if side.carries(size, stride):
            if side.channels % stride:
                raise InternalError(f"tile: a move of stride {stride} crosses pixels of {side.channels} channels")
            inner = gcd(inner, side.channels // stride)
    return inner

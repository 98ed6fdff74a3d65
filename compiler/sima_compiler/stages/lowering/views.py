"""Views: a tensor as an affine reading of a feature map that exists already.

In: a tensor's per-sample axes. Out: where each element lies in the *dense storage order* (rows, columns, channels, no
padding) of one map. Reshape, Transpose and Slice only change the view; bytes move when a kernel cannot read it so.

A view holds, per logical axis, a tuple of factors (size, stride), slowest first: index i of an axis splits into mixed
radix digits over its factors. So Flatten of an image that is stored channels last is a view too: one axis, three
factors. Always holds: strides are positive, factors of size 1 are left out, an axis is as long as its factors' product.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

Int8Array = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Factor:
    """One digit of an index: ``size`` steps of ``stride`` elements."""

    size: int
    stride: int


Axis = tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A tensor read from map ``source``; ``lookup`` (256 entries) applies to every byte read.

    ``base`` is the tensor whose view this one was made from, empty for a layer's own result. ``parts`` and ``sources``
    name the operators, and the ONNX nodes, that are pending: they happen when the view is copied.
    """

    source: str
    axes: tuple[Axis, ...]
    offset: int = 0
    lookup: Int8Array | None = None
    base: str = ""
    parts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each logical axis."""
        return tuple(axis_length(axis) for axis in self.axes)

    @property
    def factors(self) -> Axis:
        """Every factor in logical order."""
        return tuple(factor for axis in self.axes for factor in axis)


def axis_length(axis: Axis) -> int:
    """Number of indices of one axis."""
    return prod(factor.size for factor in axis)


def axis_of(size: int, stride: int) -> Axis:
    """An axis of one factor, or of none when it has one index only."""
    return (Factor(size, stride),) if size > 1 else ()


def stored(source: str, shape: tuple[int, ...], order: tuple[int, ...]) -> View:
    """The view of a tensor whose axes lie densely in ``order``, slowest first."""
    strides = [0] * len(shape)
    step = 1
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return View(source, tuple(axis_of(size, stride) for size, stride in zip(shape, strides, strict=True)))


def storage_order(factors: Axis) -> Axis:
    """Factors from the slowest to the fastest."""
    return tuple(sorted(factors, key=lambda factor: -factor.stride))


def is_whole(view: View, elements: int) -> bool:
    """Whether the view reads every element of a map of that size once, as it is."""
    return view.lookup is None and covers(view, elements)


def covers(view: View, elements: int) -> bool:
    """Whether the view reads every element of a map of that size exactly once."""
    step = 1
    for factor in reversed(storage_order(view.factors)):
        if factor.stride != step:
            return False
        step *= factor.size
    return view.offset == 0 and step == elements


def same_order(one: View, other: View) -> bool:
    """Whether two tensors of one shape lie in the same way on their maps."""
    split = [tuple(merged(axis) for axis in view.axes) for view in (one, other)]
    return one.offset == other.offset and split[0] == split[1]


def with_lookup(view: View, table: Int8Array) -> View:
    """The view with one more table on its way."""
    return replace(view, lookup=table if view.lookup is None else table[view.lookup.astype(np.int16) + 128])


def transposed(view: View, permutation: tuple[int, ...]) -> View:
    """Axis i of the result is axis ``permutation[i]``."""
    return replace(view, axes=tuple(view.axes[axis] for axis in permutation))


def reshaped(view: View, shape: tuple[int, ...]) -> View | None:
    """The same elements in logical order under another shape; None when no affine view exists."""
    digits = list(merged(view.factors))
    axes: list[Axis] = []
    for size in reversed(shape):
        axis = _take(digits, size)
        if axis is None:
            return None
        axes.append(axis)
    return replace(view, axes=tuple(reversed(axes)))


def merged(factors: Axis) -> Axis:
    """Neighbours that continue each other joined into one factor."""
    result: list[Factor] = []
    for factor in factors:
        if factor.size == 1:
            continue
        if result and result[-1].stride == factor.size * factor.stride:
            result[-1] = Factor(result[-1].size * factor.size, factor.stride)
        else:
            result.append(factor)
    return tuple(result)


def _take(digits: list[Factor], size: int) -> Axis | None:
    """Take ``size`` indices from the fast end of ``digits``."""
    axis: list[Factor] = []
    while size > 1:
        if not digits:
            return None
        digit = digits.pop()
        if size % digit.size == 0:
            axis.append(digit)
            size //= digit.size
        elif digit.size % size == 0:
            axis.append(Factor(size, digit.stride))
            digits.append(Factor(digit.size // size, digit.stride * size))
            size = 1
        else:
            return None
    return tuple(reversed(axis))


def sliced(view: View, starts: tuple[int, ...], steps: tuple[int, ...], shape: tuple[int, ...]) -> View | None:
    """Every ``steps``-th index from ``starts``; None when a cut axis has no affine view."""
    offset = view.offset
    axes: list[Axis] = []
    for axis, start, step, size in zip(view.axes, starts, steps, shape, strict=True):
        if axis_length(axis) == size and start == 0 and (step == 1 or size == 1):
            axes.append(axis)
            continue
        single = merged(axis)
        if len(single) > 1:
            return None
        stride = single[0].stride if single else 0
        offset += start * stride
        axes.append(axis_of(size, step * stride))
    return replace(view, offset=offset, axes=tuple(axes))


def rule_order(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Storage order where nothing asks for another: an image (C, H, W) channels last, any other rank as it is."""
    return (1, 2, 0) if len(shape) == 3 else tuple(range(len(shape)))


def storage_axes(view: View) -> tuple[int, ...] | None:
    """Logical axes from the slowest to the fastest, None where no order of whole axes gives the view's bytes."""
    shape = view.shape
    axes = tuple(merged(axis) for axis in view.axes)
    rank = range(len(shape))
    by_stride = sorted(rank, key=lambda axis: -max((factor.stride for factor in axes[axis]), default=0))
    for order in (rule_order(shape), tuple(rank), tuple(by_stride)):
        if stored(view.source, shape, order).axes == axes:
            return order
    return None

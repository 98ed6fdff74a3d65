"""Kernels that select: TopK, NonMaxSuppression, OneHot.

In: a `Use` and arrays. Out: one array or more. Always: of equal values the one with the lower index comes first.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sima_compiler.ir.host import Array
from sima_compiler.ir.host_rules.rows import most_boxes
from sima_compiler.ir.host_rules.use import Use
from sima_compiler.sim.host.kernel import Kernel, Operands, optional, present
from sima_compiler.sim.host.rows import ordered

_F = np.float32


def _top(use: Use, operands: Operands) -> tuple[Array, Array]:
    value = present(operands, 0)
    axis = use.axis(use.integer("axis", -1), value.ndim)
    count = int(use.constant(1).reshape(-1)[0])
    rows = np.moveaxis(value, axis, -1)
    keys = np.moveaxis(ordered(value), axis, -1)
    order = np.argsort(~keys if use.integer("largest", 1) else keys, axis=-1, kind="stable")[..., :count]
    found = np.take_along_axis(rows, order, -1)
    return (np.ascontiguousarray(np.moveaxis(found, -1, axis)), np.ascontiguousarray(np.moveaxis(order, -1, axis)))


def _suppression(use: Use, operands: Operands) -> Array:
    """Rows of sample, class and box, those of a class in the order of their scores; the rest of the rows is -1."""
    boxes, scores = present(operands, 0), present(operands, 1)
    result = np.full((most_boxes(use), 3), -1, np.int64)
    limit = most_boxes(use) // max(1, scores.shape[0] * scores.shape[1])
    overlap, least = (optional(operands, index) for index in (3, 4))
    count = 0
    for sample, label in np.ndindex(*scores.shape[:2]):
        places = _candidates(scores[sample, label], least)
        areas = _corners(boxes[sample], is_centred=bool(use.integer("center_point_box", 0)))
        for box in _kept(areas, places, limit, _F(0) if overlap is None else _F(overlap.reshape(-1)[0])):
            result[count] = (sample, label, box)
            count += 1
    return result


def _candidates(scores: Array, least: Array | None) -> list[int]:
    """Boxes whose score is above the least, the best first."""
    order = np.argsort(~ordered(scores), kind="stable")
    return [int(place) for place in order if least is None or scores[place] > least.reshape(-1)[0]]


def _corners(boxes: Array, is_centred: bool) -> Array:
    """Least x and y, largest x and y, area, for each box."""
    if is_centred:
        half = boxes[:, 2:] / _F(2)
        low, high = boxes[:, :2] - half, boxes[:, :2] + half
    else:
        first, second = boxes[:, (1, 0)], boxes[:, (3, 2)]
        low, high = np.where(first < second, first, second), np.where(first < second, second, first)
    size = high - low
    return np.concatenate([low, high, size[:, :1] * size[:, 1:]], -1)


def _kept(areas: Array, places: list[int], limit: int, overlap: np.float32) -> list[int]:
    kept: list[int] = []
    for place in places:
        if len(kept) == limit:
            break
        if not any(_overlaps(areas[place], areas[other], overlap) for other in kept):
            kept.append(place)
    return kept


def _overlaps(one: Array, other: Array, most: np.float32) -> bool:
    """Whether two boxes share more than this part of their union."""
    low = np.where(one[:2] > other[:2], one[:2], other[:2])
    high = np.where(one[2:4] < other[2:4], one[2:4], other[2:4])
    if not (high > low).all() or one[4] <= _F(0) or other[4] <= _F(0):
        return False
    shared = (high[0] - low[0]) * (high[1] - low[1])
    union = (one[4] + other[4]) - shared
    return bool(union > _F(0)) and bool(shared / union > most)


def _one_hot(use: Use, operands: Operands) -> Array:
    indices, values = present(operands, 0), present(operands, 2)
    depth = int(use.constant(1, {use.value(1).dtype}).reshape(-1)[0])
    axis = use.axis(use.integer("axis", -1), indices.ndim + 1)
    # Real indices lose their fraction; what no int64 holds is none of the places.
    held = np.where(np.abs(indices) < _F(2**31), indices, _F(2**31)) if indices.dtype == np.float32 else indices
    whole = held.astype(np.int64)
    whole = np.where(whole < 0, whole + depth, whole)
    is_on = np.expand_dims(whole, axis) == np.arange(depth).reshape(
        [-1 if a == axis else 1 for a in range(whole.ndim + 1)]
    )
    return np.where(is_on, values[1], values[0])


KERNELS: Mapping[str, Kernel] = {"TopK": _top, "NonMaxSuppression": _suppression, "OneHot": _one_hot}

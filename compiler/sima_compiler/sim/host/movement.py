"""Kernels that move values, and those that read or write where indices say.

In: a `Use` and arrays. Out: one array or more. Always: no value is changed; an index outside of its axis means the
nearest place.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sima_compiler.ir.host import Array
from sima_compiler.ir.host_rules.blending import blends
from sima_compiler.ir.host_rules.moves import FILL, Moves, moves, steps
from sima_compiler.ir.host_rules.table import HOST_RULES
from sima_compiler.ir.host_rules.use import Use
from sima_compiler.sim.host.kernel import Kernel, Operands, optional, present


def _moved(use: Use, operands: Operands) -> tuple[Array, ...]:
    value, fill = present(operands, 0), None
    if use.node.op == "Pad":
        fill = optional(operands, 2)
    return tuple(
        _taken(value, found, value.dtype.type(0) if fill is None else fill.reshape(())) for found in moves(use)
    )


def _resize(use: Use, operands: Operands) -> tuple[Array, ...]:
    """Linear: in float64, corner by corner, the last blended axis fastest; rounded once."""
    if use.node.attributes.get("mode", "nearest") != "linear":
        return _moved(use, operands)
    value, axes = present(operands, 0).reshape(-1).astype(np.float64), blends(use)
    sums = np.zeros([len(axis.near) for axis in axes])
    blended = [place for place, axis in enumerate(axes) if axis.is_blended]
    for corner in np.ndindex(*(2,) * len(blended)):
        is_far = dict(zip(blended, corner, strict=True))
        place, weight = np.zeros((), np.int64), np.ones(())
        for number, axis in enumerate(axes):
            shape = [-1 if other == number else 1 for other in range(len(axes))]
            place = place + (axis.far if is_far.get(number) else axis.near).reshape(shape)
            if axis.is_blended:
                weights = axis.far_weights if is_far[number] else axis.near_weights
                weight = weight * weights.astype(np.float64).reshape(shape)
        sums += value[place] * weight
    return (sums.astype(np.float32),)


def _taken(value: Array, found: Moves, fill: object) -> Array:
    if 0 in found.shape:
        return np.empty(found.shape, value.dtype)
    place, is_filled = np.zeros((), np.int64), np.zeros((), np.bool_)
    for axis, table in enumerate(found.tables):
        along = table.reshape([-1 if other == axis else 1 for other in range(len(found.tables))])
        place, is_filled = place + along, is_filled | (along == FILL)
    if value.size == 0:
        return np.full(found.shape, fill, value.dtype)
    return np.where(is_filled, np.asarray(fill), value.reshape(-1)[np.where(is_filled, 0, place)]).astype(value.dtype)


def _viewed(use: Use, operands: Operands) -> Array:
    return present(operands, 0).reshape(HOST_RULES[use.node.op].infer(use)[0].shape)


def _concat(use: Use, operands: Operands) -> Array:
    values = [present(operands, index) for index in range(len(operands))]
    return np.concatenate(values, use.axis(use.integer("axis", 0), values[0].ndim))


def _trilu(use: Use, operands: Operands) -> Array:
    value = present(operands, 0)
    offset = (use.integers(1) or (0,))[0]
    return np.triu(value, offset) if use.integer("upper", 1) else np.tril(value, offset)


def held(indices: Array, size: int) -> Array:
    """Indices counted from the front, the nearest place where one lies outside."""
    whole = indices.astype(np.int64)
    return np.clip(np.where(whole < 0, whole + size, whole), 0, max(size - 1, 0))


def _gather(use: Use, operands: Operands) -> Array:
    value, indices = present(operands, 0), present(operands, 1)
    axis = use.axis(use.integer("axis", 0), value.ndim)
    return np.take(value, held(indices, value.shape[axis]), axis)


def _gather_elements(use: Use, operands: Operands) -> Array:
    value, indices = present(operands, 0), present(operands, 1)
    axis = use.axis(use.integer("axis", 0), value.ndim)
    cut = value[tuple(slice(None) if a == axis else slice(n) for a, n in enumerate(indices.shape))]
    return np.take_along_axis(cut, held(indices, value.shape[axis]), axis)


def _flat_places(indices: Array, shape: tuple[int, ...]) -> Array:
    """For each row of indices (the last axis) the flat place in an array of this shape, whose axes they are."""
    parts = [
        held(indices[..., axis], size) * step for axis, (size, step) in enumerate(zip(shape, steps(shape), strict=True))
    ]
    return sum(parts, np.zeros(indices.shape[:-1], np.int64))


def _gather_nd(use: Use, operands: Operands) -> Array:
    value, indices = present(operands, 0), present(operands, 1)
    shared, depth = use.integer("batch_dims", 0), indices.shape[-1]
    lead = int(np.prod(value.shape[:shared], dtype=np.int64))
    inner = value.shape[shared + depth :]
    rows = value.reshape(lead, -1, *inner)
    places = _flat_places(indices, value.shape[shared : shared + depth]).reshape(lead, -1)
    taken = rows[np.arange(lead)[:, None], places]
    return taken.reshape((*indices.shape[:-1], *inner))


def _scatter_nd(_use: Use, operands: Operands) -> Array:
    value, indices, updates = (present(operands, index) for index in range(3))
    depth = indices.shape[-1]
    inner = value.shape[depth:]
    rows = value.copy().reshape(-1, *inner)
    places = _flat_places(indices, value.shape[:depth]).reshape(-1)
    for place, update in zip(places, updates.reshape(-1, *inner), strict=True):
        rows[place] = update
    return rows.reshape(value.shape)


def _scatter_elements(use: Use, operands: Operands) -> Array:
    value, indices, updates = (present(operands, index) for index in range(3))
    axis = use.axis(use.integer("axis", 0), value.ndim)
    places = np.indices(indices.shape)
    places[axis] = held(indices, value.shape[axis])
    flat = sum(p.reshape(-1) * step for p, step in zip(places, steps(value.shape), strict=True))
    result = value.copy().reshape(-1)
    for place, update in zip(np.atleast_1d(flat), updates.reshape(-1), strict=True):
        result[place] = update
    return result.reshape(value.shape)


_MOVED = ("Transpose", "Slice", "Split", "Expand", "Tile", "Pad", "DepthToSpace", "SpaceToDepth")
_VIEWS = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze")

KERNELS: Mapping[str, Kernel] = {
    **dict.fromkeys(_MOVED, _moved),
    "Resize": _resize,
    **dict.fromkeys(_VIEWS, _viewed),
    "Concat": _concat,
    "Trilu": _trilu,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "ScatterElements": _scatter_elements,
}

"""Kernels that look at several values at once: reductions, orders, normalizations.

In: a `Use` and arrays. Out: one array or more. Always: sums are taken in float64, value after value in row-major order,
and rounded to float32 once; largest values and orders are compared as floats, a NaN above all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.host import Array
from sima_compiler.ir.host_rules.rows import reduced_axes
from sima_compiler.ir.host_rules.use import Use
from sima_compiler.sim.host import functions
from sima_compiler.sim.host.kernel import Kernel, Operands, optional, present

_F = np.float32
Doubles = npt.NDArray[np.float64]


def total(values: Array) -> Doubles:
    """The sums along the last axis in float64, from the first value on."""
    if values.shape[-1] == 0:
        return np.zeros(values.shape[:-1])
    # An accumulation has one order; `sum` chooses its own. Adding 0 leaves no -0, as a sum that starts from 0 has none.
    return np.add.accumulate(values, axis=-1, dtype=np.float64)[..., -1] + 0.0


def _rows(value: Array, axes: tuple[int, ...]) -> Array:
    """Kept axes, then one axis of what is reduced, in row-major order."""
    kept = tuple(axis for axis in range(value.ndim) if axis not in axes)
    moved = np.transpose(value, kept + axes)
    sizes = tuple(value.shape[axis] for axis in kept)
    return np.ascontiguousarray(moved).reshape(
        (*sizes, int(np.prod([value.shape[axis] for axis in axes], dtype=np.int64)))
    )


def _reduction(function: Callable[[Array], Any]) -> Kernel:
    def kernel(use: Use, operands: Operands) -> Array:
        value = present(operands, 0)
        axes = reduced_axes(use)
        result = np.asarray(function(_rows(value, axes))).astype(value.dtype)
        sizes = [1 if axis in axes else size for axis, size in enumerate(value.shape)]
        return result.reshape(sizes) if use.integer("keepdims", 1) else result

    return kernel


def _sum(rows: Array) -> Any:
    if rows.dtype != np.float32:
        return np.add.reduce(rows, axis=-1, dtype=rows.dtype)
    return total(rows)


def _product(rows: Array) -> Any:
    if rows.shape[-1] == 0:
        return np.ones(rows.shape[:-1])
    dtype = np.float64 if rows.dtype == np.float32 else rows.dtype
    return np.multiply.accumulate(rows, axis=-1, dtype=dtype)[..., -1]


def largest(rows: Array) -> Any:
    """The largest of each row, NaN if there is one; 0 is never -0."""
    return np.max(rows, axis=-1) + rows.dtype.type(0)


def smallest(rows: Array) -> Any:
    """The smallest of each row, NaN if there is one; 0 is never -0."""
    return np.min(rows, axis=-1) + rows.dtype.type(0)


def _squares(rows: Array) -> Doubles:
    wide = rows.astype(np.float64)
    return total(wide * wide)


def _log_sum_exp(rows: Array) -> Any:
    top = largest(rows)
    base = np.where(np.abs(top) < _F(np.inf), top, _F(0)).reshape(-1)
    powers = functions.exp((rows.reshape(base.size, -1) - base[:, None]).reshape(-1)).reshape(base.size, -1)
    return (functions.log(total(powers).astype(np.float32)) + base).reshape(rows.shape[:-1])


def _log_sum(rows: Array) -> Any:
    return functions.log(total(rows).astype(np.float32).reshape(-1)).reshape(rows.shape[:-1])


def _place(is_largest: bool) -> Kernel:
    def kernel(use: Use, operands: Operands) -> Array:
        value = present(operands, 0)
        axis = use.axis(use.integer("axis", 0), value.ndim)
        keys = np.moveaxis(ordered(value), axis, -1)
        keys = keys if is_largest else ~keys
        last = use.integer("select_last_index", 0)
        found = keys.shape[-1] - 1 - np.argmax(keys[..., ::-1], -1) if last else np.argmax(keys, -1)
        return np.expand_dims(found, axis) if use.integer("keepdims", 1) else np.asarray(found)

    return kernel


def ordered(values: Array) -> npt.NDArray[np.int64]:
    """Integers in the order of the values: -0 and 0 are one, a NaN is above all others."""
    if values.dtype != np.float32:
        return values.astype(np.int64)
    plain = np.where(np.isnan(values), _F(np.inf), values + _F(0)).astype(np.float32)
    bits = np.ascontiguousarray(plain).view(np.int32).astype(np.int64).reshape(values.shape)
    keys = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    return np.where(np.isnan(values), keys + 1, keys)


def _cumulative(use: Use, operands: Operands) -> Array:
    value = present(operands, 0)
    axis = use.axis((use.integers(1) or (0,))[0], value.ndim)
    rows = np.moveaxis(value, axis, -1)
    rows = rows[..., ::-1] if use.integer("reverse", 0) else rows
    wide = np.float64 if value.dtype == np.float32 else value.dtype.type
    sums = np.add.accumulate(rows, axis=-1, dtype=wide) + wide(0) if rows.shape[-1] else rows.astype(wide)
    if use.integer("exclusive", 0) and rows.shape[-1]:
        sums = np.concatenate([np.zeros_like(sums[..., :1]), sums[..., :-1]], -1)
    sums = sums[..., ::-1] if use.integer("reverse", 0) else sums
    return np.ascontiguousarray(np.moveaxis(sums, -1, axis)).astype(value.dtype)


def _softmax(is_logarithm: bool) -> Kernel:
    def kernel(use: Use, operands: Operands) -> Array:
        value = present(operands, 0)
        axis = use.axis(use.integer("axis", -1), value.ndim)
        if value.size == 0:
            return value
        rows = np.ascontiguousarray(np.moveaxis(value, axis, -1))
        shifted = rows - largest(rows)[..., None]
        powers = functions.exp(shifted.reshape(-1)).reshape(rows.shape)
        sums = total(powers).astype(np.float32)
        if is_logarithm:
            found = shifted - functions.log(sums.reshape(-1)).reshape(sums.shape)[..., None]
        else:
            found = powers / sums[..., None]
        return np.ascontiguousarray(np.moveaxis(found, -1, axis))

    return kernel


def _lp_norm(use: Use, operands: Operands) -> Array:
    value = present(operands, 0)
    axis = use.axis(use.integer("axis", -1), value.ndim)
    rows = _rows(value, (axis,))
    size = np.sqrt(_squares(rows)) if use.integer("p", 2) == 2 else total(np.abs(rows))
    size = np.expand_dims(size.astype(np.float32), axis)
    return np.where(size == _F(0), _F(0), value / size)


def _centred(rows: Array, epsilon: float) -> Array:
    """Rows with the mean 0 and the variance 1."""
    count = np.float64(rows.shape[-1])
    rest = rows - (total(rows) / count).astype(np.float32)[..., None]
    variance = (_squares(rest) / count).astype(np.float32)
    return rest * (_F(1) / np.sqrt(variance + _F(epsilon)))[..., None]


def _trailing(use: Use, value: Array) -> tuple[Array, tuple[int, ...]]:
    """Rows of all axes from the node's on, and their shape."""
    axis = use.axis(use.integer("axis", -1), value.ndim)
    shape = value.shape[axis:]
    return value.reshape((*value.shape[:axis], int(np.prod(shape, dtype=np.int64)))), shape


def _layer_norm(use: Use, operands: Operands) -> Array:
    value, gains, offsets = present(operands, 0), present(operands, 1), optional(operands, 2)
    rows, _ = _trailing(use, value)
    result = _centred(rows, use.number("epsilon", 1e-5)).reshape(value.shape) * gains
    return result if offsets is None else result + offsets


def _rms_norm(use: Use, operands: Operands) -> Array:
    value = present(operands, 0)
    rows, _ = _trailing(use, value)
    mean = (_squares(rows) / np.float64(rows.shape[-1])).astype(np.float32)
    factor = _F(1) / np.sqrt(mean + _F(use.number("epsilon", 1e-5)))
    return (rows * factor[..., None]).reshape(value.shape) * present(operands, 1)


def _instance_norm(use: Use, operands: Operands) -> Array:
    value, gains, offsets = (present(operands, index) for index in range(3))
    rows = value.reshape(*value.shape[:2], -1)
    result = _centred(rows, use.number("epsilon", 1e-5)) * gains[:, None] + offsets[:, None]
    return result.reshape(value.shape)


def _batch_norm(use: Use, operands: Operands) -> Array:
    value = present(operands, 0)
    shape = (-1, *(1,) * (value.ndim - 2))
    gains, offsets, means, variances = (present(operands, index).reshape(shape) for index in range(1, 5))
    factor = gains / np.sqrt(variances + _F(use.number("epsilon", 1e-5)))
    return (value - means) * factor + offsets


KERNELS: Mapping[str, Kernel] = {
    "ReduceSum": _reduction(_sum),
    "ReduceMean": _reduction(lambda rows: total(rows) / np.float64(rows.shape[-1])),
    "ReduceMax": _reduction(largest),
    "ReduceMin": _reduction(smallest),
    "ReduceProd": _reduction(_product),
    "ReduceL1": _reduction(lambda rows: total(np.abs(rows))),
    "ReduceL2": _reduction(lambda rows: np.sqrt(_squares(rows))),
    "ReduceSumSquare": _reduction(_squares),
    "ReduceLogSum": _reduction(_log_sum),
    "ReduceLogSumExp": _reduction(_log_sum_exp),
    "ArgMax": _place(is_largest=True),
    "ArgMin": _place(is_largest=False),
    "CumSum": _cumulative,
    "Softmax": _softmax(is_logarithm=False),
    "LogSoftmax": _softmax(is_logarithm=True),
    "LpNormalization": _lp_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "InstanceNormalization": _instance_norm,
    "BatchNormalization": _batch_norm,
}

"""Kernels that sum products: matrices, convolutions, pools.

In: a `Use` and arrays. Out: one array. Always: products of float32 are exact in float64, where they are added one after
the other and rounded to float32 once: along the contracted axis, of windows channel by channel, then row by row. Places
outside of a map are left out of the sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.host import Array
from sima_compiler.ir.host_rules.products import Windows, conv_windows, pool_counts, pool_windows, transposed_windows
from sima_compiler.ir.host_rules.use import Use
from sima_compiler.sim.host.kernel import Kernel, Operands, optional, present

_F = np.float32
Doubles = npt.NDArray[np.float64]
Slices = tuple[slice, ...]


def contracted(left: Array, right: Array, start: Doubles | float = 0.0) -> Doubles:
    """(..., M, K) times (..., K, N) in float64, from ``start`` on along K."""
    first, second = left.astype(np.float64), right.astype(np.float64)
    shape = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    sums = np.zeros((*shape, left.shape[-2], right.shape[-1])) + start
    for place in range(left.shape[-1]):
        sums += first[..., :, place, None] * second[..., place, None, :]
    return sums


def _matmul(_use: Use, operands: Operands) -> Array:
    first, second = present(operands, 0), present(operands, 1)
    left = first if first.ndim > 1 else first[None, :]
    right = second if second.ndim > 1 else second[:, None]
    found = contracted(left, right).astype(np.float32)
    found = found[..., 0, :] if first.ndim == 1 else found
    return found[..., 0] if second.ndim == 1 else found


def _gemm(use: Use, operands: Operands) -> Array:
    first, second, added = present(operands, 0), present(operands, 1), optional(operands, 2)
    left = first.T if use.integer("transA", 0) else first
    right = second.T if use.integer("transB", 0) else second
    found = contracted(left, right).astype(np.float32) * _F(use.number("alpha", 1.0))
    return found if added is None else found + added * _F(use.number("beta", 1.0))


def cells(found: Windows, places: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Slices, Slices]]:
    """Every cell of a window: its place in it, the results that see it inside the map, and what they see."""
    for cell in np.ndindex(*found.kernel):
        results: list[slice] = []
        seen: list[slice] = []
        for axis, place in enumerate(cell):
            stride, offset = found.strides[axis], place * found.dilations[axis] - found.pads[axis][0]
            low = max(0, -(offset // stride))
            high = min(found.sizes[axis], (places[axis] - 1 - offset) // stride + 1)
            results.append(slice(low, max(low, high)))
            seen.append(
                slice(low * stride + offset, max(low * stride + offset, (high - 1) * stride + offset + 1), stride)
            )
        if all(part.stop > part.start for part in results):
            yield cell, tuple(results), tuple(seen)


def _conv(use: Use, operands: Operands) -> Array:
    value, weights, bias = present(operands, 0), present(operands, 1), optional(operands, 2)
    found, groups = conv_windows(use), use.integer("group", 1)
    places, outputs = value.shape[2:], weights.shape[0]
    grouped = value.astype(np.float64).reshape(value.shape[0], groups, -1, *places)
    kernel = weights.astype(np.float64).reshape(groups, outputs // groups, *weights.shape[1:])
    sums = np.zeros((value.shape[0], groups, outputs // groups, *found.sizes))
    if bias is not None:
        sums += bias.reshape(groups, -1, *(1,) * len(places))
    ones = (1,) * len(places)
    windows = list(cells(found, places))
    for channel in range(weights.shape[1]):
        for cell, results, seen in windows:
            factors = kernel[(slice(None), slice(None), channel, *cell)].reshape(1, groups, -1, *ones)
            sums[(..., *results)] += grouped[(slice(None), slice(None), channel, *seen)][:, :, None] * factors
    return sums.astype(np.float32).reshape(value.shape[0], outputs, *found.sizes)


def _conv_transpose(use: Use, operands: Operands) -> Array:
    """Each input value spreads its window; a result adds channel by channel, then cell by cell."""
    value, weights, bias = present(operands, 0), present(operands, 1), optional(operands, 2)
    found, groups = transposed_windows(use), use.integer("group", 1)
    # What a Conv of the result would read: the same cells, the other way round.
    turned = Windows(found.kernel, found.strides, found.dilations, found.pads, value.shape[2:])
    inputs, outputs = weights.shape[0] // groups, weights.shape[1]
    grouped = value.astype(np.float64).reshape(value.shape[0], groups, inputs, *value.shape[2:])
    kernel = weights.astype(np.float64).reshape(groups, inputs, *weights.shape[1:])
    ones = (1,) * len(found.sizes)
    sums = np.zeros((value.shape[0], groups, outputs, *found.sizes))
    if bias is not None:
        sums += bias.reshape(groups, outputs, *ones)
    windows = list(cells(turned, found.sizes))
    for channel in range(inputs):
        for cell, read, written in windows:
            factors = kernel[(slice(None), channel, slice(None), *cell)].reshape(1, groups, outputs, *ones)
            sums[(..., *written)] += grouped[(slice(None), slice(None), channel, *read)][:, :, None] * factors
    return sums.astype(np.float32).reshape(value.shape[0], groups * outputs, *found.sizes)


def _max_pool(use: Use, operands: Operands) -> Array:
    value, found = present(operands, 0), pool_windows(use)
    result = np.full((*value.shape[:2], *found.sizes), -np.inf, np.float32)
    for _, results, seen in cells(found, value.shape[2:]):
        new, old = value[(..., *seen)], result[(..., *results)]
        result[(..., *results)] = np.where((new > old) | (np.isnan(new)), new, old)
    return result + _F(0)


def _average_pool(use: Use, operands: Operands) -> Array:
    value, found = present(operands, 0), pool_windows(use)
    sums = np.zeros((*value.shape[:2], *found.sizes))
    for _, results, seen in cells(found, value.shape[2:]):
        sums[(..., *results)] += value[(..., *seen)]
    return (sums / pool_counts(use)).astype(np.float32)


KERNELS: Mapping[str, Kernel] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _max_pool,
    "GlobalMaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _average_pool,
}

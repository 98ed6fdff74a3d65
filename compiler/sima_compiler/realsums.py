"""Averages of reals: sums of float32 in the orders in which onnxruntime makes them, for each sum is rounded.

In: what each byte stands for, window by window. Out: int8 arrays. Always: the same bytes whatever the batch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sima_compiler.arithmetic import FULL_RANGE, quantize_result, sum_in_sequence
from sima_compiler.ir.graph import Float32Array, Int8Array, Quantization, SumOrder


def average_of_table(
    total: Float32Array,
    cells: npt.NDArray[np.int32],
    output: Quantization,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """Sums of reals divided by ``cells``, then quantized: an average in float32 with a QuantizeLinear behind it."""
    with np.errstate(all="ignore"):
        real = total / cells.astype(np.float32)
    return np.clip(quantize_result(real, output), *clamp).astype(np.int8)


def sum_of_reals(windows: Float32Array, order: SumOrder, channel_axis: int = 1) -> Float32Array:
    """Sums over the last two axes (window rows, window columns) in `SumOrder`.

    ``channel_axis``: for PAIRS, where it depends on the channel which cells lie at multiples of four.
    onnxruntime sums so: ROWS where a pool's channels are a multiple of 16 (of 8 on hosts without AVX512), COLUMNS and
    LANES in other pools, PAIRS in a ReduceMean.
    """
    with np.errstate(all="ignore"):
        if order is SumOrder.ROWS:
            cells = np.ndindex(*windows.shape[-2:])
            return sum_in_sequence(np.zeros(windows.shape[:-2], np.float32), (windows[..., i, j] for i, j in cells))
        if order is SumOrder.COLUMNS:
            return _in_sequence(_in_sequence(np.moveaxis(windows, -2, -1)))
        flat = windows.reshape(*windows.shape[:-2], -1)
        if order is SumOrder.LANES:
            return _in_lanes(flat, 0, 1)
        moved = np.moveaxis(flat, channel_axis, 0)
        first = [min(-channel * flat.shape[-1] % 4, flat.shape[-1]) for channel in range(len(moved))]
        sums = [_in_lanes(part, start, 2) for part, start in zip(moved, first, strict=True)]
        return np.moveaxis(np.stack(sums), 0, channel_axis)


def _in_sequence(values: Float32Array) -> Float32Array:
    """Sums over the last axis from its first entry on."""
    return sum_in_sequence(np.zeros(values.shape[:-1], np.float32), np.moveaxis(values, -1, 0))


def _in_lanes(values: Float32Array, first: int, vectors: int) -> Float32Array:
    """Sums over the last axis by ``vectors`` x 4 sums from entry ``first`` on; fewer than four go in sequence."""
    whole = (values.shape[-1] - first) // 4
    if whole < 1:
        return _in_sequence(values)
    lanes = values[..., first : first + 4 * whole].reshape(*values.shape[:-1], whole, 4)
    paired = whole // vectors * vectors
    sums = [_in_sequence(np.moveaxis(lanes[..., start:paired:vectors, :], -2, -1)) for start in range(vectors)]
    total = _in_sequence(np.stack(sums, axis=-1))
    for place in range(paired, whole):
        total = np.add(total, lanes[..., place, :], dtype=np.float32)
    result = (total[..., 0] + total[..., 2]) + (total[..., 1] + total[..., 3])
    for place in (*range(first), *range(first + 4 * whole, values.shape[-1])):
        result = np.add(result, values[..., place], dtype=np.float32)
    return result

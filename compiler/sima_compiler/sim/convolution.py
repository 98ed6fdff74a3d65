"""Multiply-accumulate as the machine defines it: int8 times int8 into int32, exactly, by float32 matrix products.

In: int8 (samples, rows, columns, channels), int8 weights (Cout, kh, kw, Cin / groups). Out: int32 sums or, through
`finish`, int8 results. Always holds: every partial sum inside one matrix product is an integer below 2^24, so float32
is exact; longer contractions are split and the parts added as int32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Float32Array, Int8Array, Int32Array
from sima_compiler.ir.layers import Window

#: float32 represents every integer below this.
EXACT = 1 << 24
#: 4-byte values that one matrix, unrolled windows or sums, may hold: what a processor's cache can keep.
CHUNK_VALUES = 1 << 21
#: Bytes of a source with its pads that the model is willing to hold.
MAX_PADDED = 1 << 30


def convolve(
    source: Int8Array,
    weights: Int8Array,
    window: Window,
    *,
    groups: int,
    zero_point: int,
    size: tuple[int, int],
    finish: Callable[[Int32Array], Int8Array],
) -> Int8Array:
    """The convolution of ``source``; pads hold the zero point.

    ``size`` is the output's (rows, columns). ``finish`` turns int32 sums (samples, rows, columns, Cout) into int8
    of the same shape; it is called on parts. Returns int8 (samples, rows, columns, Cout).

    Raises:
        ExecutionError: the window does not reach the last output cell.
    """
    check_window(source.shape, window, size)
    result = np.empty((source.shape[0], *size, weights.shape[0]), np.int8)
    depthwise = weights.shape[3] == 1 and groups == source.shape[3] and groups > 1
    sums = _depthwise(weights, window) if depthwise else _Products(weights, window, groups, zero_point)
    depth = max(source.shape[3] * window.kernel[0] * window.kernel[1], weights.shape[0])
    for samples, rows in _parts(source.shape[0], size, depth):
        patch = _patch(source[samples], window, zero_point, rows, size[1])
        result[samples, rows] = finish(sums(patch, rows.stop - rows.start, size[1]))
    return result


def check_window(shape: tuple[int, ...], window: Window, output: tuple[int, int]) -> None:
    """The padded source (samples, rows, columns, channels) must hold every window of ``output`` cells."""
    if min(*window.kernel, *window.strides, *window.dilations) < 1:
        raise ExecutionError("a window's kernel, strides and dilations are at least 1")
    top, left, bottom, right = window.pads
    if shape[0] * (shape[1] + top + bottom) * (shape[2] + left + right) * shape[3] > MAX_PADDED:
        raise ExecutionError(f"pads {window.pads} make the source larger than {MAX_PADDED} bytes")
    for axis, (cells, pads) in enumerate(((shape[1], top + bottom), (shape[2], left + right))):
        reach = (output[axis] - 1) * window.strides[axis] + (window.kernel[axis] - 1) * window.dilations[axis] + 1
        if reach > cells + pads:
            raise ExecutionError(f"the window reaches {reach} cells along axis {axis}, the source has {cells + pads}")


def taps(padded: np.ndarray, window: Window, size: tuple[int, int]) -> Iterator[tuple[int, int, np.ndarray]]:
    """Row and column of each window cell, with the (samples, rows, columns, channels) view that it sees."""
    for row in range(window.kernel[0]):
        for column in range(window.kernel[1]):
            first, second = row * window.dilations[0], column * window.dilations[1]
            rows = slice(first, first + (size[0] - 1) * window.strides[0] + 1, window.strides[0])
            columns = slice(second, second + (size[1] - 1) * window.strides[1] + 1, window.strides[1])
            yield row, column, padded[:, rows, columns]


def _parts(samples: int, size: tuple[int, int], depth: int) -> Iterator[tuple[slice, slice]]:
    """Samples and output rows whose matrices, ``depth`` values per output cell, fit one chunk."""
    row_values = size[1] * depth
    rows = max(1, min(size[0], CHUNK_VALUES // row_values))
    together = max(1, CHUNK_VALUES // (row_values * size[0])) if rows == size[0] else 1
    for first in range(0, samples, together):
        for row in range(0, size[0], rows):
            yield slice(first, min(first + together, samples)), slice(row, min(row + rows, size[0]))


def _patch(source: Int8Array, window: Window, zero_point: int, rows: slice, columns: int) -> Float32Array:
    """Centred float32 source cells that the output rows ``rows`` see, pads as zeros."""
    top, left = window.pads[0], window.pads[1]
    first = rows.start * window.strides[0] - top
    height = (rows.stop - rows.start - 1) * window.strides[0] + (window.kernel[0] - 1) * window.dilations[0] + 1
    width = (columns - 1) * window.strides[1] + (window.kernel[1] - 1) * window.dilations[1] + 1
    low, high = max(first, 0), min(first + height, source.shape[1])
    reach = min(width - left, source.shape[2])
    patch = np.zeros((source.shape[0], height, width, source.shape[3]), np.float32)
    if low < high and reach > 0:
        inside = patch[:, low - first : high - first, left : left + reach]
        np.subtract(source[:, low:high, :reach], np.float32(zero_point), out=inside, dtype=np.float32)
    return patch


class _Products:
    """Sums by matrix products; prepared once per command, called once per part."""

    def __init__(self, weights: Int8Array, window: Window, groups: int, zero_point: int) -> None:
        outputs = weights.shape[0] // groups
        self.window = window
        self.groups = groups
        flat = weights.reshape(groups, outputs, -1)
        self.matrices = np.ascontiguousarray(flat.transpose(0, 2, 1), np.float32)
        self.splits = _exact_splits(flat, max(127 - zero_point, zero_point + 128))

    def __call__(self, patch: Float32Array, rows: int, columns: int) -> Int32Array:
        samples, channels = patch.shape[0], patch.shape[3] // self.groups
        pixels = samples * rows * columns
        parts = [
            self._one_group(self._unroll(patch[..., g * channels : (g + 1) * channels], rows, columns), g)
            for g in range(self.groups)
        ]
        sums = parts[0] if self.groups == 1 else np.stack(parts, axis=1).reshape(pixels, -1)
        return sums.reshape(samples, rows, columns, -1)

    def _one_group(self, matrix: Float32Array, group: int) -> Int32Array:
        weights = self.matrices[group]
        total: Int32Array | None = None
        for first, last in self.splits:
            part = (matrix[:, first:last] @ weights[first:last]).astype(np.int32)
            total = part if total is None else total + part
        if total is None:
            raise ExecutionError("a convolution without input channels")
        return total

    def _unroll(self, patch: Float32Array, rows: int, columns: int) -> Float32Array:
        """(samples, height, width, C) -> (samples * rows * columns, kh * kw * C)."""
        (kh, kw), (sh, sw), (dh, dw) = self.window.kernel, self.window.strides, self.window.dilations
        n, h, w, c = patch.strides
        shape = (patch.shape[0], rows, columns, kh, kw, patch.shape[3])
        view = np.lib.stride_tricks.as_strided(patch, shape, (n, h * sh, w * sw, h * dh, w * dw, c))
        return view.reshape(shape[0] * rows * columns, -1)


def _exact_splits(weights: Int8Array, largest: int) -> list[tuple[int, int]]:
    """Cuts of the contraction such that sum |w| * largest stays below 2^24 in each part, for every output."""
    sums = np.abs(weights.astype(np.int64)).cumsum(axis=2).reshape(-1, weights.shape[2])
    count, limit = weights.shape[2], (EXACT - 1) // largest
    cuts, base = [0], np.zeros(len(sums), np.int64)
    while cuts[-1] < count:
        if (sums[:, -1] - base).max() <= limit:
            cuts.append(count)
            break
        within = ((sums - base[:, np.newaxis]) <= limit).all(axis=0)
        end = max(cuts[-1] + 1, int(np.flatnonzero(within)[-1]) + 1 if within.any() else 0)
        cuts.append(end)
        base = sums[:, end - 1].copy()
    return list(pairwise(cuts))


def _depthwise(weights: Int8Array, window: Window) -> Callable[[Float32Array, int, int], Int32Array]:
    """Sums of one input channel per group, vectorised over channels, tap by tap."""
    count = window.kernel[0] * window.kernel[1]
    kind = np.float32 if count * 128 * 255 < EXACT else np.float64
    factors = weights[..., 0].astype(kind)

    def sums(patch: Float32Array, rows: int, columns: int) -> Int32Array:
        outputs, channels = factors.shape[0], patch.shape[3]
        spread = patch if outputs == channels else np.repeat(patch, outputs // channels, axis=3)
        total = np.zeros((patch.shape[0], rows, columns, outputs), kind)
        product = np.empty_like(total)
        for row, column, view in taps(spread, window, (rows, columns)):
            np.multiply(view, factors[:, row, column], out=product)
            total += product
        return total.astype(np.int32)

    return sums

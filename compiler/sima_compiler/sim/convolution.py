"""Multiply-accumulate as the machine defines it: int8 times int8 into int32, exactly, by float32 matrix products.

In: int8 (samples, rows, columns, channels), int8 weights (Cout, kh, kw, Cin / groups). Out: whole sums or, through
`finish`, int8 results. Always holds: every partial sum inside one matrix product is an integer below 2^24, so float32
is exact; longer contractions are split and the parts added as int32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Float32Array, Int8Array
from sima_compiler.ir.layers import Window

#: Whole numbers: float32 while they stay below `EXACT`, else int32, or float64 within int32.
Sums = npt.NDArray[np.float32 | np.float64 | np.int32]

#: What leaves: bytes, or the whole sums of a part.
Finished = npt.NDArray[np.int8 | np.int32]

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
    finish: Callable[[Sums], Finished],
    kind: type[np.int8 | np.int32] = np.int8,
) -> Finished:
    """The convolution of ``source``; pads hold the zero point.

    ``size`` is the output's (rows, columns). ``finish`` turns sums (samples, rows, columns, Cout) into an array of
    ``kind`` and the same shape; it is called on parts and may use them up. Returns (samples, rows, columns, Cout).

    Raises:
        ExecutionError: the window does not reach the last output cell.
    """
    check_window(source.shape, window, size)
    result = np.empty((source.shape[0], *size, weights.shape[0]), kind)
    depthwise = weights.shape[3] == 1 and groups == source.shape[3] and groups > 1
    values = _centred(source, zero_point)
    sums = _depthwise(weights, window) if depthwise else _Products(weights, window, groups, values)
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


def _centred(source: Int8Array, zero_point: int) -> tuple[int, int]:
    """The least and the largest value that a centred source and its pads hold."""
    return min(int(source.min()) - zero_point, 0), max(int(source.max()) - zero_point, 0)


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

    def __init__(self, weights: Int8Array, window: Window, groups: int, values: tuple[int, int]) -> None:
        outputs = weights.shape[0] // groups
        self.window = window
        self.groups = groups
        flat = weights.reshape(groups, outputs, -1)
        self.matrices = np.ascontiguousarray(flat.transpose(0, 2, 1), np.float32)
        self.splits = exact_splits(flat, values)

    def __call__(self, patch: Float32Array, rows: int, columns: int) -> Sums:
        samples, channels = patch.shape[0], patch.shape[3] // self.groups
        pixels = samples * rows * columns
        parts = [
            self._one_group(self._unroll(patch[..., g * channels : (g + 1) * channels], rows, columns), g)
            for g in range(self.groups)
        ]
        sums = parts[0] if self.groups == 1 else np.stack(parts, axis=1).reshape(pixels, -1)
        return sums.reshape(samples, rows, columns, -1)

    def _one_group(self, matrix: Float32Array, group: int) -> Sums:
        weights = self.matrices[group]
        if len(self.splits) == 1:
            return matrix @ weights
        total = np.zeros((len(matrix), weights.shape[1]), np.int32)
        for first, last in self.splits:
            total += (matrix[:, first:last] @ weights[first:last]).astype(np.int32)
        return total

    def _unroll(self, patch: Float32Array, rows: int, columns: int) -> Float32Array:
        """(samples, height, width, C) -> (samples * rows * columns, kh * kw * C)."""
        (kh, kw), (sh, sw), (dh, dw) = self.window.kernel, self.window.strides, self.window.dilations
        n, h, w, c = patch.strides
        shape = (patch.shape[0], rows, columns, kh, kw, patch.shape[3])
        view = np.lib.stride_tricks.as_strided(patch, shape, (n, h * sh, w * sw, h * dh, w * dw, c))
        return view.reshape(shape[0] * rows * columns, -1)


def exact_splits(weights: Int8Array, values: tuple[int, int]) -> list[tuple[int, int]]:
    """Cuts of the contraction into the fewest equal parts whose sums stay below 2^24 in any order of adding.

    ``weights`` are (groups, outputs, contraction); ``values`` the least and the largest centred input.
    """
    count = weights.shape[2]
    if not count:
        raise ExecutionError("a convolution without input channels")
    parts = 1
    while any(_largest_sum(weights[..., first:last], values) >= EXACT for first, last in _equal(count, parts)):
        parts += 1
    return _equal(count, parts)


def _equal(count: int, parts: int) -> list[tuple[int, int]]:
    return list(pairwise(count * part // parts for part in range(parts + 1)))


def _largest_sum(weights: Int8Array, values: tuple[int, int]) -> int:
    """What no sum of some products exceeds in magnitude, for any output: all that pull one way at their extremes."""
    low, high = values
    if weights.shape[2] * 128 * max(-low, high) < EXACT:
        return weights.shape[2] * 128 * max(-low, high)
    total = weights.sum(axis=2, dtype=np.int32)
    magnitudes = np.abs(weights).view(np.uint8).sum(axis=2, dtype=np.int32)  # |-128| is 128 in a uint8
    positive, negative = (magnitudes + total) >> 1, (magnitudes - total) >> 1
    up, down = positive.astype(np.int64) * high - negative * low, negative.astype(np.int64) * high - positive * low
    return int(max(up.max(initial=0), down.max(initial=0)))


def _depthwise(weights: Int8Array, window: Window) -> Callable[[Float32Array, int, int], Sums]:
    """Sums of one input channel per group, vectorised over channels, tap by tap."""
    count = window.kernel[0] * window.kernel[1]
    kind = np.float32 if count * 128 * 255 < EXACT else np.float64
    factors = weights[..., 0].astype(kind)

    def sums(patch: Float32Array, rows: int, columns: int) -> Sums:
        outputs, channels = factors.shape[0], patch.shape[3]
        spread = patch if outputs == channels else np.repeat(patch, outputs // channels, axis=3)
        total = np.zeros((patch.shape[0], rows, columns, outputs), kind)
        product = np.empty_like(total)
        for row, column, view in taps(spread, window, (rows, columns)):
            np.multiply(view, factors[:, row, column], out=product)
            total += product
        return total

    return sums

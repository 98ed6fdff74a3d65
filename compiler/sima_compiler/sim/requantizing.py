"""From sums to bytes, many at a time: the array's way out in place on float32, and second operands by table.

In: sums as they leave a matrix product, or int8 operands. Out: int8 arrays. Always holds: every byte equals what
`arithmetic.requantize` and `arithmetic.binary` give for it; where float32 could round, theirs is the path taken.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sima_compiler import arithmetic
from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Float32Array, Int8Array, Int32Array
from sima_compiler.ir.program import BinaryStep

#: Values that are finished together: what stays in a processor's nearest caches.
CHUNK_VALUES = 1 << 15
#: Biases from here on could leave int32 together with a sum.
LARGEST_BIAS = 1 << 30
#: Results from which on a table of all 65,536 pairs of bytes costs less than evaluating each pair.
TABLE_VALUES = 1 << 17


class Requantizer:
    """rint(float32(acc + bias) * factor) + zero point, clamped, for one command's channels.

    A sum below 2^24 and a bias that float32 represents are added by float32 as int32 would add and round them.
    """

    def __init__(self, bias: Int32Array, factors: Float32Array, zero_point: int, clamp: tuple[int, int]) -> None:
        """One factor and one bias per channel.

        Raises:
            ExecutionError: a factor is no finite number.
        """
        if not np.isfinite(factors).all():
            raise ExecutionError("a multiplier is no finite number")
        self._bias, self._factors, self._zero_point, self._clamp = bias, factors, zero_point, clamp
        self._rounded_bias = bias.astype(np.float32)
        wide = bias.astype(np.int64)
        self._exact = bool((np.abs(wide) < LARGEST_BIAS).all() and (self._rounded_bias.astype(np.int64) == wide).all())

    def __call__(self, sums: npt.NDArray[np.float32 | np.float64 | np.int32]) -> Int8Array:
        """int8 of the sums' shape, channels last; ``sums`` are used up.

        float32 sums are whole numbers below 2^24, those of other types whole numbers within int32.
        """
        channels = sums.shape[-1]
        flat = sums.reshape(-1, channels)
        result = np.empty(flat.shape, np.int8)
        step = max(1, CHUNK_VALUES // channels)
        for first in range(0, len(flat), step):
            part = slice(first, first + step)
            self._finish(self._biased(flat[part]), result[part])
        return result.reshape(sums.shape)

    def _biased(self, sums: npt.NDArray[np.float32 | np.float64 | np.int32]) -> Float32Array:
        if sums.dtype == np.float32 and self._exact:
            return np.add(sums, self._rounded_bias, out=sums)
        return (sums.astype(np.int32) + self._bias).astype(np.float32)

    def _finish(self, biased: Float32Array, result: Int8Array) -> None:
        low, high = self._clamp
        zero_point = np.float32(self._zero_point)
        with np.errstate(over="ignore"):  # what leaves float32 is clamped
            np.multiply(biased, self._factors, out=biased)
        np.rint(biased, out=biased)
        np.clip(biased, low - zero_point, high - zero_point, out=biased)
        np.add(biased, zero_point, out=result, casting="unsafe")


def binary(step: BinaryStep, left: Int8Array, right: Int8Array) -> Int8Array:
    """`arithmetic.binary` of a command's second operand, with numpy broadcasting."""
    pairs = np.broadcast(left, right)
    if pairs.size < TABLE_VALUES:
        return arithmetic.binary(step.op, left, right, step.left, step.right, step.output, step.clamp)
    values = np.arange(256, dtype=np.uint8).view(np.int8)
    rows, columns = values[:, np.newaxis], values[np.newaxis, :]
    table = arithmetic.binary(step.op, rows, columns, step.left, step.right, step.output, step.clamp)
    index = _bytes(left).astype(np.uint16)
    index = np.left_shift(index, 8, out=index) if index.shape == pairs.shape else index << np.uint16(8)
    return table.reshape(-1).take(index | _bytes(right))


def _bytes(values: Int8Array) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(values).view(np.uint8)

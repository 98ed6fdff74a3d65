"""The arithmetic of operators that look at whole rows of values: softmax, the largest, normalizations.

In: int8 arrays whose last axis is the row, with their `Quantization`. Out: int8 arrays. Always: what is written here is
the definition, in float32 in this order, for the reference, the machine and the stages alike. Softmax on bytes equals
onnxruntime's, element for element: its sums run in the order of the row. Normalizations sum integers, exactly, in any
order; onnxruntime sums float32 in an order of its host (`frontend.float_inside`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sima_compiler.arithmetic import FULL_RANGE, dequantize, quantize, quantize_result
from sima_compiler.ir.graph import Float32Array, Int8Array, Quantization, Response

#: What onnxruntime leaves between the largest sum of exponentials and the largest float32: exp of this.
RESERVE = 5.0
#: Numbers that bytes stand for where they count: 0 is the lowest byte.
COUNTING = Quantization(1.0, -128)
#: Most places that a byte can count.
MOST_PLACES = 256


def exponentials(scale: float, count: int) -> Float32Array:
    """exp((i - 255) * scale) for i from 0 to 255, all multiplied so that ``count`` of the largest still add up.

    In double precision, rounded once: bytes that are d steps below the largest of their row take entry 255 - d.
    """
    step = float(np.float32(scale))
    # onnxruntime takes this logarithm in float32, all else in double.
    room = float(np.float32(math.log(float(np.finfo(np.float32).max / np.float32(count)))))
    shift = max(0.0, room - RESERVE) / step
    return np.array([math.exp((entry - 255 + shift) * step) for entry in range(256)], np.float32)


def real_exponentials(scale: float) -> Float32Array:
    """exp((i - 255) * scale) for i from 0 to 255, in double precision, rounded once."""
    step = float(np.float32(scale))
    return np.array([math.exp((entry - 255) * step) for entry in range(256)], np.float32)


def softmax(
    values: Int8Array, table: Float32Array, output: Quantization, clamp: tuple[int, int] = FULL_RANGE
) -> Int8Array:
    """rint(e * floor(1 / scale) / sum of e) + zero point, e being the table's entry of each value: the product and the
    quotient in double precision, of float32.
    """
    entries, total = _shares(values, table)
    levels = np.floor(np.float32(1) / np.float32(output.scale))
    # onnxruntime's quotient is not rounded to float32 first: that would put shares beside a half on it.
    with np.errstate(over="ignore"):
        steps = np.rint(entries.astype(np.float64) * levels / total)
    return np.clip(steps + output.zero_point, *clamp).astype(np.int8)


def real_softmax(
    values: Int8Array, table: Float32Array, output: Quantization, clamp: tuple[int, int] = FULL_RANGE
) -> Int8Array:
    """Quotients e / sum of e as reals, quantized."""
    entries, total = _shares(values, table)
    return np.clip(quantize_result(entries / total, output), *clamp).astype(np.int8)


def log_softmax(
    values: Int8Array,
    table: Float32Array,
    source: Quantization,
    output: Quantization,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """(x - largest) * scale - log(sum of e), quantized: the logarithm in double precision, rounded to float32."""
    _, total = _shares(values, table)
    below = values.astype(np.int16) - values.max(axis=-1, keepdims=True)
    reals = below.astype(np.float32) * np.float32(source.scale) - np.log(total.astype(np.float64)).astype(np.float32)
    return np.clip(quantize_result(reals, output), *clamp).astype(np.int8)


def _shares(values: Int8Array, table: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Entries by how far each value lies below its row's largest, and their sums: one after the other, in float32."""
    wide = values.astype(np.int16)
    entries = table[wide - wide.max(axis=-1, keepdims=True) + 255]
    return entries, np.add.accumulate(entries, axis=-1, dtype=np.float32)[..., -1:]


def arg_max(values: Int8Array, *, last: bool = False) -> Int8Array:
    """The place of the first, or ``last``, largest value of each row, under `COUNTING`; the row has length 1 then."""
    if last:
        return (values.shape[-1] - 1 - values[..., ::-1].argmax(axis=-1, keepdims=True) - 128).astype(np.int8)
    return (values.argmax(axis=-1, keepdims=True) - 128).astype(np.int8)


def largest(
    values: Int8Array, source: Quantization, output: Quantization, clamp: tuple[int, int] = FULL_RANGE
) -> Int8Array:
    """The largest value of each row under another quantization; the row's axis has length 1 then."""
    real = dequantize(values.max(axis=-1, keepdims=True), source)
    return np.clip(quantize(real, output), *clamp).astype(np.int8)


def total(
    values: Int8Array, source: Quantization, output: Quantization, *, mean: bool, clamp: tuple[int, int] = FULL_RANGE
) -> Int8Array:
    """The exact sum of q - zero point, times the scale, then (for a mean) divided by the count, quantized."""
    real = _centred(values, source).sum(axis=-1, keepdims=True).astype(np.float32) * np.float32(source.scale)
    real = real / np.float32(values.shape[-1]) if mean else real
    return np.clip(quantize(real, output), *clamp).astype(np.int8)


def local_response(
    values: Int8Array, source: Quantization, output: Quantization, by: Response, clamp: tuple[int, int] = FULL_RANGE
) -> Int8Array:
    """Each value times (bias + alpha / size * sum of squares) ** -beta, quantized.

    Sums are exact; the power is taken in double precision and rounded once.
    """
    centred, count = _centred(values, source), values.shape[-1]
    sums = np.cumsum(np.square(centred), axis=-1)
    sums = np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)
    first = np.clip(np.arange(count) - (by.size - 1) // 2, 0, count)
    last = np.clip(np.arange(count) + (by.size + 1) // 2, 0, count)
    squares = (sums[..., last] - sums[..., first]).astype(np.float32)
    base = np.float32(by.bias) + np.float32(by.alpha) / np.float32(by.size) * _square(source) * squares
    with np.errstate(all="ignore"):
        power = np.power(base.astype(np.float64), -float(np.float32(by.beta))).astype(np.float32)
        real = centred.astype(np.float32) * np.float32(source.scale) * power
        return np.clip(quantize_result(real, output), *clamp).astype(np.int8)


def layer_norm(
    values: Int8Array,
    source: Quantization,
    output: Quantization,
    epsilon: float,
    gains: Float32Array | None,
    offsets: Float32Array | None,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """((q - mean) * scale) * (1 / sqrt(variance + epsilon)) * gain + offset, quantized.

    mean and variance come from exact sums of q - zero point and of its square. ``gains`` and ``offsets`` broadcast.
    """
    centred, count = _centred(values, source), values.shape[-1]
    total = centred.sum(axis=-1, keepdims=True)
    spread = count * np.square(centred).sum(axis=-1, keepdims=True) - np.square(total)
    variance = spread.astype(np.float32) / (np.float32(count) * np.float32(count)) * _square(source)
    mean = total.astype(np.float32) / np.float32(count)
    real = (centred.astype(np.float32) - mean) * np.float32(source.scale)
    return _scaled(real, variance, epsilon, gains, offsets, output, clamp)


def rms_norm(
    values: Int8Array,
    source: Quantization,
    output: Quantization,
    epsilon: float,
    gains: Float32Array | None,
    offsets: Float32Array | None,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """(q * scale) * (1 / sqrt(mean square + epsilon)) * gain + offset, quantized; the sum of squares is exact."""
    centred, count = _centred(values, source), values.shape[-1]
    squares = np.square(centred).sum(axis=-1, keepdims=True)
    power = squares.astype(np.float32) / np.float32(count) * _square(source)
    real = centred.astype(np.float32) * np.float32(source.scale)
    return _scaled(real, power, epsilon, gains, offsets, output, clamp)


def _centred(values: Int8Array, quant: Quantization) -> npt.NDArray[np.int64]:
    return values.astype(np.int64) - quant.zero_point


def _square(quant: Quantization) -> np.float32:
    return np.float32(quant.scale) * np.float32(quant.scale)


def _scaled(
    real: Float32Array,
    power: Float32Array,
    epsilon: float,
    gains: Float32Array | None,
    offsets: Float32Array | None,
    output: Quantization,
    clamp: tuple[int, int],
) -> Int8Array:
    with np.errstate(all="ignore"):  # a row of zeros without an epsilon is 0 / 0, which saturates as it does there
        found = real * (np.float32(1) / np.sqrt(power + np.float32(epsilon)))
        found = found if gains is None else found * gains
        found = found if offsets is None else found + offsets
        return np.clip(quantize_result(found.astype(np.float32), output), *clamp).astype(np.int8)

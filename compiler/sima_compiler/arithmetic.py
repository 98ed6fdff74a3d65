"""The arithmetic of the quantized network, byte for byte: what every judge and every command means by an operator.

In: int8 arrays with their `Quantization`. Out: int8 arrays. Always: float32 in the order written here, round half to
even, then zero point, then clamp. The order is that of onnxruntime on the uint8 form of a model (zero points + 128),
with graph optimisation, on x86-64 with FMA; where onnxruntime's own bytes depend on the host, the docstring says so.
On x86-64 without VNNI its 8-bit matrix products may saturate between two products: there it is no exact reference.
All functions are pure and vectorised; none looks at the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import ActivationAttributes, Float32Array, Int8Array, Neighbours, Op, Quantization
from sima_compiler.ir.layers import BinaryOp

#: The two-operand operators of the graph and what the machine calls them.
BINARY_OPS: dict[Op, BinaryOp] = {
    Op.ADD: BinaryOp.ADD,
    Op.SUB: BinaryOp.SUB,
    Op.MUL: BinaryOp.MUL,
    Op.REAL_ADD: BinaryOp.REAL_ADD,
    Op.REAL_MUL: BinaryOp.REAL_MUL,
    Op.DIV: BinaryOp.DIV,
    Op.MAX: BinaryOp.MAX,
    Op.MIN: BinaryOp.MIN,
    Op.PRELU: BinaryOp.PRELU,
}
#: The whole range of an int8 result.
FULL_RANGE = (-128, 127)
#: int8 value + this = the uint8 value of the same number.
UINT8_SHIFT = 128
#: Every int8 value in the order of a table's entries.
ALL_BYTES: Int8Array = np.arange(-128, 128).astype(np.int8)


def quantize(values: npt.ArrayLike, quant: Quantization) -> Int8Array:
    """float32 reals to int8: rint(x / scale) + zero point, saturated. NaN becomes the zero point."""
    real = np.asarray(values, np.float32)
    scaled = np.rint(real / np.float32(quant.scale))
    return _saturate(np.nan_to_num(scaled, nan=0.0, posinf=np.inf, neginf=-np.inf), quant.zero_point, FULL_RANGE)


def dequantize(values: Int8Array, quant: Quantization) -> Float32Array:
    """int8 to float32 reals: (q - zero point) * scale."""
    centred = values.astype(np.float32) - np.float32(quant.zero_point)
    return centred * np.float32(quant.scale)


def quantize_bounds(minimum: float, maximum: float, quant: Quantization) -> tuple[int, int]:
    """The int8 range that stands for the real interval: quantization is monotone, so clamping commutes with it."""
    low, high = quantize(np.array([minimum, maximum], np.float32), quant)
    return int(low), int(high)


def multiplier(input_scale: float, weight_scales: npt.ArrayLike, output_scale: float) -> Float32Array:
    """The requantization factor (sx * sw) / sy, each step rounded to float32."""
    product = np.float32(input_scale) * np.asarray(weight_scales, np.float32)
    return np.asarray(product / np.float32(output_scale), np.float32)


def requantize(
    accumulator: npt.NDArray[np.int32],
    bias: npt.NDArray[np.int32],
    factor: Float32Array,
    zero_point: int,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """int32 accumulators to int8: rint(float32(acc + bias) * factor) + zero point, clamped.

    ``bias`` and ``factor`` broadcast against ``accumulator`` (channels must already stand on their axis).
    """
    scaled = (accumulator + bias).astype(np.float32) * factor
    return _saturate(np.rint(scaled), zero_point, clamp)


def requantize_real(
    accumulator: npt.NDArray[np.int32],
    factor: Float32Array,
    bias: Float32Array,
    output: Quantization,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """int32 accumulators to int8 by way of reals: `quantize` of float32(acc) * factor + bias, each step rounded.

    ``factor`` (sx * sw) and ``bias`` broadcast as in `requantize`. onnxruntime does so where a MatMul, or a product
    with a bias in float32, has no quantization right behind it.
    """
    return np.clip(quantize(accumulator.astype(np.float32) * factor + bias, output), *clamp).astype(np.int8)


def products(left: Int8Array, right: Int8Array, left_zero: int, right_zero: int) -> npt.NDArray[np.int64]:
    """Exact matrix products (..., M, K) x (..., K, N) of what bytes stand for, before any scale.

    In float64, where sums of products of two bytes are exact up to 2^37 of them.
    """
    return np.matmul(left.astype(np.float64) - left_zero, right.astype(np.float64) - right_zero).astype(np.int64)


def product_factor(left: Quantization, right: Quantization, output: Quantization | None) -> np.float32:
    """(sa * sb) / sy, or sa * sb where sums become reals, each step rounded to float32."""
    product = np.float32(left.scale) * np.float32(right.scale)
    return product if output is None else np.float32(product / np.float32(output.scale))


def finished_product(
    sums: npt.NDArray[np.int64],
    factor: np.float32,
    output: Quantization,
    *,
    real: bool,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """Sums of products as bytes: `requantize` with (sa * sb) / sy, or ``real``, `quantize` of reals at sa * sb."""
    scaled = sums.astype(np.float32) * factor
    if real:
        return np.clip(quantize(scaled, output), *clamp).astype(np.int8)
    return _saturate(np.rint(scaled), output.zero_point, clamp)


def binary(
    op: BinaryOp,
    left: Int8Array,
    right: Int8Array,
    left_quant: Quantization,
    right_quant: Quantization,
    output: Quantization,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """``left`` op ``right`` with numpy broadcasting; both are int8 under their own quantization."""
    if op in (BinaryOp.ADD, BinaryOp.MUL):
        function = _add if op is BinaryOp.ADD else _multiply
        return function(left, right, left_quant, right_quant, output, clamp)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        real = _REAL[op](dequantize(left, left_quant), dequantize(right, right_quant))
    return np.clip(quantize_result(real, output), *clamp).astype(np.int8)


def quantize_result(real: Float32Array, quant: Quantization) -> Int8Array:
    """`quantize` of float32 results; what is no number (0 / 0) becomes the lowest byte, as onnxruntime has it."""
    return quantize(np.where(np.isnan(real), np.float32(-np.inf), real), quant)


def _add(
    a: Int8Array, b: Int8Array, qa: Quantization, qb: Quantization, qy: Quantization, clamp: tuple[int, int]
) -> Int8Array:
    """fma(a, ra, fma(b, rb, zy - fma(ra, za, rb * zb))) in the uint8 frame; only the constant term feels the frame.

    This is onnxruntime's kernel for AVX2 and newer; elsewhere its own bytes differ by one in about one case per
    million. An operand that broadcasts is the second one: the frontend orders operands so.
    """
    ra, rb = np.float32(qa.scale) / np.float32(qy.scale), np.float32(qb.scale) / np.float32(qy.scale)
    za, zb, zy = (np.float32(q.zero_point + UINT8_SHIFT) for q in (qa, qb, qy))
    constant = np.float32(zy - _fma(ra, za, np.float32(rb * zb)))
    inner = _fma(b.astype(np.float64) + UINT8_SHIFT, rb, constant)
    total = _fma(a.astype(np.float64) + UINT8_SHIFT, ra, inner)
    return _saturate(np.rint(total), -UINT8_SHIFT, clamp)


def sloped_below_zero(x: Float32Array, slope: Float32Array) -> Float32Array:
    """PRelu: x where it is positive, x times its slope elsewhere."""
    return np.where(x > 0, x, x * slope)


#: What onnxruntime computes in float32: it has no integer form of Sub, Div, Max, Min and PRelu, nor of an Add or Mul
#: that does not stand between quantizations.
_REAL: dict[BinaryOp, Callable[[Float32Array, Float32Array], Float32Array]] = {
    BinaryOp.SUB: np.subtract,
    BinaryOp.REAL_ADD: np.add,
    BinaryOp.REAL_MUL: np.multiply,
    BinaryOp.DIV: np.divide,
    BinaryOp.MAX: np.maximum,
    BinaryOp.MIN: np.minimum,
    BinaryOp.PRELU: sloped_below_zero,
}


def _multiply(
    a: Int8Array, b: Int8Array, qa: Quantization, qb: Quantization, qy: Quantization, clamp: tuple[int, int]
) -> Int8Array:
    """((a - za) * (b - zb)) * ((sa * sb) / sy) + zy, then rounded: zy in the uint8 frame, for it takes part in ties."""
    ratio = np.float32(qa.scale) * np.float32(qb.scale) / np.float32(qy.scale)
    centred = (a.astype(np.int32) - qa.zero_point) * (b.astype(np.int32) - qb.zero_point)
    total = centred.astype(np.float32) * ratio + np.float32(qy.zero_point + UINT8_SHIFT)
    return _saturate(np.rint(total), -UINT8_SHIFT, clamp)


def global_average(
    values: Int8Array,
    axes: tuple[int, ...],
    source: Quantization,
    output: Quantization,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """Mean over whole ``axes`` (kept with size 1): the centred integer sum times sx / (sy * cells)."""
    cells = int(np.prod([values.shape[axis] for axis in axes]))
    total = values.astype(np.int32).sum(axis=axes, keepdims=True, dtype=np.int32) - cells * source.zero_point
    return global_average_of_sum(total, cells, source, output, clamp)


def global_average_of_sum(
    total: npt.NDArray[np.int32],
    cells: int,
    source: Quantization,
    output: Quantization,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """`global_average` from centred sums: sum of (q - zero point) over ``cells`` cells."""
    factor = np.float32(source.scale) / (np.float32(output.scale) * np.float32(cells))
    return _saturate(np.rint(total.astype(np.float32) * factor), output.zero_point, clamp)


def average_of_taps(
    taps: Iterable[npt.NDArray[np.int32]],
    cells: npt.NDArray[np.int32],
    source: Quantization,
    output: Quantization,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """Window averages: ``taps`` are centred values (q - zero point; pads 0), one array per window cell, row by row.

    `average_of_reals` of the `sum_of_taps`; ``cells`` are each window's divisor, broadcast.
    """
    return average_of_reals(sum_of_taps(np.zeros((), np.float32), taps, source), cells, output, clamp)


def sum_of_taps(total: Float32Array, taps: Iterable[npt.NDArray[np.int32]], source: Quantization) -> Float32Array:
    """``total`` and the reals of the taps, added one after the other in float32."""
    scale = np.float32(source.scale)
    return sum_in_sequence(total, (tap.astype(np.float32) * scale for tap in taps))


def average_of_reals(
    total: Float32Array, cells: npt.NDArray[np.int32], output: Quantization, clamp: tuple[int, int] = FULL_RANGE
) -> Int8Array:
    """Sums of reals divided by ``cells`` and the output's scale; its zero point is added in the uint8 frame before
    rounding.
    """
    real = total / cells.astype(np.float32) / np.float32(output.scale)
    return _saturate(np.rint(real + np.float32(output.zero_point + UINT8_SHIFT)), -UINT8_SHIFT, clamp)


def sum_in_sequence(total: Float32Array, parts: Iterable[Float32Array]) -> Float32Array:
    """``total`` and ``parts``, added one after the other in float32."""
    with np.errstate(all="ignore"):
        for part in parts:
            total = np.add(total, part, dtype=np.float32)
    return total


def interpolate(
    values: Int8Array,
    axes: tuple[int, int],
    neighbours: tuple[Neighbours, Neighbours],
    quants: tuple[Quantization, Quantization],
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """Linear interpolation of rows and columns, which are the array's ``axes``; ``quants`` of input and result.

    ((wn * xnn + wf * xnf) + ...) in float32 on dequantized values: near row with near and far column, then the far row,
    each weight the product of its two. onnxruntime computes it so.
    """
    real, total = dequantize(values, quants[0]), None
    rows, columns = neighbours
    for row_places, row_weights in ((rows.near, rows.near_weights), (rows.far, rows.far_weights)):
        lines = real.take(row_places, axes[0])
        for column_places, column_weights in (
            (columns.near, columns.near_weights),
            (columns.far, columns.far_weights),
        ):
            weights = np.outer(np.array(row_weights, np.float32), np.array(column_weights, np.float32))
            spread = weights.reshape(-1, len(column_weights), *(1,) * (values.ndim - 1 - axes[1]))
            tap = spread * lines.take(column_places, axes[1])
            total = tap if total is None else total + tap
    if total is None:
        raise InternalError("an interpolation without neighbours")
    return np.clip(quantize(total, quants[1]), *clamp).astype(np.int8)


def lookup_table(
    op: Op,
    attributes: ActivationAttributes | None,
    source: Quantization,
    output: Quantization,
    clamp: tuple[int, int] = FULL_RANGE,
) -> Int8Array:
    """256 int8 entries, entry q + 128 being the operator's result for input byte q.

    Raises:
        InternalError: ``op`` does not depend on its input's byte alone.
    """
    real = evaluate(op, attributes or ActivationAttributes(), dequantize(ALL_BYTES, source))
    return np.clip(quantize(real, output), *clamp).astype(np.int8)


def evaluate(op: Op, attributes: ActivationAttributes, x: Float32Array) -> Float32Array:
    """The operator on float32 reals, elementwise."""
    if op is Op.REQUANTIZE:
        return x
    if op is Op.RELU:
        return np.maximum(x, np.float32(0))
    if op is Op.CLIP:
        return np.clip(x, np.float32(attributes.minimum), np.float32(attributes.maximum))
    if op is Op.LEAKY_RELU:
        return np.where(x >= 0, x, np.float32(attributes.alpha) * x).astype(np.float32)
    if op is Op.SIGMOID:
        return _logistic(x)
    if op is Op.TANH:
        return _tanh(x)
    if op is Op.HARD_SIGMOID:
        return _hard_sigmoid(x, attributes.alpha, attributes.beta)
    if op is Op.HARD_SWISH:
        return x * _hard_sigmoid(x, 1 / 6, 0.5)
    raise InternalError(f"{op} is no function of one byte")


#: Rational approximations of onnxruntime's kernels, highest power of x^2 first: numerator (times x), denominator.
_LOGISTIC = (
    (4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03, 2.48287947061529e-01),
    (6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03, 1.16817656904453e-01,
     9.93151921023180e-01),
)  # fmt: skip
_TANH = (
    (-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05,
     6.37261928875436e-04, 4.89352455891786e-03),
    (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03),
)  # fmt: skip


def _logistic(x: Float32Array) -> Float32Array:
    """Sigmoid as onnxruntime evaluates it on hosts with FMA: rational in the clamped x, plus one half."""
    ratio = _rational(np.clip(x, np.float32(-18), np.float32(18)), *_LOGISTIC)
    return np.clip(ratio + np.float32(0.5), np.float32(0), np.float32(1))


def _tanh(x: Float32Array) -> Float32Array:
    """Hyperbolic tangent as onnxruntime evaluates it on hosts with FMA: rational in the clamped x."""
    return _rational(np.clip(x, np.float32(-9), np.float32(9)), *_TANH)


def _rational(x: Float32Array, numerator: tuple[float, ...], denominator: tuple[float, ...]) -> Float32Array:
    square = x * x
    return _horner(square, numerator) * x / _horner(square, denominator)


def _horner(x: Float32Array, coefficients: tuple[float, ...]) -> Float32Array:
    total = np.full_like(x, np.float32(coefficients[0]))
    for coefficient in coefficients[1:]:
        total = _fma(total, x, np.float32(coefficient))
    return total


def _hard_sigmoid(x: Float32Array, alpha: float, beta: float) -> Float32Array:
    line = np.float32(alpha) * x + np.float32(beta)
    return np.clip(line, np.float32(0), np.float32(1)).astype(np.float32)


def apply_table(table: Int8Array, values: Int8Array) -> Int8Array:
    """The table's entry of every value."""
    return table[values.astype(np.int16) + 128]


def _fma(a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike) -> Float32Array:
    """Fused a * b + c with one rounding to float32: the product of two float32 is exact in float64."""
    wide = np.asarray(a, np.float64) * np.asarray(b, np.float64) + np.asarray(c, np.float64)
    return wide.astype(np.float32)


def _saturate(rounded: npt.NDArray[np.floating], zero_point: int, clamp: tuple[int, int]) -> Int8Array:
    low, high = clamp
    limited = np.clip(rounded, low - zero_point, high - zero_point)
    return (limited + zero_point).astype(np.int8)

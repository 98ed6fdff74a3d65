"""Conv, Gemm and MatMul with their quantized constants.

In: a node whose activation is settled and whose weights came through DequantizeLinear. Out: one pending operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sima_compiler.frontend import rules
from sima_compiler.frontend.constants.weights import in_units, requantized_bias, same_unit
from sima_compiler.frontend.functions import real_constant
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Constant, Pending, QuantizedConstant, Value
from sima_compiler.frontend.windows import window_attributes, window_output
from sima_compiler.ir.graph import Float32Array, Int8Array, Int32Array, Op, Weights


def convert_conv(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Conv -> Op.CONV; rank 4, any groups, dilations, strides and pads inside the rules."""
    source = reader.settled(node)
    rules.IMAGE_RANK.check(node, f"its input has {len(source.shape) + 1} dimensions", source.shape)
    values, scales = symmetric_weights(node, reader.quantized_constant(node, 1), axis=0)
    if values.ndim != 4:
        raise node.invalid(f"its weights have {values.ndim} dimensions, expected 4")
    groups = node.integer("group", 1)
    if source.shape[0] != values.shape[1] * groups or values.shape[0] % groups:
        raise node.invalid(f"weights {values.shape} with {groups} groups do not fit input {source.shape}")
    if (node.integers("kernel_shape") or values.shape[2:]) != values.shape[2:]:
        raise node.invalid(f"kernel_shape {node.integers('kernel_shape')} does not fit weights {values.shape}")
    attributes = window_attributes(node, source.shape[1:], values.shape[2:], groups)
    rules.CONV_STRIDE.check(node, f"strides {attributes.strides}", attributes.strides)
    rules.CONV_DILATION.check(node, f"dilations {attributes.dilations}", attributes.dilations)
    shape = (values.shape[0], *window_output(node, source.shape[1:], attributes))
    weights = make_weights(node, reader, values, scales, 2)
    real = _real_bias(node, reader, 2, values.shape[0])
    return [Pending(Op.CONV, node.name, (source,), shape, attributes, weights, real_bias=real)]


def convert_gemm(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Gemm with a constant right side -> Op.GEMM; transB either way.

    With factors, or a bias of reals that is no vector, onnxruntime multiplies reals: Op.REAL_GEMM.
    """
    if node.integer("transA", 0):
        raise node.unsupported("transA sums over the batch", rule=rules.BATCH_FIRST.sentence)
    product = _dense(node, reader, transposed=bool(node.integer("transB", 0)), bias=2)
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    rank = _rank(reader.value(node, 2)) if reader.has(node, 2) else 1
    if alpha != 1.0 or (reader.has(node, 2) and (beta != 1.0 or rank > 1)):
        rules.GEMM_ALPHA.check(node, f"alpha {alpha}", alpha > 0)
        bias = reader.value(node, 2) if reader.has(node, 2) else None
        return [_in_reals(product, alpha, beta, bias)]
    return [product if reader.has(node, 2) else _adding_nothing(product)]


def _in_reals(product: Pending, alpha: float, beta: float, bias: Value | None) -> Pending:
    """The product with its factors in the scales of its weights and in its bias."""
    assert product.weights is not None, "a product has weights"
    outputs, scales = product.shape[-1], (product.weights.scales * np.float32(alpha)).astype(np.float32)
    weights = replace(product.weights, scales=scales, bias=np.zeros(outputs, np.int32))
    real = np.zeros(outputs, np.float32)
    if isinstance(bias, Constant | QuantizedConstant):
        real = spread_real(real_constant(bias) * np.float32(beta), outputs)
    return replace(product, op=Op.REAL_GEMM, weights=weights, real_bias=real, always_real=True)


def convert_matmul(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """MatMul of an activation with a constant matrix -> Op.GEMM."""
    product = _dense(node, reader, transposed=False, bias=None)
    return [replace(_adding_nothing(product), joins_add=True)]


def _adding_nothing(product: Pending) -> Pending:
    """Without a QuantizeLinear behind it onnxruntime still multiplies bytes, and scales the sums: no bias to add."""
    return replace(product, real_bias=np.zeros(product.shape[-1], np.float32))


def _rank(value: Value) -> int:
    if isinstance(value, Constant) and value.array.dtype.kind == "f":
        return value.array.ndim
    return 1


def _real_bias(node: SourceNode, reader: Reader, place: int, outputs: int) -> Float32Array | None:
    """A bias that the file states in real numbers."""
    value = reader.value(node, place) if reader.has(node, place) else None
    if not isinstance(value, Constant) or value.array.dtype.kind != "f" or value.array.size not in (1, outputs):
        return None
    return spread_real(value.array.astype(np.float32), outputs)


def spread_real(values: npt.NDArray[np.float32], outputs: int) -> Float32Array:
    """One real per output."""
    return np.ascontiguousarray(np.broadcast_to(values.reshape(-1), (outputs,)))


def _dense(node: SourceNode, reader: Reader, *, transposed: bool, bias: int | None) -> Pending:
    source = reader.settled(node)
    constant = reader.quantized_constant(node, 1)
    rules.GEMM_CONSTANT.check(node, f"its weights have shape {constant.values.shape}", constant.values.ndim == 2)
    values, scales = symmetric_weights(node, constant, axis=0 if transposed else 1)
    values = values if transposed else np.ascontiguousarray(values.T)
    if not source.shape or source.shape[-1] != values.shape[1]:
        raise node.invalid(f"weights {values.shape[::-1]} do not fit an input of shape {source.shape} per sample")
    if bias is not None and reader.has(node, bias):
        _check_rows(node, reader.value(node, bias))
    weights = make_weights(node, reader, values, scales, bias)
    real = None if bias is None else _real_bias(node, reader, bias, values.shape[0])
    shape = (*source.shape[:-1], values.shape[0])
    return Pending(Op.GEMM, node.name, (source,), shape, None, weights, real_bias=real)


def _check_rows(node: SourceNode, bias: Value) -> None:
    """Gemm's addend may have rows, which are the batch."""
    array = bias.array if isinstance(bias, Constant) else bias.values if isinstance(bias, QuantizedConstant) else None
    if array is not None and array.size not in (1, array.shape[-1]):
        found = f"its bias of shape {array.shape} varies with the batch"
        raise node.unsupported(found, rule=rules.BATCH_FIRST.sentence)


def symmetric_weights(node: SourceNode, constant: QuantizedConstant, axis: int) -> tuple[Int8Array, Float32Array]:
    """Weights as int8 with zero point 0, which `constants.weights` made of all that fit, and their scales."""
    values, zero_points = constant.values, constant.zero_points
    rules.WEIGHTS_SYMMETRIC.check(node, f"weights are {values.dtype}", values.dtype in (np.int8, np.uint8))
    zeros = sorted({int(zero) for zero in zero_points.reshape(-1)})
    found = f"weights are {values.dtype} from {values.min()} to {values.max()} with zero points {zeros[:4]}"
    rules.WEIGHTS_SYMMETRIC.check(node, found, values.dtype == np.int8 and zeros == [0])
    per_channel = constant.scales.size > 1
    found = f"scales run over axis {constant.axis}"
    rules.PER_CHANNEL_AXIS.check(node, found, not per_channel or constant.axis % values.ndim == axis)
    return values.astype(np.int8), np.asarray(constant.scales.reshape(-1), np.float32)


def make_weights(
    node: SourceNode, reader: Reader, values: Int8Array, scales: Float32Array, bias: int | None
) -> Weights:
    """The weights record with the bias at input ``bias`` (None: the operator has none)."""
    if bias is None or not reader.has(node, bias):
        return Weights(values, scales, np.zeros(values.shape[0], np.int32), has_bias=False)
    unit = np.float32(reader.quant(node).scale) * scales
    return Weights(values, scales, bias_of(node, reader, reader.value(node, bias), unit, values))


def bias_of(node: SourceNode, reader: Reader, value: Value, unit: Float32Array, values: Int8Array) -> Int32Array:
    """The bias of weights ``values`` in units of sx * sw, one int32 per output channel.

    In another unit it is requantized with a warning.
    """
    outputs, terms = values.shape[0], values[0].size
    if isinstance(value, Constant) and value.array.dtype.kind == "f":
        steps, _ = in_units(value.array.astype(np.float64).reshape(-1), unit, terms)
        return _spread(node, steps, outputs)
    rules.WEIGHTS_CONSTANT.check(node, "its bias is no constant", isinstance(value, QuantizedConstant))
    assert isinstance(value, QuantizedConstant), "checked above"
    if value.values.dtype == np.int32 and not value.zero_points.any() and same_unit(value.scales, unit):
        return _spread(node, value.values.reshape(-1), outputs)
    real = (value.values.astype(np.float64).reshape(-1) - value.zero_points) * value.scales.astype(np.float64)
    steps, error = in_units(real, unit, terms)
    reader.builder.warnings += requantized_bias(node.label, error)
    return _spread(node, steps, outputs)


def _spread(node: SourceNode, bias: npt.NDArray[np.generic], outputs: int) -> Int32Array:
    if bias.size > outputs and bias.size % outputs == 0:
        found = f"its bias has {bias.size} entries for {outputs} outputs, so that it varies with the batch"
        raise node.unsupported(found, rule=rules.BATCH_FIRST.sentence)
    if bias.size not in (1, outputs):
        raise node.invalid(f"its bias has {bias.size} entries for {outputs} output channels")
    return np.ascontiguousarray(np.broadcast_to(bias.astype(np.int32), (outputs,)))

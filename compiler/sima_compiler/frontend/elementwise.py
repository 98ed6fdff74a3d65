"""Arithmetic of two operands and the functions of one value.

In: nodes on settled activations and quantized constants. Out: pending operations. Always: Relu and Clip fold into the
operation in front of them when that is not quantized yet, and stand alone otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.errors import UnsupportedError
from sima_compiler.frontend import rules
from sima_compiler.frontend.builder import bounded, can_clamp
from sima_compiler.frontend.dense_bias import takes_bias, with_bias
from sima_compiler.frontend.functions import Rows, as_function, constant_rows, joined, real_constant, step_name, unary
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import (
    MOVEMENTS,
    Constant,
    Moving,
    Pending,
    QuantizedConstant,
    RealFunction,
    Value,
    parameters,
)
from sima_compiler.ir.graph import ActivationAttributes, ConstantOperand, Float32Array, Op

#: Operators that onnxruntime computes on bytes when both sides are quantized; the others it computes in float32.
INTEGER = frozenset({"Add", "Sub", "Mul"})


def convert_binary(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Add, Sub, Mul, Div of two activations, or of one with a constant."""
    sides = [reader.value(node, 0), reader.value(node, 1)]
    constants = [isinstance(side, Constant | QuantizedConstant) for side in sides]
    if all(constants):
        raise node.unsupported("both operands are constants", hint="fold constants before quantizing")
    if not any(constants):
        return [_of_activations(node, reader)]
    position = constants.index(True)
    constant = sides[position]
    assert isinstance(constant, Constant | QuantizedConstant)
    if node.operator == "Add" and takes_bias(sides[1 - position]):
        return [with_bias(node, reader, sides[1 - position], constant)]
    value = reader.activation(node, 1 - position)
    quantized = isinstance(constant, QuantizedConstant) and is_byte_operand(constant) and node.operator in INTEGER
    if not quantized or not settles(value, node, reader):
        return [_real(node, reader)]
    assert isinstance(constant, QuantizedConstant)
    return [_with_operand(node, reader, 1 - position, constant)]


def _of_activations(node: SourceNode, reader: Reader) -> Value:
    op = Op(node.operator)
    if not (settles(reader.activation(node, 0), node, reader) and settles(reader.activation(node, 1), node, reader)):
        return _real(node, reader)
    left, right = reader.settled(node, 0), reader.settled(node, 1)
    shape = broadcast(node, left.shape, right.shape)
    if op is Op.ADD and _spans(left.shape, shape) and not _spans(right.shape, shape):
        left, right = right, left
    exchanged = op is Op.ADD and _repeats_innermost(left.shape, right.shape)
    return Pending(op, node.name, (right, left) if exchanged else (left, right), shape)


def _with_operand(node: SourceNode, reader: Reader, place: int, constant: QuantizedConstant) -> Value:
    """An activation with a quantized constant: onnxruntime computes with the constant's bytes."""
    op, source = Op(node.operator), reader.settled(node, place)
    operand = constant_operand(node, constant, len(source.shape))
    shape = _broadcast_shapes(node, source.shape, operand.values.shape)
    if shape != source.shape:
        raise node.unsupported("its constant is larger than its activation", rule=rules.BROADCAST.sentence)
    if not _is_simple(operand.values.shape, shape):
        operand = ConstantOperand(np.ascontiguousarray(np.broadcast_to(operand.values, shape)), operand.quant)
    exchanged = op is Op.ADD and _repeats_innermost(operand.values.shape, shape)
    return Pending(op, node.name, (source,), shape, constant=operand, constant_first=place == 1 and not exchanged)


def convert_many(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Sum, Max and Min of any number of operands."""
    values = [reader.value(node, place) for place in range(len(node.inputs))]
    if all(isinstance(value, Constant | QuantizedConstant) for value in values):
        raise node.unsupported("all its operands are constants", hint="fold constants before quantizing")
    pair = len(values) == 2 and not any(isinstance(value, Constant | QuantizedConstant) for value in values)
    if not pair or not all(settles(reader.activation(node, place), node, reader) for place in (0, 1)):
        return [_real(node, reader)]
    left, right = reader.settled(node, 0), reader.settled(node, 1)
    op = {"Sum": Op.REAL_ADD, "Max": Op.MAX, "Min": Op.MIN}[node.operator]
    return [Pending(op, node.name, (left, right), broadcast(node, left.shape, right.shape))]


def _real(node: SourceNode, reader: Reader) -> Value:
    """Float32 arithmetic on one tensor and constants.

    Raises:
        UnsupportedError: several tensors meet here, and at least one is not quantized.
    """
    values = [reader.value(node, place) for place in range(len(node.inputs))]
    functions = {place: as_function(value, node, reader) for place, value in enumerate(values)
                 if not isinstance(value, Constant | QuantizedConstant)}  # fmt: skip
    known = [function for function in functions.values() if function is not None]
    found = None
    if len(known) == len(functions):
        shape = known[0].shape
        operands = [functions.get(place) or _rows(node, value, shape) for place, value in enumerate(values)]
        found = joined(node.operator, node.name, operands)
    if found is None:
        for place in functions:
            reader.builder.check_settles(reader.activation(node, place), node)
        raise node.unsupported("it joins tensors, one of which is computed in float32 since its DequantizeLinear",
                               rule=rules.QUANTIZED.sentence, hint=rules.REQUANTIZE_HINT)  # fmt: skip
    return found


def _rows(node: SourceNode, value: Value, shape: tuple[int, ...]) -> Rows:
    assert isinstance(value, Constant | QuantizedConstant)
    return constant_rows(node, real_constant(value), shape)


def settles(value: Moving, node: SourceNode, reader: Reader) -> bool:
    """Whether ``value`` is a tensor of known scale, perhaps moved."""
    try:
        reader.builder.check_settles(value, node)
    except UnsupportedError:
        return False
    return True


def is_byte_operand(value: QuantizedConstant) -> bool:
    """Whether a constant may stand beside an activation as bytes with one scale."""
    return value.values.dtype in (np.int8, np.uint8) and value.scales.size == 1 and value.zero_points.size == 1


def _repeats_innermost(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    """Whether the left side is one value along the innermost axis that counts.

    onnxruntime exchanges the sides of such an Add, which changes the order of its roundings.
    """
    aligned = (1,) * (len(right) - len(left)) + left
    return next((a == 1 for a, b in zip(reversed(aligned), reversed(right), strict=False) if max(a, b) > 1), False)


def broadcast(node: SourceNode, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    """Per-sample shape of the result of two activations; both have the batch in front, so their ranks must match."""
    if len(left) != len(right):
        raise node.unsupported(f"operands have shapes {left} and {right} per sample, so that one's batch meets "
                               "another dimension", rule=rules.BATCH_FIRST.sentence)  # fmt: skip
    shape = _broadcast_shapes(node, left, right)
    found = f"operands have shapes {left} and {right} per sample"
    rules.BROADCAST.check(node, found, all(_is_simple(side, shape) for side in (left, right)))
    return shape


def _broadcast_shapes(node: SourceNode, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(left, right)
    except ValueError as error:
        raise node.invalid(f"operands of shapes {left} and {right} per sample do not broadcast") from error


def _spans(side: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether one value of ``side`` serves a run of neighbours in the result.

    Then it is the second operand of an Add, where onnxruntime puts it too.
    """
    aligned = (1,) * (len(shape) - len(side)) + side
    varying = [axis for axis, size in enumerate(shape) if size != 1]
    return bool(varying) and aligned[varying[-1]] == 1


def _is_simple(side: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Same shape, one value, or one value per channel (the first per-sample axis of images, the last one otherwise)."""
    aligned = (1,) * (len(shape) - len(side)) + side
    if aligned == shape or all(size == 1 for size in aligned):
        return True
    channel = 0 if len(shape) == 3 else len(shape) - 1
    return all(size == (shape[axis] if axis == channel else 1) for axis, size in enumerate(aligned))


def constant_operand(node: SourceNode, value: QuantizedConstant, rank: int) -> ConstantOperand:
    """A quantized constant as an operand: the batch axis removed, values in the int8 frame."""
    unsigned = value.values.dtype == np.uint8
    array = value.values.astype(np.int16) - (128 if unsigned else 0)
    if array.ndim > rank:
        if array.ndim > rank + 1 or array.shape[0] != 1:
            raise node.unsupported(f"its constant of shape {array.shape} varies with the batch",
                                   rule=rules.BATCH_FIRST.sentence)  # fmt: skip
        array = array[0]
    quant = parameters(float(value.scales.reshape(-1)[0]), int(value.zero_points.reshape(-1)[0]), unsigned=unsigned)
    return ConstantOperand(array.astype(np.int8), quant)


def convert_relu(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Relu: a limit on the pending operation in front of it, or a node of its own."""
    return [_limited(node, reader, Pending(Op.RELU, node.name, (), ()), (0.0, float("inf")))]


def convert_clip(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Clip with constant bounds: as `convert_relu`."""
    low, high = _clip_bound(node, reader, 1, "min", -np.inf), _clip_bound(node, reader, 2, "max", np.inf)
    attributes = ActivationAttributes(minimum=low, maximum=high)
    return [_limited(node, reader, Pending(Op.CLIP, node.name, (), (), attributes), (low, high))]


def _limited(node: SourceNode, reader: Reader, alone: Pending, bounds: tuple[float, float]) -> Value:
    """The node's input within ``bounds``; ``alone`` is the operation where it stands behind a DequantizeLinear."""
    source = reader.activation(node)
    if (limited := _bounded_inside(source, bounds, node.operator.lower())) is not None:
        return limited
    if not settles(source, node, reader) and (function := as_function(source, node, reader)) is not None:
        low, high = (np.float32(bound) for bound in bounds)
        return unary(function, node.operator.lower(), node.name, lambda x: np.minimum(np.maximum(x, low), high))
    return replace(alone, inputs=(source,), shape=source.shape)


def _bounded_inside(value: Value, bounds: tuple[float, float], label: str) -> Pending | None:
    """A limit on the operation at the root of movements that only select; None where there is none to take it."""
    if not isinstance(value, Pending):
        return None
    if can_clamp(value):
        return bounded(value, *bounds, label)
    if value.op not in MOVEMENTS or value.op is Op.PAD:
        return None
    inner = _bounded_inside(value.inputs[0], bounds, label)
    return None if inner is None else replace(value, inputs=(inner,))


def _clip_bound(node: SourceNode, reader: Reader, position: int, attribute: str, default: float) -> float:
    if not reader.has(node, position):
        return node.real(attribute, default)
    value = reader.value(node, position)
    if isinstance(value, QuantizedConstant):
        real = (value.values.astype(np.float32) - value.zero_points.astype(np.float32)) * value.scales
        return float(np.asarray(real, np.float32).reshape(-1)[0])
    return float(reader.constant(node, position).reshape(-1)[0])


def convert_unary(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """LeakyRelu, Sigmoid, Tanh, HardSigmoid, HardSwish."""
    value, attributes = reader.activation(node), unary_attributes(node)
    if not settles(value, node, reader):
        function = _function(node, reader)
        op, known = Op(node.operator), attributes or ActivationAttributes()
        return [unary(function, step_name(op), node.name, lambda x: arithmetic.evaluate(op, known, x))]
    source = reader.settled(node)
    return [Pending(Op(node.operator), node.name, (source,), source.shape, attributes)]


#: Functions of one value of which IEEE 754 knows the result.
EXACT: dict[str, Callable[[Float32Array], Float32Array]] = {
    "Neg": np.negative, "Abs": np.abs, "Sqrt": np.sqrt, "Floor": np.floor, "Ceil": np.ceil, "Round": np.rint,
    "Sign": np.sign, "Reciprocal": lambda x: np.divide(np.float32(1), x),
}  # fmt: skip


def convert_exact(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Neg, Abs, Sqrt and their like."""
    return [unary(_function(node, reader), step_name(node.operator), node.name, EXACT[node.operator])]


def convert_batch_normalization(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """A scale and a shift per channel, worked out and applied as onnxruntime does."""
    if node.integer("training_mode", 0):
        raise node.unsupported("it is in training mode", rule=rules.BATCH_NORMALIZATION.sentence,
                               hint="export the model for inference")  # fmt: skip
    function = _function(node, reader)
    channels = [_vector(node, reader, place) for place in range(1, 5)]
    scale, shift, mean, variance = channels
    with np.errstate(all="ignore"):
        factor = scale * (np.float32(1) / np.sqrt(variance + np.float32(node.real("epsilon", 1e-5))))
        offset = shift - mean * factor
    shape = (-1, *(1,) * (len(function.shape) - 1))
    scaled = joined("Mul", node.name, [function, constant_rows(node, factor.reshape(shape), function.shape)])
    result = scaled and joined("Add", node.name, [scaled, constant_rows(node, offset.reshape(shape), function.shape)])
    if result is None:
        raise node.unsupported("its input varies along another axis than channels already",
                               rule=rules.REAL_CONSTANT.sentence)  # fmt: skip
    return [replace(result, steps=(*function.steps, "batch_normalization"), nodes=(*function.nodes, node.name))]


def _vector(node: SourceNode, reader: Reader, place: int) -> Float32Array:
    value = reader.value(node, place)
    if isinstance(value, QuantizedConstant):
        return real_constant(value).reshape(-1)
    return reader.constant(node, place).astype(np.float32).reshape(-1)


def _function(node: SourceNode, reader: Reader) -> RealFunction:
    """The node's first input as arithmetic on one tensor.

    Raises:
        UnsupportedError: it is none.
    """
    value = reader.activation(node)
    found = as_function(value, node, reader)
    if found is None:
        reader.builder.check_settles(value, node)
        raise node.unsupported("its input is no activation", rule=rules.QUANTIZED.sentence)
    return found


def unary_attributes(node: SourceNode) -> ActivationAttributes | None:
    """Slopes of the functions that have them, with ONNX's defaults."""
    if node.operator.endswith("LeakyRelu"):
        return ActivationAttributes(alpha=node.real("alpha", 0.01))
    if node.operator == "HardSigmoid":
        return ActivationAttributes(alpha=node.real("alpha", 0.2), beta=node.real("beta", 0.5))
    return None

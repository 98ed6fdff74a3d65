"""Add, Sub, Mul and the functions of one value.

In: nodes on settled activations and quantized constants. Out: pending operations. Always: Relu and Clip fold into the
operation in front of them when that is not quantized yet, and stand alone otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sima_compiler.frontend import rules
from sima_compiler.frontend.builder import bounded, can_clamp
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Constant, Pending, QuantizedConstant, Value, parameters
from sima_compiler.ir.graph import ActivationAttributes, ConstantOperand, Op


def convert_binary(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Add, Sub, Mul of two activations, or of one with a quantized constant."""
    op = Op(node.operator)
    sides = [reader.value(node, 0), reader.value(node, 1)]
    constants = [isinstance(side, Constant | QuantizedConstant) for side in sides]
    if all(constants):
        raise node.unsupported("both operands are constants", hint="fold constants before quantizing")
    if not any(constants):
        left, right = reader.settled(node, 0), reader.settled(node, 1)
        shape = broadcast(node, left.shape, right.shape)
        if op is Op.ADD and _spans(left.shape, shape) and not _spans(right.shape, shape):
            left, right = right, left
        exchanged = op is Op.ADD and _repeats_innermost(left.shape, right.shape)
        return [Pending(op, node.name, (right, left) if exchanged else (left, right), shape)]
    position = constants.index(True)
    source = reader.settled(node, 1 - position)
    operand = constant_operand(node, sides[position], len(source.shape))
    shape = _broadcast_shapes(node, source.shape, operand.values.shape)
    if shape != source.shape:
        raise node.unsupported("its constant is larger than its activation", rule=rules.BROADCAST.sentence)
    if not _is_simple(operand.values.shape, shape):
        operand = ConstantOperand(np.ascontiguousarray(np.broadcast_to(operand.values, shape)), operand.quant)
    exchanged = op is Op.ADD and _repeats_innermost(operand.values.shape, shape)
    first = position == 0 and not exchanged
    return [Pending(op, node.name, (source,), shape, constant=operand, constant_first=first)]


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


def constant_operand(node: SourceNode, value: Value, rank: int) -> ConstantOperand:
    """A quantized constant as an operand: the batch axis removed, values in the int8 frame."""
    if not isinstance(value, QuantizedConstant):
        raise node.unsupported("its constant is not quantized", rule=rules.QUANTIZED.sentence,
                               hint="quantize constants of elementwise operators too")  # fmt: skip
    found = f"its constant has {value.scales.size} scales"
    rules.PER_TENSOR.check(node, found, value.scales.size == 1 and value.zero_points.size == 1)
    rules.PER_TENSOR.check(node, f"its constant is {value.values.dtype}", value.values.dtype in (np.int8, np.uint8))
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
    source = reader.activation(node)
    if isinstance(source, Pending) and can_clamp(source):
        return [bounded(source, 0.0, float("inf"), "relu")]
    return [Pending(Op.RELU, node.name, (source,), source.shape)]


def convert_clip(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Clip with constant bounds: as `convert_relu`."""
    low, high = _clip_bound(node, reader, 1, "min", -np.inf), _clip_bound(node, reader, 2, "max", np.inf)
    source = reader.activation(node)
    if isinstance(source, Pending) and can_clamp(source):
        return [bounded(source, low, high, "clip")]
    return [Pending(Op.CLIP, node.name, (source,), source.shape, ActivationAttributes(minimum=low, maximum=high))]


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
    source = reader.settled(node)
    return [Pending(Op(node.operator), node.name, (source,), source.shape, unary_attributes(node))]


def unary_attributes(node: SourceNode) -> ActivationAttributes | None:
    """Slopes of the functions that have them, with ONNX's defaults."""
    if node.operator.endswith("LeakyRelu"):
        return ActivationAttributes(alpha=node.real("alpha", 0.01))
    if node.operator == "HardSigmoid":
        return ActivationAttributes(alpha=node.real("alpha", 0.2), beta=node.real("beta", 0.5))
    return None

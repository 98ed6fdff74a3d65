"""Arithmetic of two operands and the functions of one value.

In: nodes on settled activations and quantized constants. Out: pending operations. Always: Relu and Clip fold into the
operation in front of them when that is not quantized yet, and stand alone otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from sima_compiler.frontend import rules
from sima_compiler.frontend.dense_bias import takes_bias, with_bias
from sima_compiler.frontend.functions import Rows, as_function, constant_rows, joined, real_constant, settles
from sima_compiler.frontend.limits import bounded_inside
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.spreading import spread
from sima_compiler.frontend.values import (
    Activation,
    Constant,
    Moving,
    Pending,
    QuantizedConstant,
    Value,
    parameters,
)
from sima_compiler.ir.graph import ConstantOperand, Float32Array, Op

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
    left, right = _alike(node, reader, left, right, shape)
    return Pending(op, node.name, (right, left) if exchanged else (left, right), shape)


def _alike(
    node: SourceNode, reader: Reader, left: Activation, right: Activation, shape: tuple[int, ...]
) -> tuple[Activation, Activation]:
    """Both sides as the machine takes them: one as large as the result, the other too, or per channel, or one value."""
    sides = [
        side if _is_simple(side.shape, shape) else spread(node, reader, side, shape, place)
        for place, side in enumerate((left, right))
    ]
    if shape not in (sides[0].shape, sides[1].shape):
        sides[0] = spread(node, reader, sides[0], shape, 0)
    return sides[0], sides[1]


def _with_operand(node: SourceNode, reader: Reader, place: int, constant: QuantizedConstant) -> Value:
    """An activation with a quantized constant: onnxruntime computes with the constant's bytes."""
    op, source = Op(node.operator), reader.settled(node, place)
    operand = constant_operand(node, constant, len(source.shape))
    shape = _broadcast_shapes(node, source.shape, operand.values.shape)
    source = spread(node, reader, source, shape, place)
    operand = _as_stored(operand, shape)
    exchanged = op is Op.ADD and _repeats_innermost(operand.values.shape, shape)
    return Pending(op, node.name, (source,), shape, constant=operand, constant_first=place == 1 and not exchanged)


def _as_stored(operand: ConstantOperand, shape: tuple[int, ...]) -> ConstantOperand:
    """A constant as the machine takes it: one value, one per channel, or one for each value of the result."""
    if _is_simple(operand.values.shape, shape):
        return operand
    return replace(operand, values=np.ascontiguousarray(np.broadcast_to(operand.values, shape)))


def convert_prelu(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """PRelu with constant slopes: an operand as bytes where they are quantized, else float32 arithmetic."""
    slopes = reader.value(node, 1)
    found = f"its slopes {node.inputs[1]!r} are computed"
    rules.PRELU_SLOPE.check(node, found, isinstance(slopes, Constant | QuantizedConstant))
    assert isinstance(slopes, Constant | QuantizedConstant), "checked above"
    _check_slopes(node, reader, slopes)
    if not isinstance(slopes, QuantizedConstant) or not is_byte_operand(slopes):
        return [_real(node, reader)]
    if not settles(reader.activation(node), node, reader):
        return [_real(node, reader)]
    source = reader.settled(node)
    operand = _as_stored(constant_operand(node, slopes, len(source.shape)), source.shape)
    return [Pending(Op.PRELU, node.name, (source,), source.shape, constant=operand)]


def _check_slopes(node: SourceNode, reader: Reader, slopes: Constant | QuantizedConstant) -> None:
    real, shape = real_constant(slopes), reader.shape(node)
    sides = real.shape[max(0, real.ndim - len(shape)) :]
    fits = real.size == prod(sides) and _broadcast_shapes(node, shape, sides) == shape
    found = f"slopes of shape {real.shape} on an input of shape {shape} per sample"
    rules.PRELU_SLOPE.check(node, found, fits)


def convert_many(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Sum, Max and Min of any number of operands."""
    values = [reader.value(node, place) for place in range(len(node.inputs))]
    if all(isinstance(value, Constant | QuantizedConstant) for value in values):
        raise node.unsupported("all its operands are constants", hint="fold constants before quantizing")
    limited = _limited(node, reader, values)
    if limited is not None:
        return [limited]
    if node.operator != "Sum" and not _of_one_tensor(node, reader, values):
        return [_extreme(node, reader, values)]
    two = len(values) == 2 and not any(isinstance(value, Constant | QuantizedConstant) for value in values)
    pair = two and node.operator == "Sum"  # the larger or smaller of a tensor and itself is a function of one byte
    if not pair or not all(settles(reader.activation(node, place), node, reader) for place in (0, 1)):
        return [_real(node, reader)]
    left, right = reader.settled(node, 0), reader.settled(node, 1)
    shape = broadcast(node, left.shape, right.shape)
    return [Pending(Op.REAL_ADD, node.name, _alike(node, reader, left, right, shape), shape)]


def _of_one_tensor(node: SourceNode, reader: Reader, values: Sequence[Value]) -> bool:
    """Whether all activations are float32 arithmetic on one tensor."""
    moving = [value for value in values if not isinstance(value, Constant | QuantizedConstant)]
    functions = [as_function(value, node, reader) for value in moving]
    return all(functions) and len({found.source.tensor for found in functions if found is not None}) == 1


def _extreme(node: SourceNode, reader: Reader, values: Sequence[Value]) -> Value:
    """The largest or smallest of several tensors, two at a time.

    Which is larger, and quantizing, may change places: every operand takes the result's scale first, unless it has one.
    """
    op, parts, reals = Op(node.operator), list[Moving](), list[Float32Array]()
    for place, value in enumerate(values):
        if isinstance(value, Constant | QuantizedConstant):
            reals.append(real_constant(value))
        else:
            moving = reader.activation(node, place)
            parts.append(reader.settled(node, place) if settles(moving, node, reader) else moving)
    shape = parts[0].shape
    for part in parts[1:]:
        shape = broadcast(node, shape, part.shape)
    rows = [constant_rows(node, real, shape)[..., 0] for real in reals]
    made = [_as_large(node, reader, part, shape, place) for place, part in enumerate(parts)]
    first = next((place for place, part in enumerate(made) if part.shape == shape), None)
    made.insert(0, _spread(node, reader, made[0], shape) if first is None else made.pop(first))
    result = made[0]
    for part in made[1 if first is not None else 2 :]:
        result = Pending(op, node.name, (result, part), shape)
    for real in rows:
        result = Pending(op, node.name, (result,), shape, real_operand=real)
    return result


def _as_large(node: SourceNode, reader: Reader, part: Moving, shape: tuple[int, ...], place: int) -> Moving:
    """An operand of the shape of the result, or one that the machine spreads."""
    return part if _is_simple(part.shape, shape) else _spread(node, reader, part, shape, place)


def _spread(node: SourceNode, reader: Reader, part: Moving, shape: tuple[int, ...], place: int = 0) -> Activation:
    """An operand as large as the result.

    Raises:
        UnsupportedError: it has no quantization of its own.
    """
    if not isinstance(part, Activation):
        reader.builder.check_settles(part, node)
        raise node.unsupported("it spreads a tensor of no known scale", rule=rules.QUANTIZED.sentence)
    return spread(node, reader, part, shape, place)


def _limited(node: SourceNode, reader: Reader, values: Sequence[Value]) -> Value | None:
    """Max and Min of one value that is not quantized yet and of single numbers: limits, as Relu and Clip are."""
    places = [place for place, value in enumerate(values) if not isinstance(value, Constant | QuantizedConstant)]
    numbers = [real_constant(value) for value in values if isinstance(value, Constant | QuantizedConstant)]
    if node.operator == "Sum" or len(places) != 1 or any(number.size != 1 for number in numbers):
        return None
    source = reader.activation(node, places[0])
    if any(number.ndim > len(source.shape) + 1 for number in numbers):
        return None
    limits = [float(number.reshape(-1)[0]) for number in numbers]
    bounds = (max(limits), float("inf")) if node.operator == "Max" else (float("-inf"), min(limits))
    return bounded_inside(source, bounds, kept=True)


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
        found = joined(node.operator, node.name, operands, node)
    if found is None:
        for place in functions:
            reader.builder.check_settles(reader.activation(node, place), node)
        raise node.unsupported("it joins tensors, one of which is computed in float32 since its DequantizeLinear",
                               rule=rules.QUANTIZED.sentence, hint=rules.REQUANTIZE_HINT)  # fmt: skip
    return found


def _rows(node: SourceNode, value: Value, shape: tuple[int, ...]) -> Rows:
    assert isinstance(value, Constant | QuantizedConstant)
    return constant_rows(node, real_constant(value), shape)


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
    return _broadcast_shapes(node, left, right)


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

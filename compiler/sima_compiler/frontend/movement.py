"""Transpose, Slice, Split, Concat, and what passes values through.

In: nodes on bytes or on real values. Out: movements, done at once on bytes and later on real values. Always: axes are
per sample and the batch stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.frontend import rules
from sima_compiler.frontend.functions import real_constant, settles
from sima_compiler.frontend.moves import move
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import (
    MOVEMENTS,
    Activation,
    Constant,
    JoinedConstant,
    Moving,
    Pending,
    QuantizedConstant,
    RealFunction,
    Value,
)
from sima_compiler.ir.graph import BINARY_OPS, UNARY_OPS, Op, ShapeAttributes

#: ONNX's number for float32.
FLOAT = 1
#: ONNX writes "to the end" as numbers at least this large.
TO_THE_END = 2**31 - 1


def convert_identity(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Identity, and Dropout when it only infers."""
    return [reader.value(node, 0)]


def convert_cast(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Cast of reals to float32, which they are."""
    rules.CAST.check(node, f"it casts to ONNX type {node.integer('to', 0)}", node.integer("to", 0) == FLOAT)
    value = reader.activation(node)
    rules.CAST.check(node, "it casts bytes", not isinstance(value, Activation) or not value.integer)
    return [value]


def convert_transpose(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Transpose that leaves the batch in front."""
    shape = reader.shape(node)
    order = node.integers("perm") or tuple(reversed(range(len(shape) + 1)))
    if sorted(order) != list(range(len(shape) + 1)):
        raise node.invalid(f"perm {order} is no permutation of {len(shape) + 1} axes")
    if order[0] != 0:
        raise node.unsupported(f"perm {order} moves the batch", rule=rules.BATCH_FIRST.sentence)
    permutation = tuple(axis - 1 for axis in order[1:])
    attributes = ShapeAttributes(permutation=permutation)
    return [move(node, reader, Op.TRANSPOSE, tuple(shape[axis] for axis in permutation), attributes)]


def convert_slice(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Slice with constant bounds and positive steps; the batch may only be taken whole."""
    shape = reader.shape(node)
    starts, ends = reader.integers(node, 1, "starts") or (), reader.integers(node, 2, "ends") or ()
    axes = reader.integers(node, 3, "axes") or tuple(range(len(starts)))
    steps = reader.integers(node, 4, "steps") or (1,) * len(starts)
    if len({len(starts), len(ends), len(axes), len(steps)}) > 1:
        found = f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes and {len(steps)} steps"
        raise node.invalid(f"it has {found}, expected as many of each")
    rules.SLICE_STEP.check(node, f"steps {steps}", steps)
    first, step, size = [0] * len(shape), [1] * len(shape), list(shape)
    for axis, start, end, stride in zip(axes, starts, ends, steps, strict=True):
        if axis % (len(shape) + 1) == 0 and start == 0 and stride == 1 and end >= TO_THE_END:
            continue
        position = reader.axis(node, axis, len(shape) + 1)
        low, high, _ = slice(start, end, stride).indices(shape[position])
        first[position], step[position] = low, stride
        size[position] = len(range(low, high, stride))
    if 0 in size:
        raise node.invalid(f"its result is empty: {tuple(size)}")
    attributes = ShapeAttributes(starts=tuple(first), steps=tuple(step))
    return [move(node, reader, Op.SLICE, tuple(size), attributes)]


def convert_split(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Split: one Slice per output."""
    shape = reader.shape(node)
    axis = reader.axis(node, node.integer("axis", 0), len(shape) + 1)
    parts = reader.integers(node, 1, "split") or _even_parts(shape[axis], len(node.outputs))
    if len(parts) != len(node.outputs) or sum(parts) != shape[axis] or min(parts) < 1:
        raise node.invalid(f"parts {parts} do not divide {shape[axis]} over {len(node.outputs)} outputs")
    results: list[Value] = []
    for index, size in enumerate(parts):
        starts = tuple(sum(parts[:index]) if position == axis else 0 for position in range(len(shape)))
        attributes = ShapeAttributes(starts=starts, steps=(1,) * len(shape))
        part = (*shape[:axis], size, *shape[axis + 1 :])
        results.append(move(node, reader, Op.SLICE, part, attributes, output=index))
    return results


def _even_parts(total: int, count: int) -> tuple[int, ...]:
    size = -(-total // count)
    return (size,) * (count - 1) + (total - size * (count - 1),)


def _part(node: SourceNode, reader: Reader, position: int) -> Moving:
    """A tensor, or what onnxruntime computes in float32 in front of the Concat: that takes the scale of the result."""
    value = reader.activation(node, position)
    root = value
    while isinstance(root, Pending) and root.op in MOVEMENTS:
        root = root.inputs[0]
    real = isinstance(root, RealFunction) or (isinstance(root, Pending) and root.op in BINARY_OPS | UNARY_OPS)
    if real and not settles(value, node, reader):
        return value
    return reader.settled(node, position)


def _parts(node: SourceNode, reader: Reader, position: int, axis: int) -> Sequence[Moving]:
    """One input of a Concat; those of a Concat along the same axis that nothing quantizes in between, one by one."""
    value = reader.activation(node, position)
    joined = isinstance(value, Pending) and value.op is Op.CONCAT and not value.fused
    if joined and isinstance(value, Pending) and value.attributes == ShapeAttributes(axis=axis):
        return value.inputs
    return (_part(node, reader, position),)


def convert_concat(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Concat behind the batch; inputs may have scales of their own, and some may be constants."""
    values = [reader.value(node, position) for position in range(len(node.inputs))]
    moving = [place for place, value in enumerate(values) if not isinstance(value, Constant | QuantizedConstant)]
    rank = len(reader.activation(node, moving[0] if moving else 0).shape) + 1
    axis = reader.axis(node, node.integer("axis", 0), rank)
    parts: list[Moving] = []
    joined: list[JoinedConstant] = []
    for position, value in enumerate(values):
        if isinstance(value, Constant | QuantizedConstant):
            joined.append(_joined_constant(node, value, len(parts)))
        else:
            parts += _parts(node, reader, position, axis)
    shape = _joined_shape(node, axis, [*(part.shape for part in parts), *(constant.real.shape for constant in joined)])
    pending = Pending(
        Op.CONCAT, node.name, tuple(parts), shape, ShapeAttributes(axis=axis), joined=tuple(joined),
        name=node.outputs[0],
    )  # fmt: skip
    if joined or not all(isinstance(part, Activation) and part.integer for part in parts):
        on_bytes = any(isinstance(part, Activation) and part.integer for part in parts)
        rules.REALS.check(node, "it joins bytes and a constant", not (joined and on_bytes))
        return [pending]
    quants = {reader.builder.quant(part) for part in parts if isinstance(part, Activation)}
    if len(quants) > 1:
        raise node.unsupported("it joins bytes of different scales")
    return [reader.builder.quantized(pending, quants.pop(), node.outputs[0], node)]


def _joined_constant(node: SourceNode, value: Constant | QuantizedConstant, place: int) -> JoinedConstant:
    """A constant of a Concat in front of its activation number ``place``, the same for every sample."""
    found = real_constant(value)
    same = found.ndim > 0 and bool((found == found[:1]).all())
    rules.BATCH_FIRST.check(node, f"its constant of shape {found.shape} varies with the batch", same)
    return JoinedConstant(place, found[0])


def _joined_shape(node: SourceNode, axis: int, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    first = shapes[0]
    rest = (*first[:axis], *first[axis + 1 :])
    for shape in shapes[1:]:
        if len(shape) != len(first) or (*shape[:axis], *shape[axis + 1 :]) != rest:
            raise node.invalid(f"inputs of shapes {first} and {shape} do not fit along axis {axis + 1}")
    return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])

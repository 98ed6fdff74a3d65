"""Two-operand arithmetic of two tensors, or of a tensor and a constant.

In: steps with two operands. Out: a `Binary` on the way out of the convolution that makes one operand, or else an
`Elementwise` layer. The bigger operand is the value in flight; `swapped` keeps the source's order of operands.

::

    before: a = Conv(x); y = Add(a, b)     after: conv2d_add_add, with b as its operand
    before: y = Mul(x, gate (C, 1, 1))     after: mul, with gate as its operand for every pixel

Checks for fusing: the convolution's result is read by nothing else and has no second operand yet; the other operand
exists before it runs, or it can run later because only this step waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from sima_compiler.arithmetic import BINARY_OPS
from sima_compiler.errors import InternalError, UnsupportedError
from sima_compiler.ir.graph import ConstantOperand, Int8Array
from sima_compiler.ir.layers import Binary, Broadcast, Convolution, Elementwise
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.byte_functions import Step, operator_part
from sima_compiler.stages.lowering.copies import make_canonical, make_like, make_whole
from sima_compiler.stages.lowering.feature_maps import Geometry
from sima_compiler.stages.lowering.views import Axis, View, axis_length, merged, same_order


@dataclass(frozen=True, slots=True)
class Operands:
    """The value in flight and what it meets: the tensor ``operand``, or the constant ``values``."""

    flight: str
    operand: str | None
    broadcast: Broadcast
    values: Int8Array | None = None


BROADCAST_RULE = "the smaller operand has the same shape, one value per channel, or one value"


def lower_elementwise(builder: Builder, step: Step) -> None:
    """Two tensors of one shape, a tensor and a smaller one, or a tensor and a constant."""
    shape = builder.tensor(step.output).shape
    if step.node.constant is not None:
        _require(step, builder.tensor(step.inputs[0]).shape == shape, builder)
        _with_constant(builder, step, step.node.constant)
        return
    left, right = step.inputs
    shapes = builder.tensor(left).shape, builder.tensor(right).shape
    if shapes[0] == shapes[1]:
        _same_shape(builder, step)
        return
    _require(step, shape in shapes, builder)
    big, small = (left, right) if shapes[0] == shape else (right, left)
    _broadcast(builder, step, big, small)


def _same_shape(builder: Builder, step: Step) -> None:
    left, right = step.inputs
    keeper = min(step.inputs, key=lambda name: (not builder.whole(name), bool(builder.view(name).base)))
    other = right if keeper == left else left
    make_whole(builder, keeper)
    sizes = _align(builder, keeper, other)
    _emit(builder, step, [Operands(left, right, Broadcast.NONE), Operands(right, left, Broadcast.NONE)], sizes)


def _align(builder: Builder, keeper: str, other: str) -> Geometry:
    """Let ``other`` lie exactly as ``keeper`` does."""
    view = builder.view(keeper)
    sizes = builder.sizes(view.source)
    same = builder.whole(other) and builder.sizes(builder.view(other).source) == sizes
    if not same or not same_order(view, builder.view(other)):
        make_like(builder, other, view, sizes)
    return sizes


def _broadcast(builder: Builder, step: Step, big: str, small: str) -> None:
    make_whole(builder, big)
    if _spread_axes(builder, big, small) is None:
        make_canonical(builder, big)
    wanted = _spread_axes(builder, big, small)
    if wanted is None:
        raise _unsupported(step, builder)
    sizes = builder.sizes(builder.view(big).source)
    broadcast = Broadcast.SCALAR if builder.tensor(small).shape.count(1) == len(wanted) else Broadcast.CHANNEL
    target = View("", wanted)
    width = sizes[2] if broadcast is Broadcast.CHANNEL else 1
    lies = builder.whole(small) and builder.sizes(builder.view(small).source) == (1, 1, width)
    if not lies or not same_order(target, builder.view(small)):
        make_like(builder, small, target, (1, 1, width))
    _emit(builder, step, [Operands(big, small, broadcast)], sizes)


def _spread_axes(builder: Builder, big: str, small: str) -> tuple[Axis, ...] | None:
    """The small operand's axes on a (1, 1, channels) map; None when it varies along anything but whole channels."""
    view, shape = builder.view(big), builder.tensor(small).shape
    channels = builder.maps[view.source].channels
    if len(shape) > len(view.axes):
        return None
    axes: list[Axis] = []
    for axis, size in zip(view.axes[len(view.axes) - len(shape) :], shape, strict=True):
        if size not in (1, axis_length(axis)):
            return None
        axes.append(merged(axis) if size > 1 else ())
    factors = [factor for axis in axes for factor in axis]
    covered = prod(factor.size for factor in factors)
    per_channel = covered == channels and all(factor.stride < channels for factor in factors)
    return tuple(axes) if covered == 1 or per_channel else None


def _with_constant(builder: Builder, step: Step, constant: ConstantOperand) -> None:
    name = step.inputs[0]
    make_whole(builder, name)
    view = builder.view(name)
    sizes = builder.sizes(view.source)
    values = _stored_constant(constant.values, view, sizes)
    _emit(builder, step, [Operands(name, None, _spread_of(values), values)], sizes)


def _stored_constant(values: Int8Array, view: View, sizes: Geometry) -> Int8Array:
    """The constant in (rows, columns, channels) of the map, ones where every index has the same value."""
    factors = view.factors
    full = np.broadcast_to(values.reshape(values.shape[max(0, values.ndim - len(view.axes)) :]), view.shape)
    order = sorted(range(len(factors)), key=lambda index: -factors[index].stride)
    stored = full.reshape(tuple(factor.size for factor in factors)).transpose(order).reshape(sizes)
    stored = stored[:1, :1] if (stored == stored[:1, :1]).all() else stored
    small = stored[:, :, :1] if stored.shape[:2] == (1, 1) and (stored == stored[:, :, :1]).all() else stored
    return np.ascontiguousarray(small)


def _spread_of(values: Int8Array) -> Broadcast:
    if values.size == 1:
        return Broadcast.SCALAR
    return Broadcast.CHANNEL if values.shape[:2] == (1, 1) else Broadcast.NONE


def _emit(builder: Builder, step: Step, choices: list[Operands], sizes: Geometry) -> None:
    """Into the latest convolution that can take it, or as a layer of its own."""
    fusable = [(index, choice) for choice in choices if (index := _convolution(builder, choice.flight)) is not None]
    if fusable:
        index, choice = max(fusable, key=lambda pair: pair[0])
        _fuse(builder, step, index, choice)
    else:
        _stand_alone(builder, step, choices[0], sizes)


def _stand_alone(builder: Builder, step: Step, choice: Operands, sizes: Geometry) -> None:
    kernel = Elementwise(_binary(builder, step, choice))
    view = builder.view(choice.flight)
    part = operator_part(step.node.op)
    inputs = (view.source, *_operand_map(builder, choice))
    draft = Draft(part, kernel, inputs, step.output, (part, *step.node.fused), step.sources)
    builder.produce_like(step, draft, view, sizes)


def _convolution(builder: Builder, name: str) -> int | None:
    """The layer that makes the tensor, if it is a convolution with room for an operand and no other reader."""
    index = builder.producer(builder.view(name).source)
    if index is None or not builder.whole(name) or not builder.exclusive(name):
        return None
    kernel = builder.drafts[index].kernel
    return index if isinstance(kernel, Convolution) and kernel.binary is None else None


def _fuse(builder: Builder, step: Step, index: int, choice: Operands) -> None:
    needed = [builder.producer(name) for name in _operand_map(builder, choice)]
    if any(found is not None and found > index for found in needed):
        builder.drafts.append(builder.drafts.pop(index))
        index = len(builder.drafts) - 1
    kernel = builder.drafts[index].kernel
    if not isinstance(kernel, Convolution):
        raise InternalError(f"legalize: {step.node.name} meets no convolution")
    binary = _binary(builder, step, choice)
    builder.rewrite(index, replace(kernel, binary=binary), step, _operand_map(builder, choice))


def _operand_map(builder: Builder, choice: Operands) -> tuple[str, ...]:
    return () if choice.operand is None else (builder.view(choice.operand).source,)


def _binary(builder: Builder, step: Step, choice: Operands) -> Binary:
    quants = [builder.tensor(name).quant for name in step.inputs]
    swapped = step.inputs[0] != choice.flight
    if step.node.constant is not None:
        swapped = step.node.constant_first
        quants.insert(0 if swapped else 1, step.node.constant.quant)
    return Binary(
        op=BINARY_OPS[step.node.op],
        operand=next(iter(_operand_map(builder, choice)), None),
        values=choice.values,
        broadcast=choice.broadcast,
        left=quants[0],
        right=quants[1],
        output=builder.tensor(step.output).quant,
        swapped=swapped,
        clamp=step.node.clamp,
    )


def _require(step: Step, is_met: bool, builder: Builder) -> None:
    if not is_met:
        raise _unsupported(step, builder)


def _unsupported(step: Step, builder: Builder) -> UnsupportedError:
    shapes = " and ".join(str(builder.tensor(name).shape) for name in step.inputs)
    if step.node.constant is not None:
        shapes += f" and a constant {step.node.constant.values.shape}"
    return UnsupportedError(
        f"{step.node.name}: {step.node.op} of per-sample shapes {shapes}",
        node=step.node.name,
        operator=step.node.op,
        rule=BROADCAST_RULE,
        hint="expand the smaller operand in the model, or transpose so that it varies along channels",
    )

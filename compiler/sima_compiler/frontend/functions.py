"""Float32 arithmetic between DequantizeLinear and QuantizeLinear on one tensor, evaluated for all of its 256 bytes.

In: a value of the file. Out: a `RealFunction`, or nothing where more than one tensor takes part. Always: every step is
the operation that onnxruntime runs there, in float32 and in the file's order, so the table that comes of it is exact.

::

    before: DQ -> Add 3 -> Clip 0..6 -> Mul with DQ -> Div 6 -> Q      after: one table
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from math import prod

import numpy as np
import numpy.typing as npt

from sima_compiler import arithmetic
from sima_compiler.errors import UnsupportedError
from sima_compiler.frontend import rules
from sima_compiler.frontend.float_sums import PACKED_CHANNELS
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import (
    MOVEMENTS,
    Activation,
    Constant,
    Moving,
    Pending,
    QuantizedConstant,
    RealFunction,
    Value,
)
from sima_compiler.ir.graph import UNARY_OPS, ActivationAttributes, Float32Array, Op

#: A constant against a tensor: (..., 1), the axes in front broadcasting to the tensor's per-sample shape.
Rows = Float32Array
#: Most functions of one tensor that differ from place to place: their 256 results each are 64 MiB.
MOST_FUNCTIONS = 65_536

#: Two-operand steps by ONNX operator; Sum, Max and Min take any number, from the left.
BINARY: dict[str, Callable[[Float32Array, Float32Array], Float32Array]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide,
    "Sum": np.add, "Max": np.maximum, "Min": np.minimum, "PRelu": arithmetic.sloped_below_zero,
}  # fmt: skip
#: Movements after which a value still is a function of one byte, everywhere the same.
_COMMUTING = MOVEMENTS - {Op.PAD, Op.MAX_POOL}


def as_function(value: Value, node: SourceNode, reader: Reader) -> RealFunction | None:
    """``value`` as arithmetic on one tensor; None when it is none, or more tensors take part."""
    if isinstance(value, RealFunction):
        return value
    if isinstance(value, Activation):
        real = arithmetic.dequantize(arithmetic.ALL_BYTES, reader.builder.quant(value))
        return None if value.integer else RealFunction(value, real, (), ())
    if not isinstance(value, Pending):
        return None
    if value.op in _COMMUTING:
        return _moved(value, node, reader)
    if value.op is Op.MAX_POOL:
        return _maximum(value, node, reader)
    found = _own_step(value, node, reader)
    return None if found is None else _limited(found, value)


def settles(value: Moving, node: SourceNode, reader: Reader) -> bool:
    """Whether ``value`` is a tensor of known scale, perhaps moved."""
    try:
        reader.builder.check_settles(value, node)
    except UnsupportedError:
        return False
    return True


def _own_step(value: Pending, node: SourceNode, reader: Reader) -> RealFunction | None:
    """The step of a pending operation, its limits left out."""
    if value.op in UNARY_OPS:
        inner = as_function(value.inputs[0], node, reader)
        attributes = value.attributes if isinstance(value.attributes, ActivationAttributes) else ActivationAttributes()
        if inner is None:
            return None
        return unary(inner, step_name(value.op), value.source, lambda x: arithmetic.evaluate(value.op, attributes, x))
    if value.op.value not in BINARY:
        return None
    sides = [as_function(side, node, reader) for side in value.inputs]
    functions = [side for side in sides if side is not None]
    if len(functions) < len(sides):
        return None
    operands: list[RealFunction | Rows] = [*functions]
    if value.constant is not None:
        real = arithmetic.dequantize(value.constant.values, value.constant.quant)
        operands.insert(0 if value.constant_first else 1, constant_rows(node, real, value.shape))
    return joined(value.op.value, value.source, operands, node)


def _limited(found: RealFunction, value: Pending) -> RealFunction:
    if not value.fused:
        return found
    low, high = (np.float32(bound) for bound in value.bounds)
    return unary(found, value.fused[-1], value.source, lambda x: np.minimum(np.maximum(x, low), high))


def _moved(value: Pending, node: SourceNode, reader: Reader) -> RealFunction | None:
    """A function behind a movement is the same function of the moved tensor."""
    inner = as_function(value.inputs[0], node, reader)
    return None if inner is None else _of_moved(value, inner, node, reader)


def _maximum(value: Pending, node: SourceNode, reader: Reader) -> RealFunction | None:
    """The largest result of a function that never falls is its result for the largest byte."""
    inner = as_function(value.inputs[0], node, reader)
    found = None
    if inner is not None and bool((np.diff(inner.values) >= 0).all()):
        found = _of_moved(value, inner, node, reader)
    if inner is None or found is None:
        return None
    in_float = bool(inner.steps) or not inner.source.direct
    return replace(found, packed=in_float and value.shape[0] % PACKED_CHANNELS == 0)


def _of_moved(value: Pending, inner: RealFunction, node: SourceNode, reader: Reader) -> RealFunction | None:
    """The function ``inner`` of the bytes that the movement ``value`` makes."""
    if not inner.is_uniform:
        return None
    moved = Pending(
        value.op, value.source, (inner.source,), value.shape, value.attributes, transparent=value.transparent,
        name=f"{value.name}_moved" if inner.steps else value.name,
    )  # fmt: skip
    source = reader.builder.settled(moved, moved.name or value.source, node)
    return RealFunction(source, inner.values.reshape(256), inner.steps, inner.nodes, _still_packed([inner]))


def _still_packed(functions: Sequence[RealFunction]) -> bool | None:
    """Whether channels lie packed behind another operator: it may keep them so."""
    return False if all(function.packed is False for function in functions) else None


def unary(
    function: RealFunction, step: str, node: str, compute: Callable[[Float32Array], Float32Array]
) -> RealFunction:
    """The function with one more step behind it."""
    with np.errstate(all="ignore"):  # infinities and what is no number saturate in the QuantizeLinear, as they do there
        values = np.asarray(compute(function.values), np.float32)
    return RealFunction(
        function.source, values, _named((*function.steps, step)), (*function.nodes, node),
        _still_packed([function]),
    )  # fmt: skip


def joined(operator: str, label: str, operands: Sequence[RealFunction | Rows], node: SourceNode) -> RealFunction | None:
    """The operands under one operator, from the left; None when they are functions of several tensors.

    ``label`` names the step; ``node`` is who asks.

    Raises:
        UnsupportedError: more functions than `MOST_FUNCTIONS`.
    """
    functions = [entry for entry in operands if isinstance(entry, RealFunction)]
    if len({entry.source.tensor for entry in functions}) > 1:
        return None
    rows = [entry.values if isinstance(entry, RealFunction) else entry for entry in operands]
    shape = np.broadcast_shapes(*(values.shape for values in rows))
    found = f"arithmetic in float32 differs in {prod(shape[:-1]):,} places"
    rules.REAL_CONSTANT.check(node, found, prod(shape[:-1]) <= MOST_FUNCTIONS)
    with np.errstate(all="ignore"):
        values = reduce(BINARY[operator], rows)
    before = dict.fromkeys(name for entry in functions for name in entry.nodes)
    steps = max((entry.steps for entry in functions), key=len)
    return RealFunction(
        functions[0].source, np.broadcast_to(values, shape).astype(np.float32),
        _named((*steps, step_name(operator))), (*before, label), _still_packed(functions),
    )  # fmt: skip


def constant_rows(node: SourceNode, array: npt.NDArray[np.generic], shape: tuple[int, ...]) -> Rows:
    """A real constant against a tensor of per-sample ``shape``, of length 1 along every axis on which it is the same.

    Raises:
        UnsupportedError: it varies with the batch, or is larger than the tensor.
    """
    real = array.astype(np.float32)
    if real.ndim > len(shape):
        whole = (1,) * (real.ndim - len(shape)) == real.shape[: real.ndim - len(shape)]
        rules.BATCH_FIRST.check(node, f"its constant of shape {array.shape} varies with the batch", whole)
        real = real.reshape(real.shape[real.ndim - len(shape) :])
    real = real.reshape((1,) * (len(shape) - real.ndim) + real.shape)
    fits = all(size in (1, full) for size, full in zip(real.shape, shape, strict=True))
    rules.BROADCAST.check(node, f"its constant of shape {array.shape} is larger than its activation", fits)
    for axis in range(real.ndim):
        first = real.take([0], axis)
        real = first if (real == first).all() else real
    found = f"its real constant of shape {array.shape} has {real.size:,} values"
    rules.REAL_CONSTANT.check(node, found, real.size <= MOST_FUNCTIONS)
    return real[..., np.newaxis]


def real_constant(value: Constant | QuantizedConstant) -> Float32Array:
    """The reals of a constant, quantized or not."""
    if isinstance(value, Constant):
        return value.array.astype(np.float32)
    shape = [1] * value.values.ndim
    if value.scales.size > 1:
        shape[value.axis % value.values.ndim] = -1
    centred = value.values.astype(np.int64) - value.zero_points.reshape(shape)
    return centred.astype(np.float32) * value.scales.reshape(shape)


def step_name(operator: str) -> str:
    """An operator's name inside a layer's name: HardSigmoid is hard_sigmoid."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", operator).lower()


#: Chains of steps that have a name of their own.
_NAMES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("sigmoid", "mul"): ("swish",),
    ("hard_sigmoid", "mul"): ("hard_swish",),
    ("add", "clip", "mul", "div"): ("hard_swish",),
    ("add", "clip", "mul", "mul"): ("hard_swish",),
    ("add", "clip", "div", "mul"): ("hard_swish",),
}


def _named(steps: tuple[str, ...]) -> tuple[str, ...]:
    return next((steps[: -len(chain)] + name for chain, name in _NAMES.items() if steps[-len(chain) :] == chain), steps)

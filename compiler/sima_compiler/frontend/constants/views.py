"""Operators on constants that only move, pick or retype them, by numpy.

In: a node and the values of its inputs. Out: the value of its result, or None where numpy would not do exactly what
onnxruntime does. Always: integers behind DequantizeLinear move as integers, and their scales' axis with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.known import Dequantized, Known, Value, moved_axis
from sima_compiler.frontend.constants.ordering import label
from sima_compiler.frontend.constants.tensors import Array, check_size

Attributes = Mapping[str, Any]
Inputs = Sequence[Value | None]


def view(node: onnx.NodeProto, inputs: Inputs) -> Value | None:
    """What ``node`` makes of constants, when it is one of `VIEWS`; None leaves it to an evaluator.

    Raises:
        ModelError: a target shape or an order of axes that does not fit.
    """
    rule = VIEWS.get(node.op_type)
    if rule is None or not inputs or inputs[0] is None:
        return None
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    try:
        return rule(inputs, attributes)
    except (ValueError, IndexError, TypeError, KeyError, ArithmeticError) as error:
        raise ModelError(f"{label(node)}: it does not fit its constant ({error})") from error


def _same(inputs: Inputs, _: Attributes) -> Value | None:
    return inputs[0]


def _reshape(inputs: Inputs, attributes: Attributes) -> Value | None:
    target = _integers(inputs, 1, attributes, "shape")
    shape = _shape(inputs)
    if target is None:
        return None
    if not attributes.get("allowzero", 0):
        target = [shape[place] if size == 0 else size for place, size in enumerate(target)]
    return _reshaped(inputs[0], _inferred(target, shape))


def _inferred(target: Sequence[int], shape: tuple[int, ...]) -> tuple[int, ...]:
    known = prod(size for size in target if size != -1)
    if list(target).count(-1) == 1 and known:
        target = [prod(shape) // known if size == -1 else size for size in target]
    if prod(target) != prod(shape) or min(target, default=0) < 0:
        raise ValueError(f"{shape} does not reshape to {tuple(target)}")
    return tuple(target)


def _reshaped(value: Value | None, target: tuple[int, ...]) -> Value | None:
    if isinstance(value, Known):
        return Known(value=value.array().reshape(target))
    if value is None or value.block_size:
        return None
    axis: int | None = 0
    if value.scale.array().size > 1:
        axis = moved_axis(value.shape(), target, value.axis)
    return None if axis is None else value.moved(lambda array: array.reshape(target), axis)


def _flatten(inputs: Inputs, attributes: Attributes) -> Value | None:
    shape = _shape(inputs)
    axis = attributes.get("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    return _reshaped(inputs[0], (prod(shape[:axis]), prod(shape[axis:])))


def _squeeze(inputs: Inputs, attributes: Attributes) -> Value | None:
    shape, axes = _shape(inputs), _integers(inputs, 1, attributes, "axes")
    dropped = {axis % len(shape) for axis in axes} if axes else {a for a, size in enumerate(shape) if size == 1}
    if any(shape[axis] != 1 for axis in dropped):
        raise ValueError(f"axes {axes} of {shape} are not all 1")
    return _reshaped(inputs[0], tuple(size for axis, size in enumerate(shape) if axis not in dropped))


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> Value | None:
    shape, axes = _shape(inputs), _integers(inputs, 1, attributes, "axes")
    if axes is None:
        return None
    rank = len(shape) + len(axes)
    added, rest = {axis % rank for axis in axes}, iter(shape)
    if len(added) != len(axes):
        raise ValueError(f"axes {axes} name one twice")
    return _reshaped(inputs[0], tuple(1 if axis in added else next(rest) for axis in range(rank)))


def _transpose(inputs: Inputs, attributes: Attributes) -> Value | None:
    value, rank = inputs[0], len(_shape(inputs))
    order = list(attributes.get("perm") or reversed(range(rank)))
    if sorted(order) != list(range(rank)):
        raise ValueError(f"perm {order} is no permutation of {rank} axes")
    if isinstance(value, Known):
        return Known(value=np.ascontiguousarray(value.array().transpose(order)))
    if value is None or value.block_size:
        return None
    axis = order.index(value.axis) if value.scale.array().size > 1 else 0
    return value.moved(lambda array: np.ascontiguousarray(array.transpose(order)), axis)


def _cast(inputs: Inputs, attributes: Attributes) -> Value | None:
    value, target = inputs[0], attributes["to"]
    if isinstance(value, Dequantized):
        return value if target == TensorProto.FLOAT and value.scale.array().dtype == np.float32 else None
    if not isinstance(value, Known) or target not in _NUMPY_TYPES:
        return None
    array, dtype = value.array(), _NUMPY_TYPES[target]
    return Known(value=array.astype(dtype)) if _casts_alike(array, dtype) else None


def _casts_alike(array: Array, dtype: np.dtype[Any]) -> bool:
    """Whether C's conversion is defined, so that numpy and onnxruntime must agree."""
    if array.dtype.kind not in "biuf" or array.dtype == np.float16:
        return False
    if array.dtype.kind != "f" or dtype.kind == "f":
        return dtype.kind != "b" and dtype != np.float16
    if dtype.kind == "b" or not np.isfinite(array).all():
        return False
    limits = np.iinfo(dtype)
    whole = np.trunc(array.astype(np.float64))
    # Strictly inside: float64 cannot tell the largest int64 from one more.
    return bool(((whole >= limits.min) & (whole < limits.max)).all())


_NUMPY_TYPES = {
    number: helper.tensor_dtype_to_np_dtype(number)
    for number in (
        TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16,
        TensorProto.UINT16, TensorProto.INT32, TensorProto.UINT32, TensorProto.INT64, TensorProto.UINT64,
    )
}  # fmt: skip


def _gather(inputs: Inputs, attributes: Attributes) -> Value | None:
    data, places = inputs
    if not isinstance(data, Known) or not isinstance(places, Known):
        return None
    array, axis = data.array(), attributes.get("axis", 0)
    size = array.nbytes // max(array.shape[axis], 1) * places.array().size
    check_size("its result", (size,), 1)
    return Known(value=np.take(array, places.array().astype(np.int64), axis=axis))


def _concat(inputs: Inputs, attributes: Attributes) -> Value | None:
    arrays = [part.array() for part in inputs if isinstance(part, Known)]
    if len(arrays) != len(inputs) or len({array.dtype for array in arrays}) > 1:
        return None
    check_size("its result", (sum(array.nbytes for array in arrays),), 1)
    return Known(value=np.concatenate(arrays, axis=attributes["axis"]))


def _slice(inputs: Inputs, attributes: Attributes) -> Value | None:
    starts, ends = _integers(inputs, 1, attributes, "starts"), _integers(inputs, 2, attributes, "ends")
    if not isinstance(inputs[0], Known) or starts is None or ends is None:
        return None
    array = inputs[0].array()
    axes = _integers(inputs, 3, attributes, "axes")
    axes = list(range(len(starts))) if axes is None else axes
    steps = _integers(inputs, 4, attributes, "steps") or [1] * len(starts)
    cuts = [slice(None)] * array.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 1:
            return None
        cuts[axis] = slice(start, end, step)
    return Known(value=np.ascontiguousarray(array[tuple(cuts)]))


def _sizes(inputs: Inputs, attributes: Attributes) -> Value | None:
    shape = _shape(inputs)
    picked = shape[slice(attributes.get("start", 0), attributes.get("end", len(shape)))]
    return Known(value=np.array(picked, np.int64))


def _shape(inputs: Inputs) -> tuple[int, ...]:
    value = inputs[0]
    assert value is not None
    return value.shape() if isinstance(value, Dequantized) else value.array().shape


def _integers(inputs: Inputs, position: int, attributes: Attributes, name: str) -> list[int] | None:
    """Integers that newer opsets pass as an input and older ones as an attribute; None when absent or not plain."""
    value = inputs[position] if position < len(inputs) else None
    if isinstance(value, Known):
        return [int(entry) for entry in value.array().reshape(-1)]
    given = attributes.get(name)
    return None if value is not None or given is None else [int(entry) for entry in given]


#: Dropout counts because it does nothing while a network infers.
VIEWS: dict[str, Callable[[Inputs, Attributes], Value | None]] = {
    "Identity": _same,
    "Dropout": _same,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Cast": _cast,
    "Shape": _sizes,
    "Gather": _gather,
    "Concat": _concat,
    "Slice": _slice,
}

"""LayerNormalization, RMSNormalization and InstanceNormalization.

In: nodes on activations, with constant gains and offsets. Out: a pending operation over the axes that make one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from sima_compiler.frontend import rules
from sima_compiler.frontend.functions import real_constant
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Constant, Pending, QuantizedConstant, Value
from sima_compiler.ir.graph import Float32Array, Op, RowAttributes

#: Operators that normalize the last axes.
_LAST_AXES = {"LayerNormalization": Op.LAYER_NORM}


def convert_layer_norm(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """LayerNormalization and RMSNormalization: the axis and all behind it make one row."""
    source = reader.settled(node)
    rank = len(source.shape) + 1
    first = reader.axis(node, node.integer("axis", -1), rank)
    axes = tuple(range(first, rank - 1))
    rules.NORM_RESULT.check(node, "its mean or its deviation is read too", not any(node.outputs[1:]))
    length = prod(source.shape[axis] for axis in axes)
    op = _LAST_AXES.get(node.operator, Op.RMS_NORM)
    attributes = _attributes(node, reader, axes, length)
    return [Pending(op, node.name, (source,), source.shape, attributes)]


def convert_instance_norm(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """InstanceNormalization: all pixels of a channel make one row."""
    source = reader.settled(node)
    rules.NORM_PIXELS.check(node, f"its input has {len(source.shape) + 1} dimensions", len(source.shape) > 1)
    attributes = _attributes(node, reader, tuple(range(1, len(source.shape))), source.shape[0])
    return [Pending(Op.INSTANCE_NORM, node.name, (source,), source.shape, attributes)]


def _attributes(node: SourceNode, reader: Reader, axes: tuple[int, ...], length: int) -> RowAttributes:
    return RowAttributes(
        axes=axes,
        epsilon=_epsilon(node),
        gains=_values(node, reader, 1, length),
        offsets=_values(node, reader, 2, length),
    )


def _epsilon(node: SourceNode) -> float:
    epsilon = node.real("epsilon", 1e-5)
    if not 0 <= epsilon < float("inf"):
        raise node.invalid(f"its epsilon is {epsilon}")
    return float(np.float32(epsilon))


def _values(node: SourceNode, reader: Reader, place: int, length: int) -> Float32Array | None:
    """Gains or offsets as float32; None where there are none.

    Raises:
        UnsupportedError: they are no constants.
    """
    if not reader.has(node, place):
        return None
    value = reader.value(node, place)
    constant = isinstance(value, Constant | QuantizedConstant)
    rules.NORM_CONSTANTS.check(node, f"input {node.inputs[place]!r} is computed", constant)
    found = real_constant(value).reshape(-1) if isinstance(value, Constant | QuantizedConstant) else None
    if found is None or found.size != length:
        raise node.invalid(
            f"input {node.inputs[place]!r} has {0 if found is None else found.size} values, not {length}"
        )
    return found

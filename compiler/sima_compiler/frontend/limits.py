"""Relu and Clip.

In: nodes on activations. Out: limits on the operation in front, a step of float32 arithmetic, or a node of its own
behind a DequantizeLinear. Always: where a limit folds into an operation, it holds for that one's own result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sima_compiler.frontend.builder import bounded, can_clamp, clamp_name
from sima_compiler.frontend.float_sums import REAL_FORMS
from sima_compiler.frontend.functions import (
    as_function,
    settles,
    unary,
)
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import MOVEMENTS, Pending, QuantizedConstant, Value
from sima_compiler.ir.graph import ActivationAttributes, Op


def convert_relu(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Relu: a limit on the pending operation in front of it, or a node of its own."""
    return [_limited(node, reader, Pending(Op.RELU, node.name, (), ()), (0.0, float("inf")))]


def convert_clip(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Clip with constant bounds: as `convert_relu`."""
    low, high = _clip_bound(node, reader, 1, "min", -np.inf), _clip_bound(node, reader, 2, "max", np.inf)
    if clamp_name(low, high) == "relu":
        return convert_relu(node, reader)
    attributes = ActivationAttributes(minimum=low, maximum=high)
    return [_limited(node, reader, Pending(Op.CLIP, node.name, (), (), attributes), (low, high))]


def _limited(node: SourceNode, reader: Reader, alone: Pending, bounds: tuple[float, float]) -> Value:
    """The node's input within ``bounds``; ``alone`` is the operation where it stands behind a DequantizeLinear."""
    source = reader.activation(node)
    if (limited := bounded_inside(source, bounds)) is not None:
        return limited
    if not settles(source, node, reader) and (function := as_function(source, node, reader)) is not None:
        low, high = (np.float32(bound) for bound in bounds)
        return unary(function, clamp_name(*bounds), node.name, lambda x: np.minimum(np.maximum(x, low), high))
    return replace(alone, inputs=(source,), shape=source.shape)


def bounded_inside(value: Value, bounds: tuple[float, float], *, kept: bool = False) -> Pending | None:
    """A limit on the operation at the root of movements that only select; None where there is none to take it.

    ``kept``: onnxruntime keeps the node of the limit, so that what stands in front of it is computed in float32.
    """
    if not isinstance(value, Pending):
        return None
    if can_clamp(value):
        op = REAL_FORMS.get(value.op, value.op) if kept else value.op
        return bounded(replace(value, op=op), *bounds)
    if value.op not in MOVEMENTS or value.op is Op.PAD:
        return None
    inner = bounded_inside(value.inputs[0], bounds, kept=kept)
    return None if inner is None else replace(value, inputs=(inner,))


def _clip_bound(node: SourceNode, reader: Reader, position: int, attribute: str, default: float) -> float:
    if not reader.has(node, position):
        return node.real(attribute, default)
    value = reader.value(node, position)
    real = (
        reader.constant(node, position)
        if not isinstance(value, QuantizedConstant)
        else np.asarray(
            (value.values.astype(np.float32) - value.zero_points.astype(np.float32)) * value.scales, np.float32
        )
    )
    if real.size != 1:
        raise node.invalid(f"its limit {attribute!r} has {real.size} values, expected one")
    return float(real.reshape(()))

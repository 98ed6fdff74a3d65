"""Functions of one value, and batch normalization.

In: nodes on activations. Out: an operation of the graph where a DequantizeLinear stands right in front, a step of
float32 arithmetic otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.frontend import rules
from sima_compiler.frontend.functions import (
    as_function,
    constant_rows,
    joined,
    real_constant,
    settles,
    step_name,
    unary,
)
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Pending, QuantizedConstant, RealFunction, Value
from sima_compiler.ir.graph import ActivationAttributes, Float32Array, Op


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
    rows = [constant_rows(node, values.reshape(shape), function.shape) for values in (factor, offset)]
    scaled = joined("Mul", node.name, [function, rows[0]], node)
    assert scaled is not None, "one tensor and a constant"
    result = joined("Add", node.name, [scaled, rows[1]], node)
    assert result is not None, "one tensor and a constant"
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

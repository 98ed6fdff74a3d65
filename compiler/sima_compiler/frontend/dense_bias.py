"""An Add of a constant right behind a product without a bias: the product's bias.

In: a pending Gemm or MatMul, perhaps reshaped, and a constant with one value per output. Out: the product with that
bias.
onnxruntime makes one operator on bytes of a MatMul of matrices and an Add of a vector; of anything else it leaves the
product and adds in float32.

::

    before: MatMul -> Add(int32 bias) -> Q      after: Gemm with a bias -> Q
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sima_compiler.frontend import rules
from sima_compiler.frontend.functions import real_constant
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Activation, Constant, Pending, QuantizedConstant, Value
from sima_compiler.frontend.weighted import bias_of, spread_real
from sima_compiler.ir.graph import Op


def takes_bias(value: Value) -> bool:
    """Whether ``value`` is a product that has neither bias nor limits yet, perhaps reshaped."""
    root = _root(value)
    return root is not None and not root.fused and root.weights is not None and not root.weights.has_bias


def with_bias(node: SourceNode, reader: Reader, value: Value, constant: Constant | QuantizedConstant) -> Value:
    """The product with ``constant`` as its bias.

    Raises:
        UnsupportedError: the constant has another value for every pixel, or none for every output.
    """
    root = _root(value)
    if root is None or root.weights is None or not isinstance(value, Pending):
        raise node.unsupported("its input takes no bias", rule=rules.BIAS_BEHIND.sentence)
    source = root.inputs[0]
    assert isinstance(source, Activation), "products read tensors"
    outputs = root.weights.values.shape[0]
    found = f"it adds a constant that is no bias of {root.source!r}"
    rules.BIAS_BEHIND.check(node, found, _per_output(constant, value, outputs))
    unit = np.asarray(np.float32(reader.builder.quant(source).scale) * root.weights.scales, np.float32)
    real = spread_real(real_constant(constant), outputs)
    if joins_on_bytes(constant, root, reader.batch) and value is root:
        weights = replace(root.weights, bias=bias_of(node, reader, constant, unit, root.weights.values), has_bias=True)
        return replace(root, weights=weights, real_bias=real)
    biased = replace(root, weights=replace(root.weights, has_bias=True), real_bias=real, always_real=True)
    return _rooted(value, biased)


def joins_on_bytes(constant: Constant | QuantizedConstant, root: Pending, batch: int) -> bool:
    """Whether onnxruntime makes one product on bytes of both: of a matrix and a vector, or a row of integers.

    More axes than two become two only where the file states all sizes, a ``batch`` (0: symbolic) among them.
    """
    vector = isinstance(constant, QuantizedConstant) or constant.array.ndim == 1
    return root.joins_add and (len(root.shape) == 1 or batch > 0) and not root.always_real and vector


def _root(value: Value) -> Pending | None:
    while isinstance(value, Pending) and value.op is Op.RESHAPE:
        value = value.inputs[0]
    return value if isinstance(value, Pending) and value.op in (Op.GEMM, Op.CONV_TRANSPOSE) else None


def _rooted(value: Pending, root: Pending) -> Pending:
    if value.op is not Op.RESHAPE:
        return root
    inner = value.inputs[0]
    assert isinstance(inner, Pending), "a reshaped product"
    return replace(value, inputs=(_rooted(inner, root),))


def _per_output(constant: Constant | QuantizedConstant, value: Pending, outputs: int) -> bool:
    """Whether the constant has one value, or one for each place of the axis that holds the outputs."""
    shape = constant.array.shape if isinstance(constant, Constant) else constant.values.shape
    root = _root(value)
    channel = 0 if root is not None and root.op is not Op.GEMM else len(value.shape) - 1
    if not value.shape or value.shape[channel] != outputs:
        return False
    aligned = (1,) * (len(value.shape) + 1 - len(shape)) + shape
    return len(aligned) == len(value.shape) + 1 and all(
        size == 1 or (axis == channel + 1 and size == outputs) for axis, size in enumerate(aligned)
    )

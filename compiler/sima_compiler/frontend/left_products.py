"""MatMul with its constant matrix on the left: the same product of the transposed operand, turned back.

In: a node whose left side is a constant of two axes. Out: a movement of a pending product. Always: its sums are exact;
onnxruntime multiplies reals where it has no product on these bytes (`float_inside`).

::

    before: MatMul(W (M, K), x (..., K, N))      after: Transpose(Gemm(Transpose x, W))
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sima_compiler.frontend import rules
from sima_compiler.frontend.moves import move
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Pending, Value
from sima_compiler.frontend.weighted import symmetric_weights
from sima_compiler.ir.graph import Op, ShapeAttributes, Weights


def left_product(node: SourceNode, reader: Reader) -> Value:
    """A MatMul whose left side is a quantized constant."""
    constant = reader.quantized_constant(node, 0)
    source = reader.settled(node, 1)
    rank = len(source.shape)
    if rank < 2:
        raise node.unsupported("a constant on the left sums over the batch", rule=rules.BATCH_FIRST.sentence)
    matrix = constant.values.shape[-2:]
    fits = constant.values.ndim >= 2 and constant.values.size == np.prod(matrix) and constant.scales.size == 1
    found = f"its left side is a constant of shape {constant.values.shape} with {constant.scales.size} scales"
    rules.MATMUL_LEFT.check(node, found, fits)
    values, scales = symmetric_weights(node, replace(constant, values=constant.values.reshape(matrix)), axis=0)
    if values.shape[1] != source.shape[-2]:
        raise node.invalid(f"a constant of shape {values.shape} does not fit an input of {source.shape} per sample")
    order = (*range(rank - 2), rank - 1, rank - 2)
    turn = ShapeAttributes(permutation=order)
    shape = tuple(source.shape[axis] for axis in order)
    turned = move(node, reader, Op.TRANSPOSE, shape, turn, source=source, suffix="turned_1")
    operand = replace(reader.builder.settled(turned, f"{node.name}_operand_1", node), direct=source.direct)
    outputs = values.shape[0]
    weights = Weights(values, scales, np.zeros(outputs, np.int32), has_bias=False)
    product = Pending(
        Op.REAL_GEMM, node.name, (operand,), (*shape[:-1], outputs), None, weights,
        real_bias=np.zeros(outputs, np.float32), always_real=True,
    )  # fmt: skip
    result = tuple(product.shape[axis] for axis in order)
    return Pending(
        Op.TRANSPOSE, f"{node.name}_turned", (product,), result, turn, transparent=True, name=node.outputs[0]
    )

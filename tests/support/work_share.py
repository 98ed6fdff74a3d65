"""How much of a file's multiply-accumulates the accelerator does: counted in the graph, over what the file holds."""

from __future__ import annotations

from math import prod
from pathlib import Path

import onnx

from sima_compiler import Model
from sima_compiler.frontend.work import inferred_shapes, total_work
from sima_compiler.ir.graph import PRODUCT_OPS, Graph, Node, Op


def share_on_the_accelerator(model: Model, original: Path | onnx.ModelProto) -> float:
    """Of one sample. Products with ones that only spread an operand are in no file, so they are counted on neither
    side.
    """
    file = onnx.load(original) if isinstance(original, Path) else original
    whole = total_work(file, inferred_shapes(file))
    return sum(_work(node, model.graph) for node in model.graph.nodes) / whole if whole else 1.0


def _work(node: Node, graph: Graph) -> int:
    result, source = graph.tensors[node.output].shape, graph.tensors[node.inputs[0]].shape
    if node.op in PRODUCT_OPS:
        return prod(result) * source[-1]
    if node.weights is None or "_spread_" in node.name:
        return 0
    values = node.weights.values
    if node.op is Op.CONV_TRANSPOSE:
        return prod(source) * values.size // source[0]
    return prod(result) * values[0].size

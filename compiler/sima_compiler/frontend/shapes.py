"""Arithmetic on shapes, as exporters write it in front of Reshape and Resize.

In: Shape, Gather, Slice, Concat ... on shapes. Out: lists of integers in which the batch stays symbolic. Always: what
is constant is evaluated; the batch may be picked, moved and joined, but not calculated with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Constant, ShapeVector, Value

#: Operators that may work on shapes with the batch in them.
SHAPE_OPERATORS = frozenset({"Gather", "Slice", "Concat", "Unsqueeze", "Squeeze", "Cast", "Identity"})


def convert_shape(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Shape of an activation: the batch, then what is known."""
    whole = (None, *reader.shape(node))
    end = node.attributes.get("end", len(whole))
    return [ShapeVector(whole[slice(node.integer("start", 0), int(end))])]


def convert_shape_arithmetic(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """One of `SHAPE_OPERATORS` on a shape that holds the batch."""
    if node.operator in ("Cast", "Identity"):
        return [reader.value(node, 0)]
    vectors = reader.shape_vector(node, 0)
    if node.operator in ("Unsqueeze", "Squeeze"):
        return [ShapeVector(vectors.entries, is_scalar=node.operator == "Squeeze")]
    if node.operator == "Concat":
        parts = [reader.shape_vector(node, position).entries for position in range(len(node.inputs))]
        return [ShapeVector(tuple(entry for part in parts for entry in part))]
    if node.operator == "Gather":
        index = reader.constant(node, 1)
        picked = tuple(vectors.entries[int(place)] for place in index.reshape(-1))
        return [ShapeVector(picked, is_scalar=index.ndim == 0)]
    starts, ends = reader.integers(node, 1, "starts") or (0,), reader.integers(node, 2, "ends") or (0,)
    steps = reader.integers(node, 4, "steps") or (1,)
    return [ShapeVector(vectors.entries[starts[0] : ends[0] : steps[0]])]


def fold_constants(proto: onnx.NodeProto, node: SourceNode, reader: Reader) -> Sequence[Value]:
    """A node whose inputs are all known, evaluated."""
    feeds = {name: reader.constant(node, place) for place, name in enumerate(node.inputs) if name}
    inputs = [onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
              for n, a in feeds.items()]  # fmt: skip
    outputs = [onnx.ValueInfoProto(name=name) for name in node.outputs if name]
    graph = onnx.helper.make_graph([proto], "constants", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", reader.opset)])
    try:
        results = ReferenceEvaluator(model).run(None, feeds)
    except Exception as error:  # the evaluator raises whatever its operator does
        raise node.unsupported(f"its constant result cannot be evaluated ({error})") from error
    return [Constant(np.asarray(result)) for result in results]

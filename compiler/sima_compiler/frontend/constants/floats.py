"""Float16 and double become float32 at the door.

In: a model whose constants are folded, so that nothing constant is still computed in its own precision. Out: the same
model, in place: initializers, boundaries, and what Cast and other nodes are told to make. Always: a model that holds
neither is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
from onnx import TensorProto

from sima_compiler.frontend.constants.names import subgraphs
from sima_compiler.frontend.constants.tensors import decode, encode

OTHER_FLOATS = frozenset({TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16})
#: Attributes that name an element type.
TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype"})


def as_float32(graph: onnx.GraphProto) -> None:
    """Make every floating-point tensor of ``graph`` and of its bodies float32, in place."""
    for entry in (*graph.input, *graph.output, *graph.value_info):
        if entry.type.tensor_type.elem_type in OTHER_FLOATS:
            entry.type.tensor_type.elem_type = TensorProto.FLOAT
    for tensor in (*graph.initializer, *_attribute_tensors(graph.node)):
        if tensor.data_type in OTHER_FLOATS:
            name = tensor.name
            with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, which is refused by name later
                tensor.CopyFrom(encode(decode(tensor).astype(np.float32), name))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in TYPE_ATTRIBUTES and attribute.i in OTHER_FLOATS:
                attribute.i = TensorProto.FLOAT
        for body in subgraphs(node):
            as_float32(body)


def _attribute_tensors(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t

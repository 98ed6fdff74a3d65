"""Which tensors of the compiler's graph are which values of the file.

In: a file's graph and the compiler's. Out: value names by tensor name. The compiler renames what lies within, but a
node keeps the name of the ONNX node that it came from; behind that node, over Relu and Clip, stands the value that a
QuantizeLinear reads. What is not as plain as that is left out, and so is a tensor of another scale (a pool that keeps
its input's, requantized afterwards): a wrong pairing would accuse the innocent.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import onnx
from onnx import numpy_helper

from sima_compiler.ir.graph import Graph

CLAMPS = frozenset({"Relu", "Clip"})


def matched(source: onnx.GraphProto, graph: Graph) -> dict[str, str]:
    """The value in the file for every tensor of the graph for which it is certain."""
    titles = Counter(node.name for node in source.node)
    nodes = {node.name: node for node in source.node if node.name and titles[node.name] == 1}
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in source.node:
        for name in node.input:
            readers[name].append(node)
    made = Counter(node.source for node in graph.nodes)
    scales = {entry.name: float(numpy_helper.to_array(entry)) for entry in source.initializer if _is_scale(entry)}
    found: dict[str, str] = {}
    for node in graph.nodes:
        quantizer = _quantizer(nodes[node.source], readers) if node.source in nodes else None
        if quantizer is None or made[node.source] > 1:
            continue
        if scales.get(quantizer.input[1]) == graph.tensors[node.output].quant.scale:
            found[node.output] = quantizer.input[0]
    return found


def _is_scale(entry: onnx.TensorProto) -> bool:
    return entry.data_type == onnx.TensorProto.FLOAT and not entry.dims


def _quantizer(node: onnx.NodeProto, readers: dict[str, list[onnx.NodeProto]]) -> onnx.NodeProto | None:
    """The QuantizeLinear behind ``node``, None where there is none or something else reads the value too."""
    if len(node.output) != 1 or node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        return None
    value = node.output[0]
    while len(readers[value]) == 1:
        reader = readers[value][0]
        if reader.op_type == "QuantizeLinear":
            return reader
        if reader.op_type not in CLAMPS or reader.input[0] != value:
            return None
        value = reader.output[0]
    return None

"""Which tensors of the compiler's graph are which values of the file.

In: a file's graph and the compiler's. Out: value names by tensor name. The compiler renames what lies within, but a
node keeps the name of the ONNX node that it came from; behind that node, over Relu and Clip, stands the value that a
QuantizeLinear reads. What is not as plain as that is left out: a wrong pairing would accuse the innocent.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import onnx

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
    found = {node.output: _quantized(nodes[node.source], readers) for node in graph.nodes
             if node.source in nodes and made[node.source] == 1}  # fmt: skip
    return {tensor: value for tensor, value in found.items() if value}


def _quantized(node: onnx.NodeProto, readers: dict[str, list[onnx.NodeProto]]) -> str:
    """The value behind ``node`` that is quantized, empty where there is none or more than one reader."""
    if len(node.output) != 1 or node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        return ""
    value = node.output[0]
    while len(readers[value]) == 1:
        reader = readers[value][0]
        if reader.op_type == "QuantizeLinear":
            return value
        if reader.op_type not in CLAMPS or reader.input[0] != value:
            return ""
        value = reader.output[0]
    return ""

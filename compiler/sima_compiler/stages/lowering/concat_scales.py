"""Concatenations of one scale: a part that arrives under another is requantized where it is produced.

In: a graph. Out: the same graph with a Requantize in front of every Concat whose part has another quantization than the
result, where nothing else reads that part.

::

    before: Conv (scale a) -> Concat (scale b)     after: Conv (scale a) -> Requantize (a to b) -> Concat (scale b)

The Requantize is a function of one byte, so it rides on its producer's way out, and the producer may then write
straight into the concatenation's place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from sima_compiler.ir.graph import Graph, Node, Op, Tensor

#: Producers that end in a table or a clamp of their own.
_PRODUCERS = frozenset({Op.CONV, Op.GEMM, Op.ADD, Op.SUB, Op.MUL, Op.MAX_POOL, Op.RESIZE_NEAREST})


def concatenations_of_one_scale(graph: Graph) -> Graph:
    """The graph with requantizations made explicit; the bytes of every result stay."""
    readers = Counter([name for node in graph.nodes for name in node.inputs] + list(graph.outputs))
    producers = {node.output: node for node in graph.nodes}
    tensors = dict(graph.tensors)
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op is not Op.CONCAT:
            nodes.append(node)
            continue
        parts = list(node.inputs)
        for position, name in _foreign(node, tensors):
            if readers[name] == 1 and name in producers and _ends_in_table(producers[name], producers):
                part = Tensor(_fresh(f"{name}/requantized", tensors), tensors[name].shape, tensors[node.output].quant)
                tensors[part.name] = part
                parts[position] = part.name
                nodes.append(Node(f"{node.name}/requantize_{position}", Op.REQUANTIZE, (name,), part.name))
        nodes.append(replace(node, inputs=tuple(parts)))
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def _foreign(concat: Node, tensors: dict[str, Tensor]) -> Iterator[tuple[int, str]]:
    wanted = tensors[concat.output].quant
    yield from ((place, name) for place, name in enumerate(concat.inputs) if tensors[name].quant != wanted)


def _ends_in_table(producer: Node, producers: dict[str, Node]) -> bool:
    """Whether the producer, or what its own byte function rides on, is a kernel with a way out."""
    while producer.op not in _PRODUCERS and len(producer.inputs) == 1 and producer.inputs[0] in producers:
        if producer.op in {Op.TRANSPOSE, Op.RESHAPE, Op.SLICE, Op.PAD, Op.CONCAT, Op.AVERAGE_POOL}:
            return False
        producer = producers[producer.inputs[0]]
    return producer.op in _PRODUCERS


def _fresh(name: str, tensors: dict[str, Tensor]) -> str:
    while name in tensors:
        name += "'"
    return name

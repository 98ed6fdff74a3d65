"""Pads moved behind the Transpose that reads them.

In: a graph. Out: the same graph where every Pad whose only reader is a Transpose changed places with it.

::

    before: x (H, W, C) -> Pad -> Transpose (2, 0, 1) -> Conv     after: x -> Transpose (2, 0, 1) -> Pad -> Conv

A Transpose next to an input is free, and a Pad next to a window becomes the window's own: exporters from
channels-last frameworks write the other order, in which neither is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from sima_compiler.arithmetic import FULL_RANGE
from sima_compiler.ir.graph import Graph, Node, Op, ShapeAttributes, Tensor


def pads_behind_transposes(graph: Graph) -> Graph:
    """The graph with its Pads behind its Transposes; values, names of inputs and names of outputs stay."""
    readers = Counter([name for node in graph.nodes for name in node.inputs] + list(graph.outputs))
    tensors = dict(graph.tensors)
    kept: dict[str, Node] = {}
    for node in graph.nodes:
        pad = kept.get(node.inputs[0]) if node.inputs else None
        swapped = _swap(pad, node, tensors) if pad is not None and readers[pad.output] == 1 else None
        if pad is None or swapped is None:
            kept[node.output] = node
            continue
        transpose, behind, between = swapped
        del kept[pad.output]
        tensors[between.name] = between
        kept[transpose.output], kept[behind.output] = transpose, behind
    return replace(graph, tensors=tensors, nodes=tuple(kept.values()))


def _swap(pad: Node, transpose: Node, tensors: dict[str, Tensor]) -> tuple[Node, Node, Tensor] | None:
    """The Transpose, the Pad behind it, and the tensor between them; None when they cannot change places."""
    if (pad.op, transpose.op) != (Op.PAD, Op.TRANSPOSE) or transpose.clamp != FULL_RANGE:
        return None
    pads, order = pad.attributes, transpose.attributes
    if not isinstance(pads, ShapeAttributes) or not isinstance(order, ShapeAttributes):
        return None
    source, name = tensors[pad.inputs[0]], pad.output
    if source.quant != tensors[transpose.output].quant:
        return None
    permutation = order.permutation
    between = Tensor(name, tuple(source.shape[axis] for axis in permutation), source.quant)
    moved = replace(
        pads,
        pads_before=tuple(pads.pads_before[axis] for axis in permutation),
        pads_after=tuple(pads.pads_after[axis] for axis in permutation),
    )
    first = replace(transpose, inputs=pad.inputs, output=name)
    return first, replace(pad, inputs=(name,), output=transpose.output, attributes=moved), between

"""Operators that look at whole rows of values: Softmax, ArgMax and LRN.

In: nodes on activations. Out: a pending operation; of ArgMax, a tensor that counts. A Softmax that no QuantizeLinear
follows, at the end of the network, is left to the host (`as_end`): what it gives are reals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sima_compiler.frontend import rules
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import MOVEMENTS, Cut, Pending, Value
from sima_compiler.ir.graph import Node, Op, Response, RowAttributes
from sima_compiler.rowwise import COUNTING, MOST_PLACES

#: What no quantization follows at the end of a network.
ENDS = (Op.SOFTMAX, Op.LOG_SOFTMAX)


def convert_softmax(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Softmax and LogSoftmax along one axis."""
    source = reader.settled(node)
    axis = reader.axis(node, node.integer("axis", -1), len(source.shape) + 1)
    reader.ends[node.name] = Cut(source, (f"{node.operator} {node.name!r} after {source.tensor!r}",), node.inputs[0])
    return [Pending(Op(node.operator), node.name, (source,), source.shape, RowAttributes((axis,)))]


def as_end(value: Value, reader: Reader) -> Value:
    """What an output of the network ends in: reals of a Softmax are the host's, moved or not."""
    root = value
    while isinstance(root, Pending) and root.op in MOVEMENTS:
        root = root.inputs[0]
    return reader.ends[root.source] if isinstance(root, Pending) and root.op in ENDS else value


def convert_lrn(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """LRN: every value by the squares of its neighbours among the channels."""
    source = reader.settled(node)
    size = node.integer("size", 0)
    if size < 1 or not source.shape:
        raise node.invalid(f"its size is {size}")
    rules.LRN_SIZE.check(node, f"size {size}", size)
    values = (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    alpha, beta, bias = (float(np.float32(node.real(name, default))) for name, default in values)
    attributes = RowAttributes((0,), response=Response(size, alpha, beta, bias))
    return [Pending(Op.LRN, node.name, (source,), source.shape, attributes)]


def convert_arg_max(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """ArgMax along one axis: the place of the first or the last largest value."""
    source = reader.settled(node)
    axis = reader.axis(node, node.integer("axis", 0), len(source.shape) + 1)
    places = source.shape[axis]
    rules.ARG_MAX_PLACES.check(node, f"it counts {places} places", places <= MOST_PLACES)
    op = Op.ARG_MAX_LAST if node.integer("select_last_index", 0) else Op.ARG_MAX
    kept = (1,) if node.integer("keepdims", 1) else ()
    target = reader.builder.tensor(node.outputs[0], (*source.shape[:axis], *kept, *source.shape[axis + 1 :]), COUNTING)
    reader.builder.append(
        Node(node.name, op, (source.tensor,), target.tensor, RowAttributes((axis,)), source=node.name)
    )
    return [replace(target, integer=False)]

"""A network with other channels or kernels: what advice tells its reader to build.

In: a `Graph`. Out: a `Graph` of the same topology. Maps whose channels must be the same number (operands of an
addition, both sides of a depthwise convolution or of a table) form a group and change together; weights, biases and
scales lose their last channels. What such a network computes is of no use: its cycles are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from math import prod

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.graph import (
    BINARY_OPS,
    UNARY_OPS,
    ConvAttributes,
    Graph,
    Node,
    Op,
    TableAttributes,
    Tensor,
    Weights,
)

#: Operators of one input whose result has its channels.
KEEPING = UNARY_OPS | {Op.TABLE, Op.MAX_POOL, Op.AVERAGE_POOL, Op.GLOBAL_AVERAGE_POOL, Op.RESIZE_NEAREST, Op.PAD}
#: The group of maps whose channels cannot change: the network's inputs and outputs, and what is cut up or joined.
FIXED = ""


def with_channels(graph: Graph, concerned: Collection[str], size: Callable[[int], int]) -> Graph:
    """Every map that a node of ``concerned`` (by source name) reads or writes has ``size(channels)`` channels."""
    groups = _groups(graph)
    touched = [node for node in graph.nodes if node.weights is not None and node.source in concerned]
    chosen = {groups[name] for node in touched for name in (*node.inputs, node.output)} - {FIXED}
    sizes = {name: size(_channels(graph.tensors[name])) for name, group in groups.items() if group in chosen}
    tensors = {
        name: replace(tensor, shape=_resized(tensor, sizes[name])) if name in sizes else tensor
        for name, tensor in graph.tensors.items()
    }
    nodes = tuple(_with_sizes(node, graph.tensors, sizes) for node in graph.nodes)
    return replace(graph, tensors=tensors, nodes=nodes)


def with_kernels(graph: Graph, concerned: Collection[str], edge: int) -> Graph:
    """Every convolution of ``concerned`` (by source name) with a window beyond ``edge`` has one of ``edge``."""
    return replace(
        graph,
        nodes=tuple(
            _cropped(one, edge) if one.op is Op.CONV and one.source in concerned else one for one in graph.nodes
        ),
    )


def _cropped(node: Node, edge: int) -> Node:
    attributes, weights = node.attributes, node.weights
    assert isinstance(attributes, ConvAttributes)
    assert weights is not None
    top, left = ((size - edge) // 2 if size > edge else 0 for size in attributes.kernel)
    values = weights.values[:, :, top : top + edge, left : left + edge]
    above, before, below, behind = attributes.pads
    pads = (above - top, before - left, below - top, behind - left)
    assert min(pads) >= 0, (node.name, attributes)
    kernel = (values.shape[2], values.shape[3])
    return replace(
        node,
        attributes=replace(attributes, kernel=kernel, pads=pads),
        weights=replace(weights, values=np.ascontiguousarray(values)),
    )


def _groups(graph: Graph) -> dict[str, str]:
    """Map -> the name of its group."""
    parents = {name: name for name in graph.tensors} | {FIXED: FIXED}

    def root(name: str) -> str:
        while parents[name] != name:
            name = parents[name]
        return name

    def join(names: Collection[str]) -> None:
        roots = sorted({root(name) for name in names})  # FIXED sorts first and stays the root
        parents.update(dict.fromkeys(roots, roots[0]) if roots else {})

    join([FIXED, *graph.inputs, *graph.outputs])
    for node in graph.nodes:
        join(_equal_channels(node, graph.tensors))
    return {name: root(name) for name in graph.tensors}


def _equal_channels(node: Node, tensors: Mapping[str, Tensor]) -> list[str]:
    """Maps of the node that must have the same channels, with FIXED where those cannot change."""
    around = [*node.inputs, node.output]
    if node.op is Op.CONV:
        attributes = node.attributes
        assert isinstance(attributes, ConvAttributes)
        depthwise = attributes.groups == _channels(tensors[node.inputs[0]]) == _channels(tensors[node.output])
        return around if depthwise else [FIXED, *around] if attributes.groups > 1 else []
    if node.op is Op.GEMM:
        return []
    counts = {_channels(tensors[name]) for name in around}
    if len(counts) == 1 and (node.op in KEEPING or node.op in BINARY_OPS):
        return around
    if len(counts) == 1 and all(prod(tensors[name].shape) in counts for name in around):
        return around  # a pooled map: however it is turned and reshaped, it has channels only
    return [FIXED, *around]


def _axis(tensor: Tensor) -> int:
    """The channels' axis: the first, unless that is 1 in a map of one pixel whose channels stand elsewhere."""
    only = [axis for axis, size in enumerate(tensor.shape) if size > 1]
    return only[0] if len(only) == 1 else 0


def _channels(tensor: Tensor) -> int:
    return tensor.shape[_axis(tensor)] if tensor.shape else 1


def _resized(tensor: Tensor, size: int) -> tuple[int, ...]:
    axis = _axis(tensor)
    return (*tensor.shape[:axis], size, *tensor.shape[axis + 1 :])


def _with_sizes(node: Node, tensors: Mapping[str, Tensor], sizes: Mapping[str, int]) -> Node:
    """The node with as many weights, tables and constants as its maps have channels now."""
    out = sizes.get(node.output)
    if node.weights is not None:
        node = replace(node, weights=_cut_weights(node.weights, out, _contracted(node, sizes)))
    if isinstance(node.attributes, ConvAttributes) and node.attributes.groups > 1 and out is not None:
        node = replace(node, attributes=replace(node.attributes, groups=out))
    if isinstance(node.attributes, TableAttributes) and len(node.attributes.tables) > 1 and out is not None:
        node = replace(node, attributes=replace(node.attributes, tables=node.attributes.tables[:out]))
    if node.constant is not None and out is not None:
        was, axis = tensors[node.output], _axis(tensors[node.output])
        values = node.constant.values.reshape(
            (1,) * (len(was.shape) - node.constant.values.ndim) + node.constant.values.shape
        )
        node = replace(
            node, constant=replace(node.constant, values=values.take(range(min(out, values.shape[axis])), axis))
        )
    return node


def _contracted(node: Node, sizes: Mapping[str, int]) -> int | None:
    """Channels that each output sums over, where their number changes."""
    depthwise = isinstance(node.attributes, ConvAttributes) and node.attributes.groups > 1
    return None if depthwise else sizes.get(node.inputs[0])


def _cut_weights(weights: Weights, out: int | None, contracted: int | None) -> Weights:
    def cut(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return values if len(values) == 1 else np.ascontiguousarray(values[:out])

    values = weights.values[:out, :contracted]
    real = weights.real_bias
    return replace(
        weights,
        values=np.ascontiguousarray(values),
        scales=cut(weights.scales),
        bias=cut(weights.bias),
        real_bias=None if real is None else cut(real),
    )

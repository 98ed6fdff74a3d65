"""Feature maps for tensors: which geometry a tensor gets, and which map a view describes.

In: tensors and views. Out: `FeatureMap` records. Always holds: transposing a tensor of shape ``source_shape`` by
``source_axes`` gives the map's (rows, columns, channels) elements in order. For maps inside the network
``source_shape`` may split the tensor's axes; for maps that enter or leave it is the tensor's own shape.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from sima_compiler.ir.graph import UNARY_OPS, Graph, Op, Quantization, ShapeAttributes, Tensor
from sima_compiler.ir.layers import FeatureMap, Layout
from sima_compiler.stages.lowering.views import View, rule_order, storage_axes, stored

Geometry = tuple[int, int, int]


def geometry(shape: tuple[int, ...], order: tuple[int, ...]) -> Geometry:
    """(rows, columns, channels) of a tensor stored in ``order``: images keep two axes, others one."""
    sizes = tuple(shape[axis] for axis in order)
    if len(sizes) == 3:
        return sizes[0], sizes[1], sizes[2]
    return 1, prod(sizes[:-1]), sizes[-1] if sizes else 1


def new_map(tensor: Tensor, order: tuple[int, ...] | None = None, layout: Layout = Layout.HWC16) -> FeatureMap:
    """The map of a tensor that is stored in ``order``, by the rule when none is given."""
    order = rule_order(tensor.shape) if order is None else order
    rows, columns, channels = geometry(tensor.shape, order)
    return FeatureMap(tensor.name, rows, columns, channels, tensor.quant, layout, tensor.shape, order)


def linear_map(name: str, elements: int, quant: Quantization) -> FeatureMap:
    """A packed map of one run of elements, on which every stride is legal."""
    return FeatureMap(name, 1, 1, elements, quant, Layout.HWC, (elements,), (0,))


def map_of_view(tensor: Tensor, view: View, sizes: Geometry) -> FeatureMap:
    """The map of a result that takes ``sizes`` and lies as ``view`` says; the view covers the whole map."""
    order = storage_axes(view)
    if order is not None:
        return FeatureMap(tensor.name, *sizes, tensor.quant, Layout.HWC16, tensor.shape, order)
    factors = view.factors
    order = tuple(sorted(range(len(factors)), key=lambda index: -factors[index].stride))
    shape = tuple(factor.size for factor in factors)
    return FeatureMap(tensor.name, *sizes, tensor.quant, Layout.HWC16, shape, order)


def view_of_map(feature_map: FeatureMap) -> View:
    """The map's tensor as a view of the map."""
    return stored(feature_map.name, feature_map.source_shape, feature_map.source_axes)


def renamed(feature_map: FeatureMap, tensor: Tensor, view: View) -> FeatureMap:
    """The same bytes as the map of ``tensor``, which ``view`` finds on it."""
    order = storage_axes(view)
    kept = replace(feature_map, name=tensor.name, quant=tensor.quant)
    return kept if order is None else replace(kept, source_shape=tensor.shape, source_axes=order)


def packed_where_it_may(found: FeatureMap, lanes: int, *, alone: bool) -> FeatureMap:
    """The map of an input or an output, packed (HWC) when it has fewer channels than lanes: padding would multiply what
    it moves.

    Several inputs share one buffer of the program, and so do several outputs. In it every sample of every part is whole
    vectors, because the board's pack and unpack steps add sizes up sample by sample without padding between them. A map
    that is not ``alone`` and whose packed sample is no whole number of vectors therefore keeps its padded channels.
    """
    thin = found.channels < lanes
    return replace(found, layout=Layout.HWC) if thin and (alone or found.elements % lanes == 0) else found


def input_map(graph: Graph, name: str, lanes: int) -> FeatureMap:
    """The map of a graph input, stored as its first kernels want it.

    ::

        before: x (H, W, C) -> Transpose (2, 0, 1) -> Conv     after: x stored as it is, the Transpose is free
    """
    tensor = graph.tensors[name]
    found = new_map(tensor, _wanted_order(graph, name))
    return packed_where_it_may(found, lanes, alone=len(graph.inputs) == 1)


def _wanted_order(graph: Graph, name: str) -> tuple[int, ...]:
    shape = graph.tensors[name].shape
    wishes = _transposes(graph, name) if len(shape) == 3 else set[tuple[int, ...] | None]()
    wish = next(iter(wishes)) if len(wishes) == 1 else None
    if wish is None or name in graph.outputs:
        return rule_order(shape)
    return wish[1], wish[2], wish[0]


def _transposes(graph: Graph, name: str) -> set[tuple[int, ...] | None]:
    """Permutations that the tensor meets first, seen through functions of one byte; None for any other reader."""
    found: set[tuple[int, ...] | None] = set()
    for node in graph.nodes:
        if name not in node.inputs:
            continue
        if node.op is Op.TRANSPOSE and isinstance(node.attributes, ShapeAttributes):
            found.add(node.attributes.permutation)
        elif node.op in UNARY_OPS:
            found |= _transposes(graph, node.output)
        else:
            found.add(None)
    return found

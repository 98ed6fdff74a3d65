"""Verifiers of the graph and of the layers, written apart from the stages that make them.

In: a `Graph` or a `LayerGraph`. Out: nothing; a broken promise is an `InternalError` that names the stage, the place
and both values. They look at structure and shapes: that the bytes are right is the tests' work.
"""

from __future__ import annotations

from math import isfinite

from sima_compiler.ir.graph import Graph, Quantization
from sima_compiler.ir.layers import FeatureMap, LayerGraph, Segment
from sima_compiler.ir.promises import Promises
from sima_compiler.ir.verify_kernels import check_layer
from sima_compiler.ir.verify_nodes import check_node


def verify_graph(graph: Graph) -> None:
    """Names, order, shapes, weights and clamps of a quantized network.

    Raises:
        InternalError: the frontend broke a promise.
    """
    promises = Promises("frontend")
    promises.unique("node", (node.name for node in graph.nodes))
    promises.unique("result", [*graph.inputs, *(node.output for node in graph.nodes)])
    for name, tensor in graph.tensors.items():
        here = promises.at(f"tensor {name}")
        here.equal("name", tensor.name, name)
        here.require(all(size > 0 for size in tensor.shape), f"shape {tensor.shape} has an empty axis")
        _check_quantization(tensor.quant, here)
    promises.known("input", graph.inputs, graph.tensors)
    made = set(graph.inputs)
    for node in graph.nodes:
        here = promises.at(f"node {node.name} ({node.op})")
        here.known("operand", node.inputs, made)
        here.known("result", (node.output,), graph.tensors)
        check_node(node, graph.tensors, here)
        made.add(node.output)
    promises.known("output", graph.outputs, made)
    promises.require(bool(graph.outputs), "no output")


def verify_layers(layers: LayerGraph, first: int = 0) -> None:
    """Names, order, maps and kernels of a legalized network, before partition (segment "") and after; its layers count
    from ``first``.

    Raises:
        InternalError: `legalize` or `partition` broke a promise.
    """
    is_partitioned = all(segment.name for segment in layers.segments)
    promises = Promises("partition" if is_partitioned else "legalize")
    promises.require(bool(layers.segments), "no segment")
    promises.unique("segment", (segment.name for segment in layers.segments))
    if is_partitioned:
        _check_names(layers, promises, first)
    made = set(layers.inputs)
    for segment in layers.segments:
        promises.at(f"segment {segment.name}").known("input", segment.inputs, made)
        _check_segment(segment, promises)
        made |= set(segment.outputs)
    promises.known("output", layers.outputs, made)
    promises.unique("output", layers.outputs)
    promises.require(not set(layers.outputs) & set(layers.inputs), "an output's map is an input's")


def _check_names(layers: LayerGraph, promises: Promises, first: int) -> None:
    """``MLA_0/conv2d_add_relu_3``: the segment, then one counter over all layers."""
    found = [(segment, layer) for segment in layers.segments for layer in segment.layers]
    promises.unique("layer", (layer.name for _, layer in found))
    for number, (segment, layer) in enumerate(found, first):
        here = promises.at(f"layer {layer.name}")
        here.require(layer.name.startswith(f"{segment.name}/"), f"does not begin with its segment {segment.name}")
        here.equal("number", layer.name.rsplit("_", 1)[-1], str(number))
        here.require(bool(layer.reason), f"no reason for its placement on {layer.placement}")


def _check_segment(segment: Segment, promises: Promises) -> None:
    for name, found in segment.maps.items():
        _check_map(name, found, promises.at(f"map {name}"))
    promises.known("input", segment.inputs, segment.maps)
    written = set(segment.inputs)
    for layer in segment.layers:
        here = promises.at(f"layer {layer.name}")
        here.require(bool(layer.inputs), "reads nothing")
        here.known("map", layer.inputs, written)
        here.known("result", (layer.output,), segment.maps)
        here.require(layer.output not in written, f"writes {layer.output} again")
        check_layer(layer, segment.maps, here)
        written.add(layer.output)
    promises.known("output", segment.outputs, written)
    promises.known("map without a writer:", segment.maps, written)


def _check_map(name: str, found: FeatureMap, promises: Promises) -> None:
    promises.equal("name", found.name, name)
    promises.require(min(found.rows, found.columns, found.channels) > 0, "an axis is empty")
    promises.equal("source_axes, sorted,", sorted(found.source_axes), list(range(len(found.source_shape))))
    elements = 1
    for size in found.source_shape:
        elements *= size
    promises.equal("elements", found.elements, elements)
    _check_quantization(found.quant, promises)


def _check_quantization(quant: Quantization, promises: Promises) -> None:
    promises.require(isfinite(quant.scale) and quant.scale > 0, f"scale {quant.scale} is not positive")
    promises.require(-128 <= quant.zero_point <= 127, f"zero point {quant.zero_point} is no int8")

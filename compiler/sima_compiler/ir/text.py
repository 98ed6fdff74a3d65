"""The graph and the layers as text: stable, one line per thing, for people, goldens and differences.

In: a `Graph` or a `LayerGraph`. Out: text. Always: the same record gives the same text in any process; every field that
changes behaviour is visible, arrays of more than a few values by shape, range and a checksum.
"""

from __future__ import annotations

from collections.abc import Iterator

from sima_compiler.ir.graph import (
    ActivationAttributes,
    Attributes,
    BlendAttributes,
    ConvAttributes,
    Graph,
    Node,
    RealAverageAttributes,
    RowAttributes,
    ShapeAttributes,
    TableAttributes,
    Tensor,
    Weights,
)
from sima_compiler.ir.layers import FeatureMap, LayerGraph, Segment
from sima_compiler.ir.text_kernels import kernel_lines
from sima_compiler.ir.text_values import (
    array_text,
    clamp_text,
    list_text,
    quant_text,
    response_text,
    shape_text,
    window_text,
)


def graph_text(graph: Graph) -> str:
    """A quantized network: inputs, nodes in order with their results, outputs."""
    lines = [f"graph {graph.name}, batch {graph.batch or 'symbolic'}"]
    lines += [f"input {_tensor(graph.tensors[name])}" for name in graph.inputs]
    for node in graph.nodes:
        lines.append(f"{_tensor(graph.tensors[node.output])} = {_node(node)}")
        lines += [f"    {line}" for line in _constants(node)]
    lines += [f"output {name}" for name in graph.outputs]
    lines += [f"cut {name}" for name in graph.cut]
    lines += [f"warning: {sentence}" for sentence in graph.warnings]
    return "\n".join(lines) + "\n"


def layers_text(layers: LayerGraph) -> str:
    """A legalized network, before or after partition: segments with their maps, layers in order, outputs."""
    lines = [f"layers {layers.name}, input {', '.join(layers.inputs)}, output {', '.join(layers.outputs)}"]
    for segment in layers.segments:
        lines += _segment(segment)
    lines += [f"cut {name}" for name in layers.cut]
    return "\n".join(lines) + "\n"


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.name} {shape_text(tensor.shape)} {quant_text(tensor.quant)}"


def _node(node: Node) -> str:
    operands = list(node.inputs)
    if node.constant is not None:
        operands.insert(0 if node.constant_first else len(operands), "constant")
    details = [*_attributes(node.attributes), *clamp_text(node.clamp), *node.fused]
    text = f"{node.op}({', '.join(operands)}) {' '.join(details)}".rstrip()
    return f"{text} [{node.name} <- {node.source}]" if node.source else f"{text} [{node.name}]"


def _attributes(attributes: Attributes) -> Iterator[str]:
    match attributes:
        case ConvAttributes():
            yield from _window(attributes)
        case ActivationAttributes():
            standard = ActivationAttributes()
            for name in ("alpha", "beta", "minimum", "maximum"):
                if getattr(attributes, name) != getattr(standard, name):
                    yield f"{name} {getattr(attributes, name)!r}"
        case TableAttributes():
            yield _tables(attributes)
        case RealAverageAttributes():
            yield from _window(attributes.window)
            yield f"by {attributes.order}, {array_text(attributes.reals)}"
            yield from attributes.steps
        case BlendAttributes():
            sides = (("rows", attributes.rows), ("columns", attributes.columns))
            yield " ".join(f"{what} {list_text(found.near)} and {list_text(found.far)}" for what, found in sides)
        case RowAttributes():
            yield from _row_attributes(attributes)
        case ShapeAttributes():
            yield from _shape_attributes(attributes)
        case None:
            return


def _row_attributes(attributes: RowAttributes) -> Iterator[str]:
    epsilon = f" epsilon {attributes.epsilon!r}" if attributes.epsilon else ""
    yield f"over {list_text(attributes.axes)}{epsilon}"
    if attributes.response is not None:
        yield response_text(attributes.response)


def _window(attributes: ConvAttributes) -> Iterator[str]:
    yield window_text(attributes.kernel, attributes.strides, attributes.dilations, attributes.pads)
    if attributes.groups > 1:
        yield f"groups {attributes.groups}"
    if attributes.count_include_pad:
        yield "counting pads"


def _tables(attributes: TableAttributes) -> str:
    axis = f" axis {attributes.axis}" if len(attributes.tables) > 1 else ""
    return f"{', '.join(attributes.steps)} {array_text(attributes.tables)}{axis}"


def _shape_attributes(attributes: ShapeAttributes) -> Iterator[str]:
    if attributes.axis:
        yield f"axis {attributes.axis}"
    for name in ("permutation", "starts", "steps", "pads_before", "pads_after", "rows", "columns"):
        value = getattr(attributes, name)
        if value:
            yield f"{name.replace('_', ' ')} {list_text(value)}"
    if attributes.fill is not None:
        yield f"fill {attributes.fill}"


def _constants(node: Node) -> Iterator[str]:
    if node.weights is not None:
        yield from _weights(node.weights)
    if isinstance(node.attributes, RowAttributes):
        for what, found in (("gains", node.attributes.gains), ("offsets", node.attributes.offsets)):
            if found is not None:
                yield f"{what} {array_text(found)}"
    if node.constant is not None:
        yield f"constant {array_text(node.constant.values)} {quant_text(node.constant.quant)}"


def _weights(weights: Weights) -> Iterator[str]:
    yield f"weights {array_text(weights.values)}"
    yield f"scales {array_text(weights.scales)}"
    if weights.real_bias is not None:
        yield f"real bias {array_text(weights.real_bias)}"
    elif weights.has_bias:
        yield f"bias {array_text(weights.bias)}"


def _segment(segment: Segment) -> list[str]:
    lines = [f"segment {segment.name or '(unnamed)'} on {segment.processor}"]
    lines += [f"  input {_map(segment.maps[name])}" for name in segment.inputs]
    for layer in segment.layers:
        call = f"{layer.operator}({', '.join(layer.inputs)})"
        lines.append(f"  {layer.name}: {call} -> {_map(segment.maps[layer.output])}")
        lines += [f"      {line}" for line in kernel_lines(layer.kernel)]
        lines += [f"      from {', '.join(layer.sources)}"] if layer.sources else []
        lines += [f"      on {layer.placement}: {layer.reason}"] if layer.reason else []
    return lines + [f"  output {name}" for name in segment.outputs]


def _map(found: FeatureMap) -> str:
    sizes = shape_text((found.rows, found.columns, found.channels))
    source = f"of {shape_text(found.source_shape)} axes {list_text(found.source_axes)}"
    return f"{found.name} {sizes} {found.layout} {quant_text(found.quant)} {source}"

"""GroupNormalization as torch writes it: an InstanceNormalization of groups, then a gain and an offset per channel.

Before: GroupNormalization of (N, C, ...). After: Reshape to (N, groups, rest), InstanceNormalization, Reshape back,
Mul, Add. Always: the same function; a size that the file leaves open keeps the operator as it is.

In: a float model with folded constants. Out: the same model, in place.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.tensors import Array, decode, encode
from sima_compiler.frontend.loading import default_opset
from sima_compiler.frontend.work import inferred_shapes

#: Operator set from which on gains and offsets are per channel; the form before was withdrawn.
PER_CHANNEL = 21


def group_norms_as_instances(model: onnx.ModelProto, names: Names) -> None:
    """Rewrite ``model`` in place."""
    if default_opset(model) < PER_CHANNEL or all(node.op_type != "GroupNormalization" for node in model.graph.node):
        return
    shapes, constants = inferred_shapes(model), {entry.name: decode(entry) for entry in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        shape = shapes.get(node.input[0]) if node.op_type == "GroupNormalization" and not node.domain else None
        known = shape is not None and len(shape) > 1 and None not in shape[1:]
        if shape is None or not known or any(name not in constants for name in node.input[1:3]):
            nodes.append(node)
        else:
            sizes = tuple(size or 0 for size in shape[1:])
            values = [constants[name] for name in node.input[1:3]]
            nodes += _written(model, node, names, sizes, values)
    holder = onnx.GraphProto()
    holder.node.extend(nodes)
    del model.graph.node[:]
    model.graph.node.extend(holder.node)


def _written(
    model: onnx.ModelProto, node: onnx.NodeProto, names: Names, sizes: tuple[int, ...], values: list[Array]
) -> list[onnx.NodeProto]:
    attributes = {entry.name: entry for entry in node.attribute}
    groups, channels, result = attributes["num_groups"].i, sizes[0], node.output[0]
    epsilon = attributes["epsilon"].f if "epsilon" in attributes else 1e-5

    def constant(array: Array, stem: str) -> str:
        name = names.fresh(f"{result}_{stem}")
        model.graph.initializer.append(encode(array, name))
        return name

    gain, offset = (one.reshape(channels, *(1,) * (len(sizes) - 1)) for one in values)
    grouped, whole = constant(np.array([0, groups, -1]), "grouped"), constant(np.array([0, *sizes]), "whole")
    ones = constant(np.ones(groups, np.float32), "ones")
    zeros = constant(np.zeros(groups, np.float32), "zeros")
    rows, normal, shaped, scaled = (names.fresh(f"{result}_{part}") for part in ("rows", "normal", "shaped", "scaled"))
    return [
        helper.make_node("Reshape", [node.input[0], grouped], [rows], rows),
        helper.make_node("InstanceNormalization", [rows, ones, zeros], [normal], node.name or result, epsilon=epsilon),
        helper.make_node("Reshape", [normal, whole], [shaped], shaped),
        helper.make_node("Mul", [shaped, constant(gain, "gain")], [scaled], scaled),
        helper.make_node("Add", [scaled, constant(offset, "offset")], [result], names.fresh(f"{result}_add")),
    ]

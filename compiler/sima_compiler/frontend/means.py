"""ReduceMean over rows and columns as what it is: a global average pool.

Before: ReduceMean(axes 2, 3), keepdims 0. After: GlobalAveragePool, Flatten. Always: the same mean; onnxruntime pools
bytes, while it sums a ReduceMean in float32.

In: a model with folded constants. Out: the same model, in place, and the names of the nodes that changed.
"""

from __future__ import annotations

import onnx
from onnx import helper

from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.tensors import decode

_SPATIAL = ({2, 3}, {-2, -1}, {2, -1}, {-2, 3})


def means_as_pools(model: onnx.ModelProto, names: Names) -> list[str]:
    """Rewrite every mean over the last two of four axes."""
    constants = {entry.name: entry for entry in model.graph.initializer}
    changed: list[str] = []
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "ReduceMean" and not node.domain and _is_spatial(node, constants):
            changed.append(node.name)
            nodes += _pool(node, names)
        else:
            nodes.append(node)
    if changed:
        holder = onnx.GraphProto()
        holder.node.extend(nodes)
        del model.graph.node[:]
        model.graph.node.extend(holder.node)
    return changed


def _is_spatial(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    axes = next((list(entry.ints) for entry in node.attribute if entry.name == "axes"), None)
    if axes is None and len(node.input) > 1 and node.input[1] in constants:
        axes = [int(axis) for axis in decode(constants[node.input[1]]).reshape(-1)]
    return axes is not None and set(axes) in _SPATIAL


def _pool(node: onnx.NodeProto, names: Names) -> list[onnx.NodeProto]:
    source, target = node.input[0], node.output[0]
    if next((entry.i for entry in node.attribute if entry.name == "keepdims"), 1):
        return [helper.make_node("GlobalAveragePool", [source], [target], node.name)]
    pooled, flatten = names.fresh(f"{target}_pooled"), names.fresh(f"{node.name or target}_flatten")
    return [
        helper.make_node("GlobalAveragePool", [source], [pooled], node.name),
        helper.make_node("Flatten", [pooled], [target], flatten, axis=1),
    ]

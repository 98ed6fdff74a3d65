"""A quantized network without its rounding: what each layer would give if only its range were limited.

Before: ``x -> QuantizeLinear -> DequantizeLinear -> y``. After: ``x -> Clip(lowest, highest real value) -> y``. In: a
QDQ model in its canonical spelling. Out: a float model with the same value names. Always: a range that stands for a
Relu keeps doing so.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper


def unrounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The float copy."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    weights = {node.output[0] for node in model.graph.node if node.op_type == "Constant"} | set(constants)
    nodes: list[onnx.NodeProto] = []
    for node in result.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in weights:
            nodes.append(_limited(result, node, constants))
        elif node.op_type == "DequantizeLinear" and node.input[0] not in weights:
            nodes.append(helper.make_node("Identity", [node.input[0]], list(node.output), node.name))
        else:
            nodes.append(node)
    holder = onnx.GraphProto()
    holder.node.extend(nodes)
    del result.graph.node[:]
    result.graph.node.extend(holder.node)
    for entry in (*result.graph.input, *result.graph.output):
        entry.type.tensor_type.elem_type = TensorProto.FLOAT
    del result.graph.value_info[:]
    return result


def _limited(
    model: onnx.ModelProto, node: onnx.NodeProto, constants: dict[str, npt.NDArray[np.generic]]
) -> onnx.NodeProto:
    """QuantizeLinear as the Clip that its saturation is."""
    scale = float(constants[node.input[1]].reshape(-1)[0])
    zero = int(constants[node.input[2]].reshape(-1)[0])
    names: list[str] = []
    for label, byte in (("lowest", -128), ("highest", 127)):
        name = f"{node.output[0]}_{label}"
        names.append(name)
        model.graph.initializer.append(numpy_helper.from_array(np.array((byte - zero) * scale, np.float32), name))
    return helper.make_node("Clip", [node.input[0], *names], list(node.output), node.name)

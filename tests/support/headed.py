"""Quantized networks whose heads, or nodes in their middle, are float operators that the MLA has not.

In: a float body for `qdq_writer` and nodes to put behind it, or a whole list of nodes with quantizations where the test
wants them. Out: a QDQ model. Written from the ONNX specification, apart from the compiler's frontend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


@dataclass(slots=True)
class Sketch:
    """A QDQ network written node by node; names are those of the reals."""

    shape: tuple[int, ...] = (3, 8, 8)
    seed: int = 0
    batch: int | str = "n"
    opset: int = OPSET
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def quantized(self, name: str, scale: float = 0.05, zero: int = 3) -> str:
        """``name`` behind a QuantizeLinear and a DequantizeLinear."""
        pair = [f"{name}_scale", f"{name}_zero"]
        self.constants |= {pair[0]: np.array(scale, np.float32), pair[1]: np.array(zero, np.int8)}
        self.node("QuantizeLinear", [name, *pair], [f"{name}_q"])
        self.node("DequantizeLinear", [f"{name}_q", *pair], [f"{name}_dq"])
        return f"{name}_dq"

    def conv(self, data: str, result: str, channels: tuple[int, int], kernel: int = 3, stride: int = 1) -> str:
        """A quantized convolution with Relu of nothing; returns its dequantized result."""
        weights = self.random.integers(-90, 90, (channels[1], channels[0], kernel, kernel)).astype(np.int8)
        self.constants[f"{result}_w"] = weights
        self.constants[f"{result}_ws"] = np.full(channels[1], 0.01 / kernel, np.float32)
        self.constants[f"{result}_wz"] = np.zeros(channels[1], np.int8)
        self.node("DequantizeLinear", [f"{result}_w", f"{result}_ws", f"{result}_wz"], [f"{result}_wdq"], axis=0)
        pad = kernel // 2
        self.node(
            "Conv", [data, f"{result}_wdq"], [result], kernel_shape=[kernel] * 2, pads=[pad] * 4, strides=[stride] * 2
        )
        return self.quantized(result)

    def constant(self, name: str, values: Any) -> str:
        """A constant of any type."""
        self.constants[name] = np.asarray(values)
        return name

    def node(self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> str:
        """Any node; returns its first result."""
        self.nodes.append(helper.make_node(operator, list(inputs), list(outputs), f"{outputs[0]}_node", **attributes))
        return outputs[0]

    def model(self, outputs: Mapping[str, Any], name: str = "headed") -> onnx.ModelProto:
        """The network; ``outputs``: the type of each by its name (float32, int64), their shapes are inferred."""
        types = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
        graph = helper.make_graph(
            self.nodes, name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [self.batch, *self.shape])],
            [helper.make_tensor_value_info(output, types[kind], None) for output, kind in outputs.items()],
            [numpy_helper.from_array(array, label) for label, array in self.constants.items()],
        )  # fmt: skip
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)
        return onnx.shape_inference.infer_shapes(made)


def softmax_and_top() -> onnx.ModelProto:
    """A classifier that ends in Softmax and TopK: three outputs, one of integers."""
    net = Sketch()
    data = net.conv(net.quantized("x"), "features", (3, 10), stride=2)
    net.node("GlobalAveragePool", [data], ["mean"])
    flat = net.node("Flatten", [net.quantized("mean")], ["logits"], axis=1)
    net.node("Softmax", [flat], ["probabilities"], axis=-1)
    net.node("TopK", ["probabilities", net.constant("k", np.array([3], np.int64))], ["values", "places"], axis=-1)
    return net.model({"probabilities": "float32", "values": "float32", "places": "int64"}, "classifier")

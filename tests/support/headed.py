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


def detector() -> onnx.ModelProto:
    """Boxes and scores of two maps, box arithmetic in float, NonMaxSuppression with a fixed maximum."""
    net = Sketch(shape=(3, 8, 8), seed=1)
    data = net.conv(net.quantized("x"), "backbone", (3, 16), stride=2)
    boxes = net.conv(data, "boxes", (16, 4), kernel=1)
    scores = net.conv(data, "scores", (16, 3), kernel=1)
    net.node("Reshape", [boxes, net.constant("places", np.array([0, 4, -1]))], ["boxes_rows"])
    net.node("Transpose", ["boxes_rows"], ["boxes_last"], perm=[0, 2, 1])
    net.node("Split", ["boxes_last", net.constant("halves", np.array([2, 2]))], ["centre", "size"], axis=2)
    net.node("Exp", ["size"], ["grown"])
    net.node("Mul", ["grown", net.constant("half", np.float32(0.5))], ["reach"])
    net.node("Sub", ["centre", "reach"], ["low"])
    net.node("Add", ["centre", "reach"], ["high"])
    net.node("Concat", ["low", "high"], ["corners"], axis=2)
    net.node("Sigmoid", [scores], ["chances"])
    net.node("Reshape", ["chances", net.constant("classes", np.array([0, 3, -1]))], ["chances_rows"])
    limits = [net.constant("most", np.array([4], np.int64)), net.constant("overlap", np.array([0.5], np.float32)),
              net.constant("least", np.array([0.4], np.float32))]  # fmt: skip
    net.node("NonMaxSuppression", ["corners", "chances_rows", *limits], ["selected"])
    return net.model({"corners": "float32", "chances_rows": "float32", "selected": "int64"}, "detector")


def recogniser() -> onnx.ModelProto:
    """Columns of a map read by an LSTM in both directions, its result quantized for a dense layer and a Softmax."""
    net = Sketch(shape=(3, 4, 12), seed=2)
    data = net.conv(net.quantized("x"), "features", (3, 8), stride=1)
    net.node("MaxPool", [data], ["pooled"], kernel_shape=[4, 1], strides=[4, 1])
    net.node("Squeeze", ["pooled", net.constant("rows", np.array([2]))], ["columns"])
    net.node("Transpose", ["columns"], ["steps"], perm=[2, 0, 1])
    hidden, weights = 5, net.random.standard_normal
    net.node(
        "LSTM",
        ["steps", net.constant("w", weights((2, 4 * hidden, 8)).astype(np.float32)),
         net.constant("r", 0.3 * weights((2, 4 * hidden, hidden)).astype(np.float32)),
         net.constant("b", weights((2, 8 * hidden)).astype(np.float32))],
        ["read"], hidden_size=hidden, direction="bidirectional",
    )  # fmt: skip
    net.node("Transpose", ["read"], ["turned"], perm=[2, 0, 1, 3])
    net.node("Reshape", ["turned", net.constant("joined", np.array([0, 0, 2 * hidden]))], ["sequence"])
    net.node("MatMul", [net.quantized("sequence", 0.008, 0), _weights(net, "dense", (2 * hidden, 7))], ["logits"])
    net.node("Softmax", [net.quantized("logits")], ["letters"], axis=-1)
    return net.model({"letters": "float32"}, "recogniser")


def _weights(net: Sketch, name: str, shape: tuple[int, int]) -> str:
    scale = net.constant(f"{name}_s", np.full(shape[1], 0.02, np.float32))
    pair = [scale, net.constant(f"{name}_z", np.zeros(shape[1], np.int8))]
    net.constant(f"{name}_q", net.random.integers(-90, 90, shape).astype(np.int8))
    return net.node("DequantizeLinear", [f"{name}_q", *pair], [f"{name}_dq"], axis=1)


def interrupted() -> onnx.ModelProto:
    """A cumulative sum in the middle, and a skip over it: three segments, a tensor from the first to the third."""
    net = Sketch(shape=(3, 6, 6), seed=3)
    first = net.conv(net.quantized("x"), "first", (3, 16))
    net.node("CumSum", [first, net.constant("axis", np.array(3, np.int64))], ["sums"])
    second = net.conv(net.quantized("sums", 0.173, -4), "second", (16, 16))
    net.node("Add", [second, first], ["both"])
    net.conv(net.quantized("both", 0.107, 2), "last", (16, 5))
    return net.model({"last_dq": "float32"}, "interrupted")


def two_ends() -> onnx.ModelProto:
    """An output of the MLA alone, and one behind the A65."""
    net = Sketch(shape=(3, 6, 6), seed=4)
    data = net.conv(net.quantized("x"), "trunk", (3, 10))
    net.conv(data, "map", (10, 4), kernel=1)
    net.node("ReduceL2", [data], ["norms"], axes=[1], keepdims=1)
    return net.model({"map_dq": "float32", "norms": "float32"}, "two_ends")

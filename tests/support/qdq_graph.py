"""A few lines make a QDQ model by hand: every spelling that a test needs, none that it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INT8, UINT8 = np.int8, np.uint8


class QdqGraph:
    """Collects nodes; values are ONNX names. ``kind`` is the type of the activations' bytes."""

    def __init__(self, kind: type = UINT8, *, batch: int | str = "batch", seed: int = 0, opset: int = 17) -> None:
        self.kind, self.batch, self.opset = kind, batch, opset
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.count = 0

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"

    def constant(self, array: Any, dtype: Any = None) -> str:
        name = self.name("constant")
        self.constants[name] = np.asarray(array, dtype)
        return name

    def float_input(self, shape: tuple[int, ...], name: str = "image") -> str:
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [self.batch, *shape]))
        return name

    def input(self, shape: tuple[int, ...], name: str = "image", *, scale: float = 0.02, zero: int = 3) -> str:
        return self.pair(self.float_input(shape, name), scale, zero)

    def op(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        names = [self.name(operator.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, self.name(f"node_{operator}"), **attributes))
        return names[0] if outputs == 1 else names

    def parameters(self, scale: float, zero: int) -> list[str]:
        """``zero`` is the int8 zero point; uint8 files hold it plus 128."""
        stored = zero + 128 if self.kind is UINT8 else zero
        return [self.constant(np.float32(scale)), self.constant(stored, self.kind)]

    def quantize(self, value: str, scale: float, zero: int) -> str:
        return self.op("QuantizeLinear", value, *self.parameters(scale, zero))

    def dequantize(self, value: str, scale: float, zero: int) -> str:
        return self.op("DequantizeLinear", value, *self.parameters(scale, zero))

    def pair(self, value: str, scale: float = 0.05, zero: int = -7) -> str:
        return self.dequantize(self.quantize(value, scale, zero), scale, zero)

    def weights(self, shape: tuple[int, ...], scale: float = 0.01, *, axis: int | None = None) -> str:
        """Dequantized int8 weights, per channel along ``axis`` when given."""
        values = self.constant(self.random.integers(-127, 128, shape), np.int8)
        if axis is None:
            return self.op("DequantizeLinear", values, self.constant(np.float32(scale)), self.constant(0, np.int8))
        scales = self.constant(scale * self.random.uniform(0.5, 1.5, shape[axis]), np.float32)
        zeros = self.constant(np.zeros(shape[axis]), np.int8)
        return self.op("DequantizeLinear", values, scales, zeros, axis=axis)

    def operand(self, array: Any, scale: float, zero: int = 0) -> str:
        """A dequantized constant of an elementwise operator; ``array`` is in the int8 frame."""
        stored = np.asarray(array, np.int64) + (128 if self.kind is UINT8 else 0)
        return self.dequantize(self.constant(stored, self.kind), scale, zero)

    def output(self, value: str, *, dtype: int = TensorProto.FLOAT) -> str:
        self.outputs.append(helper.make_tensor_value_info(value, dtype, None))
        return value

    def model(self) -> onnx.ModelProto:
        constants = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "small", self.inputs, self.outputs, constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)

"""A QDQ model with its activations as int8 or as uint8: the same numbers, the bytes shifted by 128.

In: a QDQ model. Out: a new one whose activations all have the wanted type. Always: weights and biases stay as they are;
constants of elementwise operators and of Concat count as activations.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.ordering import arrange
from sima_compiler.frontend.constants.tensors import Constants
from sima_compiler.frontend.integers import integer_values

#: Consumers whose dequantized constants are activations rather than weights.
ACTIVATION_CONSUMERS = frozenset({"Add", "Sub", "Mul", "Concat"})


def with_activations(model: onnx.ModelProto, *, unsigned: bool) -> onnx.ModelProto:
    """A copy of ``model`` whose activations are uint8 (``unsigned``) or int8."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    shifter = _Shifter(result, unsigned)
    consumers: dict[str, set[str]] = defaultdict(set)
    for node in result.graph.node:
        for name in node.input:
            consumers[name].add(node.op_type)
    for node in result.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in shifter.constants:
            shifter.shift_zero_point(node)
        elif node.op_type == "DequantizeLinear":
            shifter.shift_dequantize(node, consumers[node.output[0]])
        elif node.op_type == "Pad":
            shifter.shift_pad(node)
    shifter.retype_boundaries()
    arrange(result.graph)
    del result.graph.value_info[:]
    return result


class _Shifter:
    """Works on a copy that it owns; new constants get names of their own because old ones may be shared."""

    def __init__(self, model: onnx.ModelProto, unsigned: bool) -> None:
        self.model = model
        self.dtype = np.dtype(np.uint8 if unsigned else np.int8)
        self.names = Names.of(model)
        self.constants = Constants(model.graph)
        self.made: dict[str, str] = {}
        self.integers = frozenset(integer_values(model, self.constants).quants)

    def shift_zero_point(self, node: onnx.NodeProto) -> None:
        if len(node.input) < 3 or not node.input[2]:
            zero = np.zeros((), np.uint8)
            del node.input[2:]
            node.input.append(self._shifted(f"{node.output[0]}_zero_point", zero))
            return
        zero = self.constants.get(node.input[2])
        if zero is not None and zero.dtype in (np.int8, np.uint8):
            node.input[2] = self._shifted(node.input[2], zero)

    def shift_dequantize(self, node: onnx.NodeProto, consumers: set[str]) -> None:
        values = self.constants.get(node.input[0])
        if values is None:
            self.shift_zero_point(node)
        elif values.dtype in (np.int8, np.uint8) and consumers & ACTIVATION_CONSUMERS:
            if len(node.input) < 3:
                node.input.append(self._constant(f"{node.output[0]}_zero_point", np.zeros((), values.dtype)))
            node.input[0] = self._shifted(node.input[0], values)
            self.shift_zero_point(node)

    def shift_pad(self, node: onnx.NodeProto) -> None:
        if node.input[0] not in self.integers:
            return
        value = self.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if value is not None and value.dtype in (np.int8, np.uint8):
            node.input[2] = self._shifted(node.input[2], value)
        elif value is None:
            rest = list(node.input[3:])
            del node.input[2:]
            default = np.zeros((), np.uint8 if self.dtype == np.int8 else np.int8)
            node.input.extend([self._shifted(f"{node.output[0]}_fill", default), *rest])

    def retype_boundaries(self) -> None:
        wanted = TensorProto.UINT8 if self.dtype == np.uint8 else TensorProto.INT8
        for entry in (*self.model.graph.input, *self.model.graph.output):
            if entry.type.tensor_type.elem_type in (TensorProto.INT8, TensorProto.UINT8):
                entry.type.tensor_type.elem_type = wanted

    def _shifted(self, name: str, array: npt.NDArray[np.generic]) -> str:
        if array.dtype == self.dtype:
            return name if name in self.constants else self._constant(name, array)
        if name not in self.made:
            offset = 128 if self.dtype == np.uint8 else -128
            shifted = (array.astype(np.int16) + offset).astype(self.dtype)
            self.made[name] = self._constant(f"{name}_{self.dtype.name}", shifted)
        return self.made[name]

    def _constant(self, stem: str, array: npt.NDArray[np.generic]) -> str:
        return self.constants.add(self.names.fresh(stem), array)


def dequantize_node(source: str, target: str, scale: str, zero_point: str) -> onnx.NodeProto:
    """A per-tensor DequantizeLinear."""
    return helper.make_node("DequantizeLinear", [source, scale, zero_point], [target], f"{target}_dequantize")

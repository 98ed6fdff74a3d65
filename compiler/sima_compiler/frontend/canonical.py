"""One spelling for what files write in several ways, so that the reader and onnxruntime see the same operators.

Before -> after: QOperator form -> QDQ form; operator sets below 13 -> 13; ReduceMean over rows and columns ->
GlobalAveragePool; a real bias -> int32 bias in units of input scale times weight scale; Transpose and
Reshape of a quantized constant -> that constant, moved.
Always: the same function; what does not match stays as it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper, version_converter

from sima_compiler.errors import ModelError
from sima_compiler.frontend.loading import default_opset, is_quantized
from sima_compiler.frontend.qoperator import desugar

#: Oldest operator set whose DequantizeLinear knows scales per channel.
MINIMUM_OPSET = 13


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in its canonical spelling, as a copy.

    Raises:
        ModelError: a QOperator whose scales are no constants, or an operator set that cannot be converted.
    """
    result = onnx.ModelProto()
    result.CopyFrom(desugar(model))
    if is_quantized(result):
        result = with_minimum_opset(result)
        _Rewriter(result).run()
        result = _with_output_shapes(result)
    return result


def _with_output_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Some exporters leave the outputs' shapes out, which onnx's full check does not accept."""
    if all(entry.type.tensor_type.HasField("shape") for entry in model.graph.output):
        return model
    return onnx.shape_inference.infer_shapes(model)


def with_minimum_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at opset 13 or newer.

    Raises:
        ModelError: onnx cannot convert it.
    """
    if default_opset(model) >= MINIMUM_OPSET:
        return model
    try:
        return version_converter.convert_version(model, MINIMUM_OPSET)
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"the model's operator set {default_opset(model)} cannot be converted to {MINIMUM_OPSET}: {error}",
            hint=f"export it with opset {MINIMUM_OPSET} or newer",
        ) from error


class _Rewriter:
    """Rewrites a model that it owns, node by node."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.constants = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
        self.producers = {name: node for node in model.graph.node for name in node.output}
        for node in model.graph.node:
            for attribute in node.attribute:
                if node.op_type == "Constant" and attribute.name == "value":
                    self.constants[node.output[0]] = numpy_helper.to_array(attribute.t)
        self.nodes: list[onnx.NodeProto] = []

    def run(self) -> None:
        for node in self.model.graph.node:
            if node.op_type == "ReduceMean":
                self._mean(node)
            elif node.op_type in ("Conv", "Gemm") and len(node.input) > 2:
                self._bias(node)
            elif node.op_type in ("Transpose", "Reshape"):
                self._moved_constant(node)
            self.nodes.append(node)
        holder = onnx.GraphProto()
        holder.node.extend(self.nodes)
        del self.model.graph.node[:]
        self.model.graph.node.extend(holder.node)

    def _mean(self, node: onnx.NodeProto) -> None:
        """ReduceMean over the last two of four axes."""
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        axes = attributes.get("axes")
        if axes is None and len(node.input) > 1:
            axes = self.constants.get(node.input[1])
        if axes is None or {int(axis) for axis in axes} not in ({2, 3}, {-2, -1}, {2, -1}, {-2, 3}):
            return
        label, source, target = node.name or node.output[0], node.input[0], node.output[0]
        kept = bool(attributes.get("keepdims", 1))
        pooled = target if kept else f"{target}_pooled"
        pool = helper.make_node("GlobalAveragePool", [source], [pooled], label)
        if kept:
            node.CopyFrom(pool)
            return
        self.nodes.append(pool)
        node.CopyFrom(helper.make_node("Flatten", [pooled], [target], f"{label}_flatten", axis=1))

    def _bias(self, node: onnx.NodeProto) -> None:
        """A real bias in units of sx * sw, where both scales are known."""
        bias = self.constants.get(node.input[2])
        scales = [self._scale(name) for name in node.input[:2]]
        if bias is None or bias.dtype.kind != "f" or scales[0] is None or scales[1] is None:
            return
        unit = scales[0].reshape(-1)[:1] * scales[1].reshape(-1)
        steps = np.rint(bias.astype(np.float64).reshape(-1) / unit)
        values = np.clip(steps, -(2**31), 2**31 - 1).astype(np.int32)
        label = node.name or node.output[0]
        shaped = unit if unit.size > 1 else unit.reshape(())
        names = [self._add(f"{label}_bias_values", values), self._add(f"{label}_bias_unit", shaped)]
        self.nodes.append(helper.make_node("DequantizeLinear", names, [f"{label}_bias_real"], f"{label}_bias", axis=0))
        node.input[2] = f"{label}_bias_real"

    def _moved_constant(self, node: onnx.NodeProto) -> None:
        """DequantizeLinear(constant) -> Transpose or Reshape, as DequantizeLinear of the moved constant."""
        source = self.producers.get(node.input[0])
        if source is None or source.op_type != "DequantizeLinear":
            return
        values, scale = self.constants.get(source.input[0]), self.constants.get(source.input[1])
        if values is None or scale is None:
            return
        old = next((entry.i for entry in source.attribute if entry.name == "axis"), 1)
        if node.op_type == "Transpose":
            order = next((list(entry.ints) for entry in node.attribute if entry.name == "perm"), None)
            order = order or list(reversed(range(values.ndim)))
            moved, axis = values.transpose(order), order.index(old % values.ndim) if values.ndim > 1 else 0
        else:
            shape = self.constants.get(node.input[1])
            if shape is None:
                return
            moved = values.reshape([int(entry) for entry in shape])
            axes = [place for place, size in enumerate(moved.shape) if size == scale.size]
            if scale.size > 1 and len(axes) != 1:
                return
            axis = axes[0] if scale.size > 1 else 0
        name = self._add(f"{node.output[0]}_values", np.ascontiguousarray(moved))
        inputs, label = [name, *source.input[1:]], f"{node.output[0]}_dequantize"
        node.CopyFrom(helper.make_node("DequantizeLinear", inputs, [node.output[0]], label, axis=axis))

    def _scale(self, name: str) -> npt.NDArray[np.float32] | None:
        producer = self.producers.get(name)
        if producer is None or producer.op_type != "DequantizeLinear":
            return None
        scale = self.constants.get(producer.input[1])
        return None if scale is None else scale.astype(np.float32)

    def _add(self, name: str, array: npt.NDArray[np.generic]) -> str:
        self.constants[name] = array
        self.model.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

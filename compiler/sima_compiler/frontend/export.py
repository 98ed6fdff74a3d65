"""The quantized model as ONNX for any batch, ending where the graph ends: what onnxruntime is asked to confirm.

In: a QDQ model and its `Reading`. Out: a new QDQ model with float32 inputs and outputs under the graph's names, the
batch symbolic. Always: the same integers as the graph's; operators that the archive leaves to the host are gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.ordering import arrange
from sima_compiler.frontend.constants.tensors import decode, encode
from sima_compiler.frontend.frames import with_activations
from sima_compiler.frontend.integers import BYTE_MOVEMENTS
from sima_compiler.frontend.onnx_qdq import Reading
from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.network import output_shapes

#: What onnxruntime computes with integers only where quantizations stand right beside it.
PRODUCTS = frozenset({"Conv", "Gemm", "MatMul"})
#: Types whose values stand for others, by a scale and a zero point.
BYTES = frozenset({TensorProto.INT8, TensorProto.UINT8})
#: Name of the symbolic leading dimension.
BATCH = "batch"


def export_onnx(model: onnx.ModelProto, reading: Reading, *, unsigned: bool) -> onnx.ModelProto:
    """``model`` with int8 or uint8 (``unsigned``) activations, float32 at the boundaries, any batch."""
    result = with_activations(model, unsigned=unsigned)
    names = Names.of(result)
    _split_activations(result, names)
    _keep_requantizations(result, names)
    _free_reshapes(result, reading.reshapes, names)
    _free_resizes(result, names)
    boundary = _Boundary(result, reading, names, unsigned)
    boundary.float_inputs()
    boundary.end()
    arrange(result.graph)
    del result.graph.value_info[:]
    return result


def _split_activations(model: onnx.ModelProto, names: Names) -> None:
    """Before: op -> Relu -> Q. After: op -> Q -> DQ -> Relu -> Q.

    Equal because rounding is monotone; each operator then stands alone between its quantizations, which is where
    onnxruntime computes with integers.
    """
    producers = {name: node for node in model.graph.node for name in node.output}
    quantizers = {node.input[0]: node for node in model.graph.node if node.op_type == "QuantizeLinear"}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        producer = producers.get(node.input[0]) if node.input else None
        quantizer = quantizers.get(node.output[0]) if node.output else None
        stands_alone = not _ends_a_product(producer, producers)
        if node.op_type in ("Relu", "Clip") and quantizer is not None and not stands_alone:
            inner = names.fresh(f"{node.output[0]}_unclamped")
            scale_and_zero = list(quantizer.input[1:])
            quantized = names.fresh(f"{inner}_q")
            nodes.append(helper.make_node("QuantizeLinear", [node.input[0], *scale_and_zero], [quantized], quantized))
            nodes.append(
                helper.make_node("DequantizeLinear", [quantized, *scale_and_zero], [inner], names.fresh(f"{inner}_dq"))
            )
            node.input[0] = inner
        nodes.append(node)
    _replace_nodes(model, nodes)


def _ends_a_product(node: onnx.NodeProto | None, producers: Mapping[str, onnx.NodeProto]) -> bool:
    """Whether a Conv, Gemm or MatMul comes to ``node`` with nothing between but a bias and movements.

    Everything else onnxruntime computes in the same float32 operations as we do, wherever its quantizations stand.
    """
    while node is not None and node.op_type not in PRODUCTS:
        node = producers.get(node.input[0]) if node.op_type in (*BYTE_MOVEMENTS, "Add") else None
    return node is not None


def _keep_requantizations(model: onnx.ModelProto, names: Names) -> None:
    """Before: DQ -> Q with another scale. After: DQ -> Max -> Q, Max of one operand being that operand.

    onnxruntime would otherwise merge two quantizations that meet into a third, which rounds differently.
    """
    producers = {name: node for node in model.graph.node for name in node.output}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        origin = producers.get(node.input[0]) if node.op_type == "QuantizeLinear" else None
        while origin is not None and origin.op_type in BYTE_MOVEMENTS:
            origin = producers.get(origin.input[0])
        if origin is not None and origin.op_type == "DequantizeLinear" and origin.input[1:] != node.input[1:]:
            guarded = names.fresh(f"{node.output[0]}_requantized")
            nodes.append(helper.make_node("Max", [node.input[0]], [guarded], guarded))
            node.input[0] = guarded
        nodes.append(node)
    _replace_nodes(model, nodes)


def _free_reshapes(model: onnx.ModelProto, reshapes: Mapping[str, tuple[int, ...]], names: Names) -> None:
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        shape = reshapes.get(node.output[0]) if node.output else None
        if shape is None:
            nodes.append(node)
            continue
        target = encode(np.array([0, *shape], np.int64), names.fresh(f"{node.output[0]}_any_batch"))
        model.graph.initializer.append(target)
        nodes.append(helper.make_node("Reshape", [node.input[0], target.name], list(node.output), node.name))
    _replace_nodes(model, nodes)


def _free_resizes(model: onnx.ModelProto, names: Names) -> None:
    """A Resize to constant sizes takes the batch from its input."""
    constants = {entry.name: decode(entry) for entry in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        has_axes = any(entry.name == "axes" for entry in node.attribute)
        if node.op_type == "Resize" and not has_axes and len(node.input) > 3 and node.input[3] in constants:
            label = names.fresh(f"{node.output[0]}_any_batch")
            shape, batch = names.fresh(f"{label}_shape"), names.fresh(f"{label}_n")
            first = encode(np.zeros(1, np.int64), names.fresh(f"{label}_first"))
            rest = encode(constants[node.input[3]][1:].astype(np.int64), names.fresh(f"{label}_rest"))
            model.graph.initializer.extend([first, rest])
            nodes.append(helper.make_node("Shape", [node.input[0]], [shape], shape))
            nodes.append(helper.make_node("Gather", [shape, first.name], [batch], batch))
            nodes.append(helper.make_node("Concat", [batch, rest.name], [label], label, axis=0))
            node.input[3] = label
        nodes.append(node)
    _replace_nodes(model, nodes)


@dataclass(frozen=True, slots=True)
class _Boundary:
    """Inputs and outputs of the exported model, float32 under the graph's names."""

    model: onnx.ModelProto
    reading: Reading
    names: Names
    unsigned: bool

    def float_inputs(self) -> None:
        """Inputs become (batch, ...) float32; one that held bytes gets the QuantizeLinear that its consumers imply."""
        model = self.model
        kept = {entry.name: entry for entry in model.graph.input}
        del model.graph.input[:]
        front: list[onnx.NodeProto] = []
        for port in self.reading.network.inputs:
            name, tensor = port.name, self.reading.graph.tensors.get(port.name)
            if tensor is None:  # the A65's alone, of whatever type the file has
                kind = kept[name].type.tensor_type.elem_type
                model.graph.input.append(helper.make_tensor_value_info(name, kind, [BATCH, *port.shape]))
                continue
            if kept[name].type.tensor_type.elem_type in BYTES:  # wider integers are read as the reals that they are
                stored = self.names.fresh(f"{name}_quantized")
                _rename(model, {name: stored})
                inputs = [name, *self._parameters(f"{name}_input", tensor.quant)]
                front.append(helper.make_node("QuantizeLinear", inputs, [stored], self.names.fresh(f"{name}_q")))
            model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *tensor.shape]))
        _replace_nodes(model, [*front, *model.graph.node])

    def end(self) -> None:
        """Outputs become the graph's; values that hold bytes get a DequantizeLinear."""
        graph = self.model.graph
        integers = {entry.name for entry in graph.output if entry.type.tensor_type.elem_type in BYTES}
        counts = {entry.name for entry in graph.output if entry.type.tensor_type.elem_type == TensorProto.INT64}
        kinds = {entry.name: entry.type.tensor_type.elem_type for entry in graph.output}
        hosted = output_shapes(self.reading.network)
        del graph.output[:]
        for name, source in self.reading.ends.items():
            if name in hosted:
                graph.output.append(helper.make_tensor_value_info(name, kinds[name], [*hosted[name]]))
                continue
            tensor = self.reading.graph.tensors[name]
            if source in integers:
                stored = self.names.fresh(f"{source}_quantized")
                _rename(self.model, {source: stored})
                inputs = [stored, *self._parameters(f"{name}_output", tensor.quant)]
                title = self.names.fresh(f"{name}_dq")
                graph.node.append(helper.make_node("DequantizeLinear", inputs, [name], title))
            elif source in counts:
                counted = self.names.fresh(f"{source}_counted")
                _rename(self.model, {source: counted})
                title = self.names.fresh(f"{name}_real")
                graph.node.append(helper.make_node("Cast", [counted], [name], title, to=TensorProto.FLOAT))
            elif source != name:
                _rename(self.model, {name: self.names.fresh(f"{name}_unquantized"), source: name})
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *tensor.shape]))

    def _parameters(self, stem: str, quant: Quantization) -> list[str]:
        zero = np.uint8(quant.zero_point + 128) if self.unsigned else np.int8(quant.zero_point)
        scale, point = self.names.fresh(f"{stem}_scale"), self.names.fresh(f"{stem}_zero_point")
        tensors = (encode(np.array(quant.scale, np.float32), scale), encode(np.asarray(zero), point))
        self.model.graph.initializer.extend(tensors)
        return [scale, point]


def _rename(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    for node in model.graph.node:
        for values in (node.input, node.output):
            for place, name in enumerate(values):
                values[place] = names.get(name, name)


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    holder = onnx.GraphProto()
    holder.node.extend(nodes)
    del model.graph.node[:]
    model.graph.node.extend(holder.node)

"""The quantized model as ONNX for any batch, ending where the graph ends: what onnxruntime is asked to confirm.

In: a QDQ model and its `Reading`. Out: a new QDQ model with float32 inputs and outputs under the graph's names, the
batch symbolic. Always: the same integers as the graph's; operators that the archive leaves to the host are gone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sima_compiler.frontend.frames import with_activations
from sima_compiler.frontend.integers import BYTE_MOVEMENTS
from sima_compiler.frontend.loading import drop_unused_constants
from sima_compiler.frontend.onnx_qdq import Reading
from sima_compiler.ir.graph import Quantization

#: What onnxruntime computes with integers only where quantizations stand right beside it.
PRODUCTS = frozenset({"Conv", "Gemm", "MatMul"})
#: Name of the symbolic leading dimension.
BATCH = "batch"


def export_onnx(model: onnx.ModelProto, reading: Reading, *, unsigned: bool) -> onnx.ModelProto:
    """``model`` with int8 or uint8 (``unsigned``) activations, float32 at the boundaries, any batch."""
    result = with_activations(model, unsigned=unsigned)
    _split_activations(result)
    _keep_requantizations(result)
    _free_reshapes(result, reading.reshapes)
    _free_resizes(result)
    _float_inputs(result, reading, unsigned)
    _end_at(result, reading, unsigned)
    _prune(result)
    return result


def _split_activations(model: onnx.ModelProto) -> None:
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
            inner = f"{node.output[0]}_unclamped"
            scale_and_zero = list(quantizer.input[1:])
            quantized = f"{inner}_q"
            nodes.append(helper.make_node("QuantizeLinear", [node.input[0], *scale_and_zero], [quantized], quantized))
            nodes.append(helper.make_node("DequantizeLinear", [quantized, *scale_and_zero], [inner], f"{inner}_dq"))
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


def _keep_requantizations(model: onnx.ModelProto) -> None:
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
            guarded = f"{node.output[0]}_requantized"
            nodes.append(helper.make_node("Max", [node.input[0]], [guarded], guarded))
            node.input[0] = guarded
        nodes.append(node)
    _replace_nodes(model, nodes)


def _free_reshapes(model: onnx.ModelProto, reshapes: Mapping[str, tuple[int, ...]]) -> None:
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        shape = reshapes.get(node.output[0]) if node.output else None
        if shape is None:
            nodes.append(node)
            continue
        target = numpy_helper.from_array(np.array([0, *shape], np.int64), f"{node.output[0]}_any_batch")
        model.graph.initializer.append(target)
        nodes.append(helper.make_node("Reshape", [node.input[0], target.name], list(node.output), node.name))
    _replace_nodes(model, nodes)


def _free_resizes(model: onnx.ModelProto) -> None:
    """A Resize to constant sizes takes the batch from its input."""
    constants = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        has_axes = any(entry.name == "axes" for entry in node.attribute)
        if node.op_type == "Resize" and not has_axes and len(node.input) > 3 and node.input[3] in constants:
            label = f"{node.output[0]}_any_batch"
            first = numpy_helper.from_array(np.zeros(1, np.int64), f"{label}_first")
            rest = numpy_helper.from_array(constants[node.input[3]][1:].astype(np.int64), f"{label}_rest")
            model.graph.initializer.extend([first, rest])
            nodes.append(helper.make_node("Shape", [node.input[0]], [f"{label}_shape"], f"{label}_shape"))
            nodes.append(helper.make_node("Gather", [f"{label}_shape", first.name], [f"{label}_n"], f"{label}_gather"))
            nodes.append(helper.make_node("Concat", [f"{label}_n", rest.name], [label], f"{label}_concat", axis=0))
            node.input[3] = label
        nodes.append(node)
    _replace_nodes(model, nodes)


def _float_inputs(model: onnx.ModelProto, reading: Reading, unsigned: bool) -> None:
    """Inputs become (batch, ...) float32; one that held bytes gets the QuantizeLinear that its consumers imply."""
    kept = {entry.name: entry for entry in model.graph.input}
    del model.graph.input[:]
    front: list[onnx.NodeProto] = []
    for name in reading.graph.inputs:
        tensor = reading.graph.tensors[name]
        if kept[name].type.tensor_type.elem_type != TensorProto.FLOAT:
            _rename(model, {name: f"{name}_quantized"})
            parameters = _parameters(model, f"{name}_input", tensor.quant, unsigned)
            front.append(helper.make_node("QuantizeLinear", [name, *parameters], [f"{name}_quantized"], f"{name}_q"))
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *tensor.shape]))
    _replace_nodes(model, [*front, *model.graph.node])


def _end_at(model: onnx.ModelProto, reading: Reading, unsigned: bool) -> None:
    """Outputs become the graph's; values that hold bytes get a DequantizeLinear."""
    integers = {entry.name for entry in model.graph.output if entry.type.tensor_type.elem_type != TensorProto.FLOAT}
    del model.graph.output[:]
    for name, source in reading.ends.items():
        tensor = reading.graph.tensors[name]
        if source in integers:
            _rename(model, {source: f"{source}_quantized"})
            parameters = _parameters(model, f"{name}_output", tensor.quant, unsigned)
            model.graph.node.append(
                helper.make_node("DequantizeLinear", [f"{source}_quantized", *parameters], [name], f"{name}_dq")
            )
        elif source != name:
            _rename(model, {name: f"{name}_unquantized", source: name})
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *tensor.shape]))


def _parameters(model: onnx.ModelProto, name: str, quant: Quantization, unsigned: bool) -> list[str]:
    zero = np.uint8(quant.zero_point + 128) if unsigned else np.int8(quant.zero_point)
    model.graph.initializer.append(numpy_helper.from_array(np.array(quant.scale, np.float32), f"{name}_scale"))
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(zero), f"{name}_zero_point"))
    return [f"{name}_scale", f"{name}_zero_point"]


def _rename(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    for node in model.graph.node:
        for values in (node.input, node.output):
            for place, name in enumerate(values):
                values[place] = names.get(name, name)


def _prune(model: onnx.ModelProto) -> None:
    """Drop what no output needs."""
    needed = {entry.name for entry in model.graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    _replace_nodes(model, kept[::-1])
    drop_unused_constants(model)
    del model.graph.value_info[:]


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    holder = onnx.GraphProto()
    holder.node.extend(nodes)
    del model.graph.node[:]
    model.graph.node.extend(holder.node)

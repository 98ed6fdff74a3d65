"""onnxruntime's QOperator form, rewritten to QuantizeLinear / DequantizeLinear around standard operators.

In: QLinearConv(x, ...) -> y.  Out: DequantizeLinear(x), DequantizeLinear(w), DequantizeLinear(bias) -> Conv ->
QuantizeLinear -> y. Always: constants are shared, not copied; a model without such nodes comes back as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.tensors import decode, encode

#: (value, scale, zero point) positions of each operand, then of the result; -1 where it is absent.
Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a QOperator keeps its operands; ``bias`` is the position of an int32 bias."""

    operator: str
    operands: tuple[Triple, ...]
    result: tuple[int, int]
    bias: int = -1
    weight_axis: int = 0


LAYOUTS: dict[str, Layout] = {
    "QLinearConv": Layout("Conv", ((0, 1, 2), (3, 4, 5)), (6, 7), bias=8),
    "QLinearMatMul": Layout("MatMul", ((0, 1, 2), (3, 4, 5)), (6, 7), weight_axis=1),
    "QGemm": Layout("Gemm", ((0, 1, 2), (3, 4, 5)), (7, 8), bias=6, weight_axis=1),
    "QLinearAdd": Layout("Add", ((0, 1, 2), (3, 4, 5)), (6, 7)),
    "QLinearMul": Layout("Mul", ((0, 1, 2), (3, 4, 5)), (6, 7)),
    "QLinearSigmoid": Layout("Sigmoid", ((0, 1, 2),), (3, 4)),
    "QLinearLeakyRelu": Layout("LeakyRelu", ((0, 1, 2),), (3, 4)),
    "QLinearAveragePool": Layout("AveragePool", ((0, 1, 2),), (3, 4)),
    "QLinearGlobalAveragePool": Layout("GlobalAveragePool", ((0, 1, 2),), (3, 4)),
    "QLinearSoftmax": Layout("Softmax", ((0, 1, 2),), (3, 4)),
}

#: Attributes that exist in the QOperator form only.
OWN_ATTRIBUTES = frozenset({"channels_last", "opset"})


def desugar(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in QDQ form; unchanged (the same object) when it already is.

    Raises:
        ModelError: a QOperator whose scales are not constants where they must be known.
    """
    names = {*LAYOUTS, "QLinearConcat"}
    if not any(node.op_type in names for node in model.graph.node):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    taken = _Taken(result)
    nodes: list[onnx.NodeProto] = []
    for index, node in enumerate(model.graph.node):
        if node.op_type not in names:
            nodes.append(node)
            continue
        label = node.name or f"{node.op_type}_{index}"
        layout = _concat_layout(node) if node.op_type == "QLinearConcat" else LAYOUTS[node.op_type]
        nodes += _expand(node, label, layout, taken)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    _keep_standard_domains(result)
    return result


class _Taken:
    """Constants and names of the model that is being rewritten."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.names = Names.of(model)
        self.constants = {entry.name: entry for entry in model.graph.initializer}


def _concat_layout(node: onnx.NodeProto) -> Layout:
    operands = tuple((place, place + 1, place + 2) for place in range(2, len(node.input), 3))
    return Layout("Concat", operands, (0, 1))


def _expand(node: onnx.NodeProto, label: str, layout: Layout, taken: _Taken) -> list[onnx.NodeProto]:
    least = 1 + max(*layout.result, *(max(part) for part in layout.operands if part[0] >= 0))
    if len(node.input) < least - 1 or not node.output:
        raise ModelError(f"node {label!r} ({node.op_type}) has {len(node.input)} inputs, expected {least}")
    fresh = taken.names.fresh
    nodes: list[onnx.NodeProto] = []
    inputs: list[str] = []
    for number, (value, scale, zero) in enumerate(layout.operands):
        inputs.append(fresh(f"{label}_input_{number}"))
        axis = _weight_axis(node, layout) if number else 1
        given = [node.input[place] for place in (value, scale, zero) if place < len(node.input) and node.input[place]]
        title = fresh(f"{inputs[-1]}_dequantize")
        nodes.append(helper.make_node("DequantizeLinear", given, [inputs[-1]], title, axis=axis))
    if 0 <= layout.bias < len(node.input) and node.input[layout.bias]:
        scale = _bias_scale(node, label, layout, taken)
        inputs.append(fresh(f"{label}_bias"))
        nodes.append(helper.make_node("DequantizeLinear", [node.input[layout.bias], scale], [inputs[-1]],
                                      fresh(f"{label}_bias_dequantize"), axis=0))  # fmt: skip
    # What the value was called before onnxruntime quantized it, unless something else has that name.
    real = fresh(node.output[0].removesuffix("_quantized"))
    standard = helper.make_node(layout.operator, inputs, [real], label)
    standard.attribute.extend(entry for entry in node.attribute if entry.name not in OWN_ATTRIBUTES)
    _refuse_channels_last(node, label)
    result = [node.input[place] for place in layout.result if place < len(node.input) and node.input[place]]
    quantize = helper.make_node("QuantizeLinear", [real, *result], [node.output[0]], fresh(f"{label}_quantize"))
    return [*nodes, standard, quantize]


def _weight_axis(node: onnx.NodeProto, layout: Layout) -> int:
    transposed = any(entry.name == "transB" and entry.i for entry in node.attribute)
    return 0 if transposed else layout.weight_axis


def _refuse_channels_last(node: onnx.NodeProto, label: str) -> None:
    if any(entry.name == "channels_last" and entry.i for entry in node.attribute):
        raise ModelError(f"node {label!r} ({node.op_type}) has its channels last; save the model before layout changes")


def _bias_scale(node: onnx.NodeProto, label: str, layout: Layout, taken: _Taken) -> str:
    names: Sequence[str] = [node.input[operand[1]] for operand in layout.operands]
    missing = [name for name in names if name not in taken.constants]
    if missing:
        raise ModelError(f"node {label!r} ({node.op_type}): its scale {missing[0]!r} is no constant")
    left, right = (decode(taken.constants[name]).astype(np.float32) for name in names)
    if left.size != 1:
        raise ModelError(f"node {label!r} ({node.op_type}): its input has {left.size} scales, expected one")
    name = taken.names.fresh(f"{label}_bias_scale")
    taken.model.graph.initializer.append(encode(np.asarray(left.reshape(()) * right, np.float32), name))
    return name


def _keep_standard_domains(model: onnx.ModelProto) -> None:
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used or entry.domain == "ai.onnx"]
    entries = [helper.make_opsetid(entry.domain, entry.version) for entry in kept]
    del model.opset_import[:]
    model.opset_import.extend(entries)

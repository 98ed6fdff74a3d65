"""What a file leaves unsaid about types, said.

Before: Q without a zero point (uint8, or what ``output_dtype`` says), DQ without one (the type of what it reads), Cast
to the type that is there already, Identity, Dropout, Max of one. After: zero points, and only nodes that do something.

In: a QDQ model in structural order. Out: the same model, in place.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.names import Names, subgraphs
from sima_compiler.frontend.constants.ordering import label
from sima_compiler.frontend.constants.tensors import encode, type_name

#: Results of these have the type of their first input.
SAME_TYPE = frozenset(
    {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Slice", "Split", "Pad", "Resize",
     "Upsample", "Concat", "Dropout", "Relu", "Clip", "Conv", "Gemm", "MatMul", "Add", "Sub", "Mul", "Div", "Neg",
     "Abs", "Sigmoid", "Tanh", "LeakyRelu", "PRelu", "HardSigmoid", "HardSwish", "Softmax", "GlobalAveragePool",
     "AveragePool", "ReduceMean", "BatchNormalization", "ConvTranspose", "Sum", "Min", "Sqrt", "Exp", "Pow", "Erf",
     "Max", "Gather", "DepthToSpace", "SpaceToDepth", "Expand", "Tile", "Floor", "Ceil", "Round"}
)  # fmt: skip


def state_parameters(model: onnx.ModelProto, names: Names) -> None:
    """Add zero points and drop nodes that do nothing, in place.

    Raises:
        ModelError: ``output_dtype`` contradicts the zero point.
    """
    types = {entry.name: entry.type.tensor_type.elem_type for entry in model.graph.input}
    types.update({entry.name: entry.data_type for entry in model.graph.initializer})
    outputs = {entry.name for entry in model.graph.output}
    made = {name for node in model.graph.node for name in node.output} - outputs
    instead: dict[str, str] = {}
    renamed: dict[str, str] = {}
    zeros = _Zeros(model, names)
    kept: list[onnx.NodeProto] = []
    for node in model.graph.node:
        _read_instead(node, instead)
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            _state_zero_point(node, types, zeros)
        types.update(_result_types(node, types))
        if not _does_nothing(node, types):
            kept.append(node)
        elif node.output[0] not in outputs:
            instead[node.output[0]] = node.input[0]
        elif node.input[0] in made and node.input[0] not in renamed:
            renamed[node.input[0]] = node.output[0]  # what it passes on becomes the output itself
        else:
            kept.append(helper.make_node("Identity", [node.input[0]], [node.output[0]], node.name))
    for node in kept:
        _read_instead(node, renamed)
        for place, name in enumerate(node.output):
            node.output[place] = renamed.get(name, name)
    holder = onnx.GraphProto()
    holder.node.extend(kept)
    del model.graph.node[:]
    model.graph.node.extend(holder.node)


class _Zeros:
    """Zero points that files leave out: one tensor per type and shape."""

    def __init__(self, model: onnx.ModelProto, names: Names) -> None:
        self._model, self._names = model, names
        self._made: dict[tuple[int, tuple[int, ...]], str] = {}
        self._shapes = {entry.name: tuple(entry.dims) for entry in model.graph.initializer}

    def like(self, scale: str, kind: int) -> str:
        """The name of a zero of type ``kind`` in the shape of ``scale``."""
        key = (kind, self._shapes.get(scale, ()))
        if key not in self._made:
            dtype = helper.tensor_dtype_to_np_dtype(kind)
            self._made[key] = self._names.fresh(f"zero_{dtype.name}")
            self._model.graph.initializer.append(encode(np.zeros(key[1], dtype), self._made[key]))
        return self._made[key]


def _state_zero_point(node: onnx.NodeProto, types: dict[str, int], zeros: _Zeros) -> None:
    quantizes = node.op_type == "QuantizeLinear"
    stated = next((entry.i for entry in node.attribute if entry.name == "output_dtype"), 0) if quantizes else 0
    given = types.get(node.input[2], 0) if len(node.input) > 2 and node.input[2] else 0
    if stated and given and stated != given:
        raise ModelError(f"{label(node)}: output_dtype says {type_name(stated)}, its zero point {type_name(given)}")
    kept = [entry for entry in node.attribute if entry.name != "output_dtype"]
    if len(kept) != len(node.attribute):
        holder = onnx.NodeProto(attribute=kept)
        del node.attribute[:]
        node.attribute.extend(holder.attribute)
    kind = (stated or TensorProto.UINT8) if quantizes else types.get(node.input[0], 0)
    if given or kind in (0, TensorProto.INT32) or len(node.input) < 2:
        return
    if len(node.input) < 3 or not node.input[2]:
        del node.input[2:]
        node.input.append(zeros.like(node.input[1], kind))
        types[node.input[2]] = kind


def _does_nothing(node: onnx.NodeProto, types: dict[str, int]) -> bool:
    if node.domain or any(node.output[1:]) or not node.input:
        return False
    if node.op_type == "Cast":
        target = next((entry.i for entry in node.attribute if entry.name == "to"), 0)
        return target != 0 and types.get(node.input[0]) == target
    alone = node.op_type in ("Max", "Min", "Sum") and len(node.input) == 1
    return alone or node.op_type == "Identity" or (node.op_type == "Dropout" and len(node.input) < 3)


def _result_types(node: onnx.NodeProto, types: dict[str, int]) -> dict[str, int]:
    first = types.get(node.input[0], 0) if node.input else 0
    if node.op_type == "QuantizeLinear":
        stated = types.get(node.input[2], 0) if len(node.input) > 2 else 0
        return {node.output[0]: stated} if stated else {}
    if node.op_type == "DequantizeLinear":
        return {node.output[0]: TensorProto.FLOAT}
    if node.op_type == "Cast":
        return {node.output[0]: next((entry.i for entry in node.attribute if entry.name == "to"), 0)}
    if node.op_type in SAME_TYPE:
        return dict.fromkeys(node.output, first)
    return {node.output[0]: first} if node.op_type == "MaxPool" else {}  # its second result holds indices


def _read_instead(node: onnx.NodeProto, instead: dict[str, str]) -> None:
    if any(subgraphs(node)):
        # A body reads names of the graph around it, which no longer exist.
        for body in subgraphs(node):
            for inner in body.node:
                _read_instead(inner, instead)
    for place, name in enumerate(node.input):
        if name in instead:
            node.input[place] = instead[name]

"""A node test with a batch in front: what its operator does along the first axis, it does along the first of a sample.

In: a case whose operator works along dimension 0, or mixes it with others. Out: the same case on arrays with one more
axis in front, its axes counted from there; None where the operator has no such form (Flatten, Gemm).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.onnx_nodes.cases import Case

Constants = dict[str, np.ndarray]
Lift = Callable[[onnx.NodeProto, Constants, int], None]


def behind_batch(case: Case) -> Case | None:
    """The case with a batch of one in front of every sample."""
    lift, rank = LIFTS.get(case.operator), max(array.ndim for array in case.inputs.values())
    if lift is None or 0 in next(iter(case.inputs.values())).shape:
        return None
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    constants = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    lift(next(node for node in model.graph.node if node.op_type == case.operator), constants, rank)
    del model.graph.initializer[:]
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    inputs = {name: array.reshape(1, *(1,) * (rank - array.ndim), *array.shape) for name, array in case.inputs.items()}
    for entry in model.graph.input:
        kind = entry.type.tensor_type.elem_type
        entry.CopyFrom(helper.make_tensor_value_info(entry.name, kind, inputs[entry.name].shape))
    return replace(case, model=model, inputs=inputs)


def _attributes(node: onnx.NodeProto) -> Mapping[str, object]:
    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}


def _set(node: onnx.NodeProto, name: str, value: object) -> None:
    kept = [entry for entry in node.attribute if entry.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def _nothing(_: onnx.NodeProto, __: Constants, ___: int) -> None:
    """Constants broadcast from the last axis on."""


def _axis(default: int) -> Lift:
    def lift(node: onnx.NodeProto, _: Constants, __: int) -> None:
        axis = _attributes(node).get("axis", default)
        assert isinstance(axis, int)
        _set(node, "axis", axis + 1 if axis >= 0 else axis)

    return lift


def _axes_input(place: int) -> Lift:
    """Axes that are an input; all those of a sample where there are none."""

    def lift(node: onnx.NodeProto, constants: Constants, rank: int) -> None:
        while len(node.input) <= place:
            node.input.append("")
        given = constants.get(node.input[place], np.zeros(0, np.int64))
        count = len(constants[node.input[1]]) if node.op_type == "Slice" else rank
        axes = np.where(given >= 0, given + 1, given) if given.size else np.arange(1, count + 1)
        node.input[place] = node.input[place] or "axes_behind_batch"
        constants[node.input[place]] = axes.astype(np.int64)

    return lift


def _reduced(node: onnx.NodeProto, constants: Constants, rank: int) -> None:
    if len(node.input) > 1 or "axes" not in _attributes(node):
        _axes_input(1)(node, constants, rank)
    else:
        given = next(entry.ints for entry in node.attribute if entry.name == "axes")
        _set(node, "axes", [axis + 1 if axis >= 0 else axis for axis in given])


def _shape_input(node: onnx.NodeProto, constants: Constants, _: int) -> None:
    constants[node.input[1]] = np.concatenate([[1], constants[node.input[1]]]).astype(np.int64)


def _permutation(node: onnx.NodeProto, _: Constants, rank: int) -> None:
    order = _attributes(node).get("perm", list(reversed(range(rank))))
    assert isinstance(order, list)
    _set(node, "perm", [0, *(axis + 1 for axis in order)])


LIFTS: Mapping[str, Lift] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "PRelu", "MatMul"), _nothing),
    **dict.fromkeys(("Concat", "Gather", "ArgMax", "Split"), _axis(0)),
    **dict.fromkeys(("Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization"), _axis(-1)),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum"), _reduced),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _axes_input(1)),
    **dict.fromkeys(("Expand", "Reshape"), _shape_input),
    "Slice": _axes_input(3),
    "Transpose": _permutation,
}

"""Softmax of operator sets before 13, which runs along its axis and all behind it.

Before, as onnx's converter writes it: Flatten(axis 2) -> Softmax(-1) -> Reshape to the old shape.
After: Reshape to (0, 0, -1) -> Softmax(-1) -> Reshape to the old shape. Always: the same rows; the batch stays an axis
of its own, which Flatten would mix with those in front of the softmax.

In: a converted model. Out: the same model, in place.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import onnx
from onnx import helper

from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.tensors import encode

SOFTMAXES = ("Softmax", "LogSoftmax")


def keep_batch_apart(model: onnx.ModelProto) -> None:
    """Rewrite ``model`` in place."""
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    outputs = {entry.name for entry in model.graph.output}
    names = Names.of(model)
    for node in model.graph.node:
        axis = next((entry.i for entry in node.attribute if entry.name == "axis"), 1)
        if node.op_type == "Flatten" and axis > 1 and node.output[0] not in outputs and _is_for_softmax(node, readers):
            shape = encode(np.array([0] * axis + [-1], np.int64), names.fresh(f"{node.output[0]}_rows"))
            model.graph.initializer.append(shape)
            node.CopyFrom(helper.make_node("Reshape", [node.input[0], shape.name], list(node.output), node.name))


def _is_for_softmax(node: onnx.NodeProto, readers: dict[str, list[onnx.NodeProto]]) -> bool:
    """Whether only a Softmax along the last axis reads it, and what comes of that is only reshaped."""
    behind = readers[node.output[0]]
    if len(behind) != 1 or behind[0].op_type not in SOFTMAXES or any(entry.i != -1 for entry in behind[0].attribute):
        return False
    return all(reader.op_type == "Reshape" for reader in readers[behind[0].output[0]])

"""Outputs that a Relu or Clip reads, kept apart while onnxruntime quantizes.

Before: ``Conv -> y (an output) -> Relu``. Between: ``Conv -> y_tapped -> Relu`` and ``y_tapped -> Identity -> y``.
After: as before. onnxruntime gives the input of a Relu that is its only consumer the range behind it; an output is no
consumer that it counts, so the output would lose its negatives. With the Identity there are two.

In: a float model. Out: a copy with taps, and the quantized model without them. Always: names of outputs stay.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import helper

CLAMPS = frozenset({"Relu", "Clip"})


def with_taps(model: onnx.ModelProto) -> tuple[onnx.ModelProto, Mapping[str, str]]:
    """The tapped copy, and output name by the name of the tensor that it now copies."""
    outputs = {entry.name for entry in model.graph.output}
    produced = {name for node in model.graph.node for name in node.output}
    clamped = {node.input[0] for node in model.graph.node if node.op_type in CLAMPS}
    tapped = sorted(outputs & produced & clamped)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    taken = produced | {entry.name for entry in (*model.graph.input, *model.graph.initializer)}
    names = {name: _free(f"{name}_tapped", taken) for name in tapped}
    for node in result.graph.node:
        _rename(node, names)
    result.graph.node.extend(helper.make_node("Identity", [inner], [name], inner) for name, inner in names.items())
    _keep_types(result, names)
    return result, {inner: name for name, inner in names.items()}


def without_taps(model: onnx.ModelProto, taps: Mapping[str, str]) -> None:
    """Takes the Identity nodes of `with_taps` out of the quantized model, in place."""
    kept = [node for node in model.graph.node if not (node.op_type == "Identity" and node.name in taps)]
    sources = {node.output[0]: node.input[0] for node in model.graph.node if node.name in taps}
    outputs = {output.name for output in model.graph.output}
    back = {source: name for name, source in sources.items() if name in outputs}
    for node in kept:
        _rename(node, back)
    holder = onnx.GraphProto()
    holder.node.extend(kept)
    del model.graph.node[:]
    model.graph.node.extend(holder.node)


def _keep_types(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """The copied tensors have the outputs' declared types; onnxruntime's calibration asks for them."""
    for entry in list(model.graph.output):
        if entry.name in names:
            copy = model.graph.value_info.add()
            copy.CopyFrom(entry)
            copy.name = names[entry.name]


def _rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    for values in (node.input, node.output):
        for place, name in enumerate(values):
            values[place] = names.get(name, name)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name

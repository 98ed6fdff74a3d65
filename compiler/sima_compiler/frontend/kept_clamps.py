"""Relu and Clip that onnxruntime's quantization left out, put back in front of their QuantizeLinear.

Before: ``Conv -> Q``, with a range that starts at zero. After: ``Conv -> Relu -> Q``. The integers are the same, for
saturation did the work; the file says again what the network does, and layers keep their names.

In: the float model and what `quantize_static` made of it. Out: the latter, completed in place. Always: only nodes that
are gone come back, and only where their producer still stands.
"""

from __future__ import annotations

import onnx

CLAMPS = ("Relu", "Clip")
#: What onnxruntime appends to the name of an output before its own pair of Q and DQ.
OUTPUT_SUFFIX = "_QuantizeLinear_Input"


def restore_clamps(float_model: onnx.ModelProto, quantized: onnx.ModelProto) -> None:
    """Puts back every Relu and Clip of ``float_model`` that ``quantized`` lost."""
    present = {node.name for node in quantized.graph.node if node.op_type in CLAMPS}
    producers = {name: node for node in quantized.graph.node for name in node.output}
    behind: dict[str, onnx.NodeProto] = {}
    for clamp in float_model.graph.node:
        if clamp.op_type not in CLAMPS or clamp.name in present:
            continue
        result = next((name for name in (clamp.output[0] + OUTPUT_SUFFIX, clamp.output[0]) if name in producers), None)
        if result is None or clamp.input[0] in producers or producers[result].op_type == "DequantizeLinear":
            continue
        behind[result] = _restored(clamp, producers[result], result)
    _insert(quantized, behind)
    _copy_bounds(float_model, quantized, behind)


def _restored(clamp: onnx.NodeProto, producer: onnx.NodeProto, result: str) -> onnx.NodeProto:
    """The clamp again; its producer writes to the clamp's own input, as it did in the float model."""
    place = list(producer.output).index(result)
    producer.output[place] = clamp.input[0]
    node = onnx.NodeProto()
    node.CopyFrom(clamp)
    node.output[0] = result
    return node


def _insert(model: onnx.ModelProto, behind: dict[str, onnx.NodeProto]) -> None:
    """Each clamp right behind the node that writes its input."""
    waiting = {node.input[0]: node for node in behind.values()}
    ordered = onnx.GraphProto()
    for node in model.graph.node:
        ordered.node.append(node)
        ordered.node.extend(waiting[name] for name in node.output if name in waiting)
    del model.graph.node[:]
    model.graph.node.extend(ordered.node)


def _copy_bounds(source: onnx.ModelProto, target: onnx.ModelProto, behind: dict[str, onnx.NodeProto]) -> None:
    """Clip's bounds are constants that may have gone with it."""
    wanted = {name for node in behind.values() for name in node.input[1:]}
    wanted -= {entry.name for entry in target.graph.initializer}
    target.graph.initializer.extend(entry for entry in source.graph.initializer if entry.name in wanted)

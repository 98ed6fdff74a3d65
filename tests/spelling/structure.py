"""Rewrites of names, order, and of what stands in a file without meaning anything."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.spelling.sheet import Rewrite, Sheet

MICROSOFT = "com.microsoft"
HELPERS = "spelled.functions"


def nodes_shuffled(sheet: Sheet) -> None:
    """Another order in which every node still stands behind what it reads."""
    waiting = [onnx.NodeProto.FromString(node.SerializeToString()) for node in sheet.graph.node]
    written = {name for node in waiting for name in node.output}
    ordered: list[onnx.NodeProto] = []
    while waiting:
        done = {name for node in ordered for name in node.output}
        ready = [node for node in waiting if not (written & set(node.input)) - done]
        chosen = ready[int(sheet.random.integers(len(ready)))]
        waiting.remove(chosen)
        ordered.append(chosen)
    del sheet.graph.node[:]
    sheet.graph.node.extend(ordered)


def initializers_shuffled(sheet: Sheet) -> None:
    entries = [onnx.TensorProto.FromString(entry.SerializeToString()) for entry in sheet.graph.initializer]
    del sheet.graph.initializer[:]
    sheet.graph.initializer.extend(entries[index] for index in sheet.random.permutation(len(entries)))


def nodes_renamed(sheet: Sheet) -> None:
    for index, node in enumerate(sheet.graph.node):
        node.name = f"{sheet.random.integers(10**6)}/{index}"


def nodes_named_alike(sheet: Sheet) -> None:
    for node in sheet.graph.node:
        node.name = "node"


def nodes_without_names(sheet: Sheet) -> None:
    for node in sheet.graph.node:
        node.name = ""


def values_renamed(sheet: Sheet) -> None:
    """Every inner value, among them names that a compiler might think of itself."""
    fixed = {entry.name for entry in (*sheet.graph.input, *sheet.graph.output)} | {""}
    names = sorted(sheet.names() - fixed)
    order = sheet.random.permutation(len(names))
    awkward = ["_bias", "_bias_real", "_q", "_dequantize", "_values", "_int8", "_uint8", "_zero_point", "_quantized"]
    table = {
        name: f"{names[0] if place < len(awkward) else place}{awkward[place % len(awkward)]}"
        for name, place in zip(names, order.tolist(), strict=True)
    }
    assert len(set(table.values())) == len(names)
    for node in sheet.graph.node:
        node.input[:] = [table.get(name, name) for name in node.input]
        node.output[:] = [table.get(name, name) for name in node.output]
    for entry in (*sheet.graph.initializer, *sheet.graph.value_info):
        entry.name = table.get(entry.name, entry.name)
    for entry in sheet.graph.sparse_initializer:
        entry.values.name = table.get(entry.values.name, entry.values.name)
    for entry in sheet.graph.input:
        entry.name = table.get(entry.name, entry.name)


def dead_nodes(sheet: Sheet) -> None:
    """Nodes that no output needs: one that this compiler does not have, one with nonsense for an axis, a loose end."""
    source = next(entry.name for entry in sheet.graph.input if entry.name not in sheet.initializers())
    first, second, third = (sheet.fresh("dead") for _ in range(3))
    last = sheet.graph.node[-1]
    sheet.put_behind(
        last,
        sheet.node("Erf", [source], [first]),
        sheet.node("Shape", [first], [second]),
        sheet.node("Transpose", [first], [third]),
    )


def dead_constants(sheet: Sheet) -> None:
    sheet.constant(np.full((3, 3), np.nan, np.float32), "dead")
    sheet.constant(np.array([b"text"], object), "dead")


def shapes_stated(sheet: Sheet) -> None:
    """What shape inference knows about inner values."""
    sheet.model.CopyFrom(onnx.shape_inference.infer_shapes(sheet.model))


def shapes_stripped(sheet: Sheet) -> None:
    del sheet.graph.value_info[:]
    for entry in sheet.graph.output:
        entry.type.tensor_type.ClearField("shape")


def texts_added(sheet: Sheet) -> None:
    """Documentation, producer, properties, names of dimensions."""
    sheet.model.producer_name, sheet.model.producer_version, sheet.model.doc_string = "spelled", "0.1", "a text"
    helper.set_model_props(sheet.model, {"author": "nobody", "stride": "32"})
    sheet.graph.doc_string = "another\ntext"
    for node in sheet.graph.node:
        node.doc_string = "what stands here means nothing"
    for entry in (*sheet.graph.input, *sheet.graph.output):
        entry.doc_string = "a boundary"


def newer_ir_version(sheet: Sheet) -> None:
    sheet.model.ir_version = 10


def domains_imported(sheet: Sheet) -> None:
    """Operator sets that nothing uses."""
    sheet.model.opset_import.extend([helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("com.example", 1)])


def pairs_of_microsoft(sheet: Sheet) -> None:
    """QuantizeLinear and DequantizeLinear in onnxruntime's own domain."""
    for node in sheet.nodes("QuantizeLinear", "DequantizeLinear"):
        node.domain = MICROSOFT
    _import(sheet, MICROSOFT, 1)


def identities_between(sheet: Sheet) -> None:
    _in_between(sheet, lambda name: [sheet.node("Identity", [name], [sheet.fresh()])])


def dropouts_between(sheet: Sheet) -> None:
    """Dropout of a network that is not being trained."""
    ratio = sheet.constant(np.float32(0.4))
    _in_between(sheet, lambda name: [sheet.node("Dropout", [name, ratio], [sheet.fresh()])], bytes_too=False)


def casts_to_the_same(sheet: Sheet) -> None:
    _in_between(
        sheet, lambda name: [sheet.node("Cast", [name], [sheet.fresh()], to=TensorProto.FLOAT)], bytes_too=False
    )


def a_dequantization_for_every_reader(sheet: Sheet) -> None:
    for node in sheet.nodes("DequantizeLinear"):
        name = node.output[0]
        for index, reader in enumerate(sheet.readers(name)):
            if index == 0 or sheet.is_output(name):
                continue
            own = sheet.fresh()
            again = sheet.node("DequantizeLinear", node.input, [own])
            again.attribute.extend(node.attribute)
            reader.input[:] = [own if entry == name else entry for entry in reader.input]
            sheet.put_behind(node, again)


def a_pair_for_every_reader(sheet: Sheet) -> None:
    """The same real quantized once per reader."""
    for node in sheet.nodes("QuantizeLinear"):
        pair = sheet.readers(node.output[0])
        if len(pair) != 1 or pair[0].op_type != "DequantizeLinear" or sheet.array(node.input[0]) is not None:
            continue
        name = pair[0].output[0]
        for index, reader in enumerate(sheet.readers(name)):
            if index and not sheet.is_output(name):
                stored, own = sheet.fresh(), sheet.fresh()
                place = pair[0]
                reader.input[:] = [own if entry == name else entry for entry in reader.input]
                sheet.put_behind(
                    place,
                    sheet.node("QuantizeLinear", node.input, [stored]),
                    sheet.node("DequantizeLinear", [stored, *pair[0].input[1:]], [own]),
                )


def wrapped_in_functions(sheet: Sheet) -> None:
    """Relu, Clip, pools and products as calls of model-local functions, their attributes fixed inside."""
    for node in sheet.nodes("Relu", "Clip", "Conv", "MaxPool", "GlobalAveragePool", "Concat", "QuantizeLinear"):
        label = sheet.fresh("Wrapped")
        inner = onnx.NodeProto.FromString(node.SerializeToString())
        names = [f"operand_{index}" for index, name in enumerate(node.input) if name]
        given = [name for name in node.input if name]
        inner.input[:] = [names[given.index(name)] if name else "" for name in node.input]
        inner.output[:] = ["result"]
        function = helper.make_function(
            HELPERS, label, names, ["result"], [inner], list(sheet.model.opset_import)
        )  # fmt: skip
        sheet.model.functions.append(function)
        output, call = node.output[0], node.name
        node.CopyFrom(helper.make_node(label, given, [output], call, domain=HELPERS))
    _import(sheet, HELPERS, 1)
    sheet.model.ir_version = max(sheet.model.ir_version, 8)


def _in_between(sheet: Sheet, make, *, bytes_too: bool = True) -> None:
    """A node that does nothing on the way from an activation to one of its readers."""
    names = [node.output[0] for node in sheet.nodes("DequantizeLinear", "Relu", "Conv", "MaxPool", "Add", "MatMul")]
    names += [node.output[0] for node in sheet.nodes("QuantizeLinear")] if bytes_too else []
    names += [entry.name for entry in sheet.graph.input if entry.name not in sheet.initializers()]
    for name in sheet.some(names):
        readers = sheet.readers(name)
        if not readers:
            continue
        reader = readers[int(sheet.random.integers(len(readers)))]
        made = make(name)
        reader.input[:] = [made[-1].output[0] if entry == name else entry for entry in reader.input]
        sheet.put_before(reader, *made)


def _import(sheet: Sheet, domain: str, version: int) -> None:
    if all(entry.domain != domain for entry in sheet.model.opset_import):
        sheet.model.opset_import.append(helper.make_opsetid(domain, version))


STRUCTURE: list[Rewrite] = [
    nodes_shuffled, initializers_shuffled, nodes_renamed, nodes_named_alike, nodes_without_names, values_renamed,
    dead_nodes, dead_constants, shapes_stated, shapes_stripped, texts_added, newer_ir_version, domains_imported,
    pairs_of_microsoft, identities_between, dropouts_between, casts_to_the_same, a_dequantization_for_every_reader,
    a_pair_for_every_reader, wrapped_in_functions,
]  # fmt: skip

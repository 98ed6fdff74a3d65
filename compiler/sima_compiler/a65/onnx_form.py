"""A host segment as an ONNX model that onnxruntime runs.

In: a `HostSegment`. Out: a `ModelProto`. Always: node by node the same operators, except for two whose form in ONNX at
`OPSET` is written out: NonMaxSuppression, whose rows are filled up to a fixed number, and RMSNormalization.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sima_compiler.ir.host import OPSET, Array, HostNode, HostSegment, HostTensor
from sima_compiler.ir.verify_host import infer

if TYPE_CHECKING:
    import onnx

#: IR version of the file: the first with `OPSET`.
_IR_VERSION = 9


def to_model_proto(segment: HostSegment) -> onnx.ModelProto:
    """The segment as a model.

    Raises:
        HostError: the segment is not sound.
    """
    from onnx import helper

    tensors = infer(segment)
    constants = dict(segment.constants)
    nodes = [proto for place, node in enumerate(segment.nodes) for proto in _nodes(node, place, tensors, constants)]
    graph = helper.make_graph(
        nodes,
        segment.name,
        [_value_info(tensor) for tensor in segment.inputs],
        [_value_info(tensor) for tensor in segment.outputs],
        [_initializer(name, constants[name]) for name in sorted(constants)],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION, producer_name="sima-nb"
    )


def to_onnx_bytes(segment: HostSegment) -> bytes:
    """The same as the bytes of a file."""
    return to_model_proto(segment).SerializeToString(deterministic=True)


def _nodes(
    node: HostNode, place: int, tensors: Mapping[str, HostTensor], constants: dict[str, Array]
) -> Iterator[onnx.NodeProto]:
    match node.op:
        case "NonMaxSuppression":
            yield from _suppression(node, f"{node.outputs[0]}/{place}", tensors, constants)
        case "RMSNormalization":
            yield from _rms(node, f"{node.outputs[0]}/{place}", tensors, constants)
        case _:
            yield _node(node.op, node.inputs, node.outputs, node.source, **node.attributes)


def _node(op: str, inputs: tuple[str, ...], outputs: tuple[str, ...], source: str, **attributes: Any) -> onnx.NodeProto:
    from onnx import helper

    proto = helper.make_node(op, inputs, outputs, name=source)
    for name in sorted(attributes):
        value = attributes[name]
        if value == ():
            proto.attribute.append(helper.make_attribute(name, [], attr_type=7))  # INTS
        else:
            proto.attribute.append(helper.make_attribute(name, list(value) if isinstance(value, tuple) else value))
    return proto


def _suppression(
    node: HostNode, prefix: str, tensors: Mapping[str, HostTensor], constants: dict[str, Array]
) -> Iterator[onnx.NodeProto]:
    """The selected boxes, then rows of -1, cut to the fixed number of rows."""
    rows = tensors[node.outputs[0]].shape[0]
    constants[f"{prefix}/fill"] = np.full((rows, 3), -1, np.int64)
    constants[f"{prefix}/from"] = np.array([0], np.int64)
    constants[f"{prefix}/to"] = np.array([rows], np.int64)
    found, filled = f"{prefix}/found", f"{prefix}/filled"
    yield _node(node.op, node.inputs, (found,), node.source, **node.attributes)
    yield _node("Concat", (found, f"{prefix}/fill"), (filled,), "", axis=0)
    yield _node("Slice", (filled, f"{prefix}/from", f"{prefix}/to"), node.outputs, "")


def _rms(
    node: HostNode, prefix: str, tensors: Mapping[str, HostTensor], constants: dict[str, Array]
) -> Iterator[onnx.NodeProto]:
    """Value / sqrt(mean(x * x) + epsilon) * scale."""
    rank = len(tensors[node.inputs[0]].shape)
    axis = node.attributes.get("axis", -1)
    first = (axis if isinstance(axis, int) else -1) % rank
    constants[f"{prefix}/axes"] = np.arange(first, rank, dtype=np.int64)
    constants[f"{prefix}/epsilon"] = np.array(node.attributes.get("epsilon", 1e-5), np.float32)
    value, result = node.inputs[0], node.outputs[0]
    steps = (
        ("Mul", (value, value), "square"),
        ("ReduceMean", (f"{prefix}/square", f"{prefix}/axes"), "mean"),
        ("Add", (f"{prefix}/mean", f"{prefix}/epsilon"), "sum"),
        ("Sqrt", (f"{prefix}/sum",), "root"),
        ("Div", (value, f"{prefix}/root"), "norm"),
    )
    for op, inputs, name in steps:
        yield _node(op, inputs, (f"{prefix}/{name}",), "")
    yield _node("Mul", (f"{prefix}/norm", node.inputs[1]), (result,), node.source)


def _value_info(tensor: HostTensor) -> onnx.ValueInfoProto:
    from onnx import helper

    return helper.make_tensor_value_info(tensor.name, helper.np_dtype_to_tensor_dtype(tensor.dtype.numpy), tensor.shape)


def _initializer(name: str, value: Array) -> onnx.TensorProto:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(value, order="C"), name)

"""Nodes against ONNX's own description of their operators: inputs that must be there, attributes of the right type.

In: nodes of a file and its operator sets. Out: nothing, or one error that names the node. Always: an operator that
ONNX does not describe passes, because the reader says what it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import AttributeProto, checker, defs, helper, shape_inference, version_converter

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.ordering import label

#: What onnx's own functions raise for models that contradict themselves; its classes have no base but Exception.
ONNX_FAILURES = (
    RuntimeError, ValueError, TypeError, IndexError, KeyError, MemoryError,
    shape_inference.InferenceError, version_converter.ConvertError, checker.ValidationError,
)  # fmt: skip
HINT = "the file is damaged, or its exporter is at fault; onnx.checker.check_model says more"


def check_nodes(nodes: Sequence[onnx.NodeProto], model: onnx.ModelProto) -> None:
    """Refuse nodes whose inputs, outputs or attributes cannot be what their operator takes.

    Raises:
        ModelError: names the node and what is wrong with it.
    """
    versions = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}
    for node in nodes:
        _check_attributes(node, _schema(node, versions))


def _schema(node: onnx.NodeProto, versions: Mapping[str, int]) -> defs.OpSchema | None:
    domain = "" if node.domain == "ai.onnx" else node.domain
    version = min(max(versions.get(domain, 1), 1), defs.onnx_opset_version())
    try:
        schema = defs.get_schema(node.op_type, version, domain)
    except (defs.SchemaError, ValueError, TypeError):
        return None
    _check_counts(node, schema)
    return schema


def _check_counts(node: onnx.NodeProto, schema: defs.OpSchema) -> None:
    if not node.output:
        raise ModelError(f"{label(node)} has no output", hint=HINT)
    if not schema.min_input <= len(node.input) <= schema.max_input:
        allowed = f"{schema.min_input} to {schema.max_input}" if schema.max_input < 2**31 - 1 else schema.min_input
        raise ModelError(f"{label(node)} has {len(node.input)} inputs, expected {allowed}", hint=HINT)
    for place, name in enumerate(node.input):
        formal = schema.inputs[min(place, len(schema.inputs) - 1)]
        if not name and formal.option != defs.OpSchema.FormalParameterOption.Optional:
            raise ModelError(f"{label(node)}: its input {place} ({formal.name}) is missing", hint=HINT)


def _check_attributes(node: onnx.NodeProto, schema: defs.OpSchema | None) -> None:
    for entry in node.attribute:
        if isinstance(entry.name, bytes):  # how protobuf hands out what is no UTF-8
            raise ModelError(f"{label(node)}: the name {entry.name!r} of an attribute is no UTF-8 text", hint=HINT)
        expected = schema.attributes.get(entry.name) if schema is not None else None
        if schema is not None and expected is None and not entry.name.startswith("__"):
            raise ModelError(f"{label(node)}: {node.op_type} has no attribute {entry.name!r}", hint=HINT)
        wanted = _KINDS[expected.type] if expected is not None else entry.type
        if entry.ref_attr_name or entry.type != wanted or not _is_readable(entry):
            found = AttributeProto.AttributeType.Name(entry.type) if entry.type in _TYPES else entry.type
            named = f", expected {AttributeProto.AttributeType.Name(wanted)}" if expected is not None else ""
            raise ModelError(f"{label(node)}: its attribute {entry.name!r} is of type {found}{named}", hint=HINT)


_TYPES = frozenset(AttributeProto.AttributeType.values())
#: The number in a file of each type that a schema names.
_KINDS = {
    getattr(defs.OpSchema.AttrType, name): number
    for name, number in AttributeProto.AttributeType.items()
    if hasattr(defs.OpSchema.AttrType, name)
}


def _is_readable(entry: AttributeProto) -> bool:
    try:
        helper.get_attribute_value(entry)
    except ONNX_FAILURES:
        return False
    return True

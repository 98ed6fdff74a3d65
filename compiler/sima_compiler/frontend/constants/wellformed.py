"""Nodes that have what their operator's definition demands.

In: nodes and the operator set. Out: nothing, or an error that names the node. Always: more lenient than onnx's checker
where onnxruntime is too: attributes that a definition does not know are left alone, and so are operators that it does
not know; whoever reads a node afterwards may rely on its inputs, outputs and the types of its attributes.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import AttributeProto, defs

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.ordering import is_quantizer, label

#: Quantization has had these inputs since its first version.
OLDEST_QUANTIZER = 21
HINT = "the file is damaged; export the model again"


def check_nodes(nodes: Sequence[onnx.NodeProto], opset: int) -> None:
    """Check every node that ONNX defines.

    Raises:
        ModelError: too few or too many inputs or outputs, a required input that is empty, an attribute that is missing,
            given twice, or of another type.
    """
    schemas: dict[str, defs.OpSchema | None] = {}
    for node in nodes:
        if node.domain not in ("", "ai.onnx") and not is_quantizer(node, node.op_type):
            continue
        if node.op_type not in schemas:
            schemas[node.op_type] = _schema(node, opset)
        schema = schemas[node.op_type]
        if schema is not None:
            _check_counts(node, schema)
            _check_attributes(node, schema)


def _schema(node: onnx.NodeProto, opset: int) -> defs.OpSchema | None:
    version = max(opset, OLDEST_QUANTIZER) if is_quantizer(node, node.op_type) else opset
    try:
        return defs.get_schema(node.op_type, min(version, defs.onnx_opset_version()), "")
    except (defs.SchemaError, ValueError):
        return None


def _check_counts(node: onnx.NodeProto, schema: defs.OpSchema) -> None:
    for what, names, least, most in (
        ("inputs", node.input, schema.min_input, schema.max_input),
        ("outputs", node.output, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            wanted = str(least) if least == most else f"{least} to {most}" if most < 2**31 - 1 else f"at least {least}"
            raise _damaged(node, f"it has {len(names)} {what}, expected {wanted}")
    for name, formal in zip(node.input, schema.inputs, strict=False):
        if not name and formal.option == defs.OpSchema.FormalParameterOption.Single:
            raise _damaged(node, f"its input {formal.name!r} is missing")
    if node.output and not node.output[0] and schema.min_output:
        raise _damaged(node, "its result has no name")


def _check_attributes(node: onnx.NodeProto, schema: defs.OpSchema) -> None:
    given = {entry.name: entry for entry in node.attribute}
    if len(given) != len(node.attribute):
        raise _damaged(node, "an attribute is given twice")
    for name, formal in schema.attributes.items():
        entry = given.get(name)
        if entry is None:
            if formal.required:
                raise _damaged(node, f"its attribute {name!r} is missing")
        elif not entry.ref_attr_name:
            wanted, found = str(formal.type).rpartition(".")[2], _TYPES.get(entry.type, f"type {entry.type}")
            if found != wanted:
                raise _damaged(node, f"its attribute {name!r} is {found}, expected {wanted}")


_TYPES = {value: name for name, value in AttributeProto.AttributeType.items()}


def _damaged(node: onnx.NodeProto, found: str) -> ModelError:
    return ModelError(f"{label(node)}: {found}", hint=HINT)

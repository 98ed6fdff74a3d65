"""A host segment as text: one line per tensor and node, for people and goldens.

In: a `HostSegment`. Out: text. Always: the same segment gives the same text; constants by shape, type and checksum.
"""

from __future__ import annotations

from sima_compiler.ir.host import AttributeValue, HostNode, HostSegment, HostTensor
from sima_compiler.ir.text_values import array_text, shape_text
from sima_compiler.ir.verify_host import infer


def host_text(segment: HostSegment) -> str:
    """Inputs, constants, nodes with their results, outputs.

    Raises:
        HostError: the segment is not sound.
    """
    tensors = infer(segment)
    lines = [f"host segment {segment.name}"]
    lines += [f"input {_tensor(tensor)}" for tensor in segment.inputs]
    lines += [f"constant {name} {array_text(segment.constants[name])}" for name in sorted(segment.constants)]
    lines += [_node(node, tensors) for node in segment.nodes]
    lines += [f"output {tensor.name}" for tensor in segment.outputs]
    return "\n".join(lines) + "\n"


def _tensor(tensor: HostTensor) -> str:
    return f"{tensor.name} {shape_text(tensor.shape)} {tensor.dtype}"


def _node(node: HostNode, tensors: dict[str, HostTensor]) -> str:
    results = ", ".join(_tensor(tensors[name]) for name in node.outputs if name)
    details = [f"{name}={_value(value)}" for name, value in sorted(node.attributes.items())]
    operands = ", ".join(name or "-" for name in node.inputs)
    source = f" [{node.source}]" if node.source else ""
    return f"{results} = {node.op}({operands}) {' '.join(details)}".rstrip() + source


def _value(value: AttributeValue) -> str:
    return ",".join(map(str, value)) or "()" if isinstance(value, tuple) else str(value)

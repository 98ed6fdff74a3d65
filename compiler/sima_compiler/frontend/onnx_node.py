"""One node of the ONNX file with its attributes decoded, and the one way to refuse it.

In: a `NodeProto`. Out: a `SourceNode`. Always: errors name the node, its operator and, where one exists, the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import onnx

from sima_compiler.errors import ModelError, UnsupportedError


@dataclass(frozen=True, slots=True)
class SourceNode:
    """A node as the file wrote it. Missing optional inputs are empty strings."""

    operator: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def label(self) -> str:
        """How messages speak about the node."""
        return f"node {self.name!r} ({self.operator})"

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        return int(self.attributes.get(name, default))

    def real(self, name: str, default: float) -> float:
        """A float attribute."""
        return float(self.attributes.get(name, default))

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        value = self.attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list of integers, or None when the file leaves it out."""
        value = self.attributes.get(name)
        return None if value is None else tuple(int(entry) for entry in value)

    def unsupported(self, found: str, *, rule: str = "", hint: str = "") -> UnsupportedError:
        """The error for a node that is legal ONNX but that this compiler cannot lower."""
        message = f"{self.label}: {found}" + (f"; rule: {rule}" if rule else "")
        return UnsupportedError(message, node=self.name, operator=self.operator, rule=rule, hint=hint)

    def invalid(self, found: str) -> ModelError:
        """The error for a node that contradicts itself or the network."""
        return ModelError(f"{self.label}: {found}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A constraint: the sentence that users read, the predicate that decides, and what helps whoever breaks it."""

    sentence: str
    holds: Callable[..., bool]
    hint: str = ""

    def check(self, node: SourceNode, found: str, *values: object) -> None:
        """Refuse ``node`` when the rule does not hold for ``values``.

        Raises:
            UnsupportedError: with the rule's sentence.
        """
        if not self.holds(*values):
            raise node.unsupported(found, rule=self.sentence, hint=self.hint)


def source_node(proto: onnx.NodeProto, index: int) -> SourceNode:
    """Decode a node; an unnamed one is called after its operator and position."""
    return SourceNode(
        operator=proto.op_type,
        domain="" if proto.domain == "ai.onnx" else proto.domain,
        name=proto.name or f"{proto.op_type}_{index}",
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes={entry.name: onnx.helper.get_attribute_value(entry) for entry in proto.attribute},
    )

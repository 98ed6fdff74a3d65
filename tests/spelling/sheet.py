"""A model that is being rewritten: find producers and readers, put nodes in, keep names apart.

Rewrites keep the meaning of a file. They are written on the `onnx` records alone and take all random choices from the
generator they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

BYTE_TYPES = (np.dtype(np.int8), np.dtype(np.uint8))


class Sheet:
    """A copy of ``model`` to write on."""

    def __init__(self, model: onnx.ModelProto, random: np.random.Generator) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.random = random
        self._count = len(self.names())

    @property
    def graph(self) -> onnx.GraphProto:
        return self.model.graph

    @property
    def opset(self) -> int:
        return next(entry.version for entry in self.model.opset_import if entry.domain in ("", "ai.onnx"))

    def names(self) -> set[str]:
        """Every value name of the file."""
        found = {name for node in self.graph.node for name in (*node.input, *node.output)}
        return found | {entry.name for entry in (*self.graph.input, *self.graph.output, *self.graph.initializer)}

    def fresh(self, stem: str = "spelled") -> str:
        taken = self.names()
        while True:
            self._count += 1
            if (name := f"{stem}_{self._count}") not in taken:
                return name

    def nodes(self, *operators: str) -> list[onnx.NodeProto]:
        return [node for node in self.graph.node if not operators or node.op_type in operators]

    def initializers(self) -> dict[str, onnx.TensorProto]:
        return {entry.name: entry for entry in self.graph.initializer}

    def array(self, name: str) -> np.ndarray | None:
        entry = self.initializers().get(name)
        return None if entry is None else numpy_helper.to_array(entry)

    def constant(self, array: Any, stem: str = "constant") -> str:
        name = self.fresh(stem)
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def drop_constant(self, name: str) -> None:
        """Remove an initializer once nothing reads it."""
        if any(name in node.input for node in self.graph.node):
            return
        for entry in [entry for entry in self.graph.initializer if entry.name == name]:
            self.graph.initializer.remove(entry)

    def producer(self, name: str) -> onnx.NodeProto | None:
        return next((node for node in self.graph.node if name in node.output), None)

    def readers(self, name: str) -> list[onnx.NodeProto]:
        return [node for node in self.graph.node if name in node.input]

    def is_output(self, name: str) -> bool:
        return any(entry.name == name for entry in self.graph.output)

    def node(self, operator: str, inputs: Iterable[str], outputs: Iterable[str], **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(operator, list(inputs), list(outputs), self.fresh("node"), **attributes)

    def put_before(self, place: onnx.NodeProto, *nodes: onnx.NodeProto) -> None:
        """Insert ``nodes`` in front of the node that stands in the graph."""
        self._splice(place, [*nodes, place])

    def put_behind(self, place: onnx.NodeProto, *nodes: onnx.NodeProto) -> None:
        self._splice(place, [place, *nodes])

    def replace(self, place: onnx.NodeProto, *nodes: onnx.NodeProto) -> None:
        """``nodes`` instead of the one that stands in the graph."""
        self._splice(place, list(nodes))

    def _splice(self, place: onnx.NodeProto, nodes: list[onnx.NodeProto]) -> None:
        """Insert around ``place``; nodes that were looked up before stay the ones of the graph."""
        at = next(index for index, node in enumerate(self.graph.node) if list(node.output) == list(place.output))
        kept = next((index for index, node in enumerate(nodes) if node is place), len(nodes))
        for node in reversed(nodes[kept + 1 :]):
            self.graph.node.insert(at + 1, node)
        if kept == len(nodes):
            self.graph.node.pop(at)
        for node in reversed(nodes[:kept]):
            self.graph.node.insert(at, node)

    def made_by(self, name: str, *chain: tuple[str, dict[str, Any], list[str]], source: Any) -> None:
        """Initializer ``name`` becomes what a chain of operators makes of ``source``, in front of its first reader.

        Each link is (operator, attributes, further inputs).
        """
        value, made = self.constant(source, "source"), list[onnx.NodeProto]()
        for index, (operator, attributes, further) in enumerate(chain):
            target = name if index == len(chain) - 1 else self.fresh()
            made.append(self.node(operator, [value, *further], [target], **attributes))
            value = target
        for entry in [entry for entry in self.graph.initializer if entry.name == name]:
            self.graph.initializer.remove(entry)
        for node in reversed(made):
            self.graph.node.insert(0, node)
        for entry in [entry for entry in self.graph.input if entry.name == name]:
            self.graph.input.remove(entry)

    def weights(self) -> Iterator[tuple[onnx.NodeProto, onnx.NodeProto, np.ndarray]]:
        """(operator, its weights' DequantizeLinear, the integers) of every product whose weights are plain."""
        for node in self.nodes("Conv", "Gemm", "MatMul"):
            source = self.producer(node.input[1])
            if source is not None and source.op_type == "DequantizeLinear":
                values = self.array(source.input[0])
                if values is not None and len(self.readers(source.output[0])) == 1:
                    yield node, source, values

    def zero_points(self) -> list[str]:
        """Initializers that are the zero point of a quantization, each once."""
        found = [node.input[2] for node in self.nodes("QuantizeLinear", "DequantizeLinear") if len(node.input) > 2]
        return [name for name in dict.fromkeys(found) if self.array(name) is not None]

    def scales(self) -> list[str]:
        """Initializers that are the scale of a quantization, each once."""
        found = [node.input[1] for node in self.nodes("QuantizeLinear", "DequantizeLinear")]
        return [name for name in dict.fromkeys(found) if self.array(name) is not None]

    def some(self, items: Iterable[Any]) -> list[Any]:
        """All items, or in a third of the cases each one: order kept."""
        listed = list(items)
        if not listed or self.random.random() > 0.3:
            return listed
        return [listed[int(self.random.integers(len(listed)))]]


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """The value of an attribute."""
    return next((helper.get_attribute_value(item) for item in node.attribute if item.name == name), default)


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    """Write an attribute; None removes it."""
    kept = [item for item in node.attribute if item.name != name]
    copies = [onnx.AttributeProto.FromString(item.SerializeToString()) for item in kept]
    del node.attribute[:]
    node.attribute.extend(copies)
    if value is not None:
        node.attribute.append(helper.make_attribute(name, value))


Rewrite = Callable[[Sheet], None]

"""Names for what the frontend makes itself.

In: a model. Out: names that no value and no node of it has. Always: a made-up name never meets one of the file's, for
the file may call its own tensors anything, also what we would have called ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx


class Names:
    """The names that a model uses; grows with every name handed out. Values and nodes share one set."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}  # by stem, so that many names of one stem stay cheap

    @classmethod
    def of(cls, model: onnx.ModelProto) -> Names:
        """Names that are free in ``model``, its subgraphs included."""
        return cls(_names(model.graph))

    def fresh(self, stem: str) -> str:
        """``stem`` when it is free, else ``stem`` with the first number that is."""
        name, number = stem, self._next.get(stem, 0)
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._next[stem] = number
        self._taken.add(name)
        return name


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    for entry in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        yield entry.name
    for entry in graph.sparse_initializer:
        yield entry.values.name
    for node in graph.node:
        yield node.name
        yield from node.input
        yield from node.output
        for body in subgraphs(node):
            yield from _names(body)


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The bodies of a control flow node."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs

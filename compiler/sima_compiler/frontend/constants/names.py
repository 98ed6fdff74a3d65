"""Names for what the frontend makes itself.

In: a model. Out: names that no value and no node of it has. Always: a made-up name never meets one of the file's, for
the file may call its own tensors anything, also what we would have called ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from sima_compiler.errors import ModelError


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


def check_text(model: onnx.ModelProto) -> None:
    """Every name is text: protobuf hands out bytes for what is no UTF-8, or raises.

    Raises:
        ModelError: one is not.
    """
    try:
        texts = [model.producer_name, model.graph.name, *_texts(model.graph)]
        texts += [entry.domain for entry in model.opset_import]
        texts += [text for function in model.functions for text in (function.name, function.domain)]
        texts += [text for entry in model.metadata_props for text in (entry.key, entry.value)]
        bad = next((text for text in texts if not isinstance(text, str)), None)
    except UnicodeDecodeError as error:
        bad, cause = error.object, error
    else:
        cause = None
    if bad is not None:
        raise ModelError(f"the name {bad!r} is no UTF-8 text", hint="the file is damaged; export it again") from cause


def _texts(graph: onnx.GraphProto) -> Iterator[object]:
    yield from _names(graph)
    for node in graph.node:
        yield from (node.op_type, node.domain)
        for attribute in node.attribute:
            yield attribute.name
        for body in subgraphs(node):
            yield from _texts(body)
    for entry in (*graph.input, *graph.output):
        yield from (dim.dim_param for dim in entry.type.tensor_type.shape.dim)


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The bodies of a control flow node."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs

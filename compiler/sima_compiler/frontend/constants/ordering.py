"""Nodes in the order of the network's structure.

In: a graph whose nodes stand in any order. Out: the nodes that the outputs need, each behind what it reads: from the
outputs in their order, operands in theirs. Always: where a node stood in the file does not matter; every value is
written once; the depth of the network is not limited (no recursion).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.names import subgraphs


def ordered_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that reach an output, in structural order.

    Raises:
        ModelError: a value that is written twice or by nobody, or nodes that wait for each other.
    """
    producers = _producers(graph)
    given = _given(graph)
    ordered: list[onnx.NodeProto] = []
    done: set[int] = set()
    for output in graph.output:
        if output.name in producers:
            ordered += _reached(producers[output.name], producers, given, done)
        elif output.name not in given:
            raise ModelError(f"output {output.name!r} is produced by no node")
    return ordered


def arrange(graph: onnx.GraphProto) -> None:
    """Nodes in structural order and constants in the order of their first use, in place; what nobody reads goes.

    Raises:
        ModelError: as for `ordered_nodes`.
    """
    nodes = ordered_nodes(graph)
    constants = {entry.name: entry for entry in graph.initializer}
    used = dict.fromkeys(name for node in nodes for name in operands(node) if name in constants)
    used.update(dict.fromkeys(entry.name for entry in graph.output if entry.name in constants))
    if [*used] != [entry.name for entry in graph.initializer]:
        kept = [constants[name] for name in used]
        del graph.initializer[:]
        graph.initializer.extend(kept)
    del graph.node[:]
    graph.node.extend(nodes)


def _given(graph: onnx.GraphProto) -> set[str]:
    entries = {entry.name for entry in (*graph.input, *graph.initializer)}
    return entries | {entry.values.name for entry in graph.sparse_initializer}


def _producers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """Who writes each value."""
    writers: dict[str, str] = {}
    for kind, names in (
        ("an input", [entry.name for entry in graph.input]),
        ("an initializer", [entry.name for entry in graph.initializer]),
        ("a sparse initializer", [entry.values.name for entry in graph.sparse_initializer]),
    ):
        for name in names:
            # An initializer may also stand among the inputs: it is that input's default.
            if name in writers and (kind == writers[name] or writers[name] != "an input"):
                raise _written_twice(name, writers[name], kind)
            writers[name] = kind
    producers: dict[str, onnx.NodeProto] = {}
    for node in graph.node:
        for name in filter(None, node.output):
            if name in writers:
                raise _written_twice(name, writers[name], label(node))
            writers[name] = label(node)
            producers[name] = node
    return producers


def label(node: onnx.NodeProto) -> str:
    """How messages speak about a node."""
    return f"node {node.name or next(iter(node.output), '')!r} ({node.op_type})"


def _written_twice(name: str, first: str, second: str) -> ModelError:
    return ModelError(f"value {name!r} is written twice: by {first} and by {second}",
                      hint="the file is damaged; export the model again")  # fmt: skip


def _reached(
    last: onnx.NodeProto, producers: dict[str, onnx.NodeProto], given: set[str], done: set[int]
) -> Iterator[onnx.NodeProto]:
    """What ``last`` depends on and is not ``done`` yet, then ``last``."""
    waiting: set[int] = set()
    stack: list[tuple[onnx.NodeProto, Iterator[str]]] = []

    def enter(node: onnx.NodeProto) -> None:
        if id(node) in waiting:
            raise ModelError(f"{label(node)} reads what it makes itself, through other nodes: a cycle")
        if id(node) not in done:
            waiting.add(id(node))
            stack.append((node, iter(operands(node))))

    enter(last)
    while stack:
        node, rest = stack[-1]
        name = next((name for name in rest if name not in given), None)
        if name is None:
            stack.pop()
            waiting.discard(id(node))
            done.add(id(node))
            yield node
        elif name in producers:
            enter(producers[name])
        else:
            raise ModelError(f"{label(node)}: input {name!r} is produced by no earlier node")


def operands(node: onnx.NodeProto) -> Sequence[str]:
    """Names that the node reads, those that its bodies take from outside included."""
    names = [name for name in node.input if name]
    for body in subgraphs(node):
        names += captured(body)
    return names


def captured(graph: onnx.GraphProto) -> list[str]:
    """What a body reads from outside, in the order of its nodes."""
    own = {entry.name for entry in (*graph.input, *graph.initializer)}
    own |= {entry.values.name for entry in graph.sparse_initializer}
    own |= {name for node in graph.node for name in node.output}
    names = [name for node in graph.node for name in operands(node)]
    names += [entry.name for entry in graph.output]
    return [name for name in dict.fromkeys(names) if name and name not in own]


def is_standard(node: onnx.NodeProto, *operators: str) -> bool:
    """Whether the node is one of ONNX's own ``operators``."""
    return node.op_type in operators and node.domain in ("", "ai.onnx")


def is_quantizer(node: onnx.NodeProto, *operators: str) -> bool:
    """`is_standard` for QuantizeLinear and DequantizeLinear, which com.microsoft has too, with the same meaning."""
    known = node.op_type in operators and node.op_type in ("QuantizeLinear", "DequantizeLinear")
    return known and node.domain in ("", "ai.onnx", "com.microsoft")

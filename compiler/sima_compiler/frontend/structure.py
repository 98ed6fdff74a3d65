"""A graph whose order and inner names follow from its structure alone.

In: a graph in the order in which a file was read, its inner tensors called as the file calls them. Out: the same graph,
from the outputs in their order, operands in theirs, inner tensors called after the operator and its place. Always:
inputs and outputs keep their names, and nodes the name of their source; so two spellings of one network compile to the
same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from sima_compiler.frontend.constants.names import Names
from sima_compiler.ir.graph import Graph, Node


def structural(graph: Graph, boundary: Mapping[str, str], taken: Collection[str] = ()) -> Graph:
    """``graph`` in structural order, without nodes, tensors and inputs that no output needs.

    ``boundary``: what each input and output is called from here on; nothing else gets a name that is ``taken``.
    """
    nodes = _ordered(graph)
    names, called = Names((*boundary.values(), *taken)), dict(boundary)
    for place, node in enumerate(nodes):
        if node.output not in called:
            called[node.output] = names.fresh(f"{node.op.value.lower()}_{place}")
    needed = [*graph.inputs, *(node.output for node in nodes), *graph.outputs]
    reached = {name for node in nodes for name in (*node.inputs, node.output)} | set(graph.outputs)
    return replace(
        graph,
        inputs=tuple(called[name] for name in graph.inputs if name in reached),
        outputs=tuple(called[name] for name in graph.outputs),
        tensors={
            called[name]: replace(graph.tensors[name], name=called[name])
            for name in dict.fromkeys(needed)
            if name in reached
        },
        nodes=tuple(
            replace(node, inputs=tuple(called[name] for name in node.inputs), output=called[node.output])
            for node in nodes
        ),
    )


def _ordered(graph: Graph) -> list[Node]:
    """Depth first, without recursion: networks are thousands of nodes deep."""
    producers = {node.output: node for node in graph.nodes}
    ordered: list[Node] = []
    done: set[str] = set(graph.inputs)
    for output in graph.outputs:
        stack = [output]
        while stack:
            name = stack[-1]
            missing = [] if name in done else [part for part in producers[name].inputs if part not in done]
            if missing:
                stack.append(missing[0])
                continue
            stack.pop()
            if name not in done:
                done.add(name)
                ordered.append(producers[name])
    return ordered

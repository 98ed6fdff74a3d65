"""Functions of one byte: chains and small diamonds of the graph that depend on one tensor's byte become one table.

In: a `Graph`. Out: `Step` records in execution order, one per remaining operation. Because every tensor between is
int8, a table of 256 entries that composes the operators' own tables gives exactly their bytes.

::

    before: Mul(q, Sigmoid(q))                          after: one step "swish" on q
    before: Mul(x, Mul(Clip(Add(x, 3), 0, 6), 1 / 6))   after: one step on x

Checks: a tensor in the middle disappears only when nothing else reads it and it is no output of the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.arithmetic import BINARY_OPS
from sima_compiler.ir.graph import (
    UNARY_OPS,
    ActivationAttributes,
    Graph,
    Int8Array,
    Node,
    Op,
    RealAverageAttributes,
    TableAttributes,
    Tensor,
)

#: Names in lower case, as they appear in a layer's name.
_NAMES = {
    Op.LEAKY_RELU: "leaky_relu",
    Op.HARD_SIGMOID: "hard_sigmoid",
    Op.HARD_SWISH: "hard_swish",
    Op.REAL_ADD: "add",
    Op.REAL_MUL: "mul",
}
#: A diamond whose one side is the tensor itself, by the other side's name.
_DIAMONDS = {"sigmoid": "swish", "hard_sigmoid": "hard_swish"}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation to lower. With a ``table`` it is the byte function ``inputs[0]`` -> ``output``; without, ``node``.

    ``covers`` names the graph's nodes that it stands for, ``sources`` their names in the model file.
    """

    node: Node
    inputs: tuple[str, ...]
    output: str
    parts: tuple[str, ...]
    sources: tuple[str, ...]
    covers: frozenset[str]
    table: Int8Array | None = None


def readers_of(graph: Graph) -> dict[str, frozenset[str]]:
    """Names of the nodes that read each tensor; an output of the graph is read by "" too."""
    found: dict[str, set[str]] = {name: set() for name in graph.tensors}
    for node in graph.nodes:
        for name in node.inputs:
            found[name].add(node.name)
    for name in graph.outputs:
        found[name].add("")
    return {name: frozenset(readers) for name, readers in found.items()}


def fold_byte_functions(graph: Graph) -> tuple[Step, ...]:
    """The graph's nodes as steps, every chain and diamond of byte functions joined into one table."""
    readers = readers_of(graph)
    functions: dict[str, Step] = {}
    steps: list[Step] = []
    for node in graph.nodes:
        step = _table_step(node, graph.tensors, functions, readers) or _plain_step(node)
        if step.table is not None:
            functions[node.output] = step
        steps.append(step)
    return _live(steps, graph.outputs)


def operator_part(op: Op) -> str:
    """An operator's name inside a layer's name."""
    return _NAMES.get(op, op.value.lower())


def _plain_step(node: Node) -> Step:
    return Step(node, node.inputs, node.output, (), _sources(node), frozenset({node.name}))


def _sources(node: Node) -> tuple[str, ...]:
    if isinstance(node.attributes, TableAttributes) and node.attributes.sources:
        return node.attributes.sources
    if isinstance(node.attributes, RealAverageAttributes):
        return (*node.attributes.sources, node.source or node.name)
    return (node.source or node.name,)


def _table_step(
    node: Node, tensors: Mapping[str, Tensor], functions: Mapping[str, Step], readers: Mapping[str, frozenset[str]]
) -> Step | None:
    if node.op in BINARY_OPS and node.constant is None:
        return _diamond(node, tensors, functions, readers)
    table = _own_table(node, tensors)
    if table is None:
        return None
    steps = node.attributes.steps if isinstance(node.attributes, TableAttributes) else (operator_part(node.op),)
    own = replace(_plain_step(node), parts=(*steps, *node.fused), table=table)
    before = functions.get(node.inputs[0])
    if before is None or readers[node.inputs[0]] != {node.name}:
        return own
    return _after(before, own)


def _own_table(node: Node, tensors: Mapping[str, Tensor]) -> Int8Array | None:
    """The table of a one-input node, None when its result depends on more than the byte."""
    source, target = tensors[node.inputs[0]], tensors[node.output]
    if node.op in UNARY_OPS:
        attributes = node.attributes if isinstance(node.attributes, ActivationAttributes) else None
        return arithmetic.lookup_table(node.op, attributes, source.quant, target.quant, node.clamp)
    if isinstance(node.attributes, TableAttributes):
        return node.attributes.tables[0] if len(node.attributes.tables) == 1 else None
    constant = node.constant
    if node.op not in BINARY_OPS or constant is None or constant.values.size != 1 or source.shape != target.shape:
        return None
    other = np.full(256, constant.values.reshape(-1)[0], np.int8)
    sides = [(arithmetic.ALL_BYTES, source.quant), (other, constant.quant)]
    (left, left_quant), (right, right_quant) = reversed(sides) if node.constant_first else sides
    return arithmetic.binary(BINARY_OPS[node.op], left, right, left_quant, right_quant, target.quant, node.clamp)


def _after(before: Step, own: Step) -> Step:
    if before.table is None or own.table is None:
        return own
    return Step(
        node=own.node,
        inputs=before.inputs,
        output=own.output,
        parts=before.parts + own.parts,
        sources=before.sources + own.sources,
        covers=before.covers | own.covers,
        table=arithmetic.apply_table(own.table, before.table),
    )


def _diamond(
    node: Node, tensors: Mapping[str, Tensor], functions: Mapping[str, Step], readers: Mapping[str, frozenset[str]]
) -> Step | None:
    """A two-operand node whose sides are byte functions of one tensor."""
    left, right = node.inputs
    for left_path in _paths(left, functions):
        for right_path in _paths(right, functions):
            roots = (_root(left, left_path), _root(right, right_path))
            if roots[0] == roots[1] and _private(node, left_path + right_path, readers):
                return _diamond_step(node, roots[0], left_path, right_path, tensors)
    return None


def _paths(tensor: str, functions: Mapping[str, Step]) -> Iterator[tuple[Step, ...]]:
    """Byte functions that lead to ``tensor``, last first: none, the one before it, the one before that, ..."""
    path: tuple[Step, ...] = ()
    yield path
    while tensor in functions:
        step = functions[tensor]
        path, tensor = (*path, step), step.inputs[0]
        yield path


def _root(tensor: str, path: tuple[Step, ...]) -> str:
    return path[-1].inputs[0] if path else tensor


def _private(node: Node, path: tuple[Step, ...], readers: Mapping[str, frozenset[str]]) -> bool:
    inside = frozenset({node.name}).union(*(step.covers for step in path))
    return all(readers[step.output] <= inside for step in path)


def _table_of(path: tuple[Step, ...]) -> Int8Array:
    table = arithmetic.ALL_BYTES
    for step in reversed(path):
        if step.table is not None:
            table = arithmetic.apply_table(step.table, table)
    return table


def _diamond_step(
    node: Node, root: str, left: tuple[Step, ...], right: tuple[Step, ...], tensors: Mapping[str, Tensor]
) -> Step:
    quants = (tensors[node.inputs[0]].quant, tensors[node.inputs[1]].quant, tensors[node.output].quant)
    table = arithmetic.binary(BINARY_OPS[node.op], _table_of(left), _table_of(right), *quants, node.clamp)
    inner = _distinct(left, right)
    parts = tuple(part for step in inner for part in step.parts)
    name = _DIAMONDS.get(parts[0]) if len(parts) == 1 and node.op is Op.MUL and not (left and right) else None
    return Step(
        node=node,
        inputs=(root,),
        output=node.output,
        parts=((name,) if name else (*parts, operator_part(node.op))) + node.fused,
        sources=(*(source for step in inner for source in step.sources), *_sources(node)),
        covers=frozenset({node.name}).union(*(step.covers for step in inner)),
        table=table,
    )


def _distinct(left: tuple[Step, ...], right: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps of both paths in execution order, each once."""
    return tuple({step.output: step for step in (*reversed(left), *reversed(right))}.values())


def _live(steps: list[Step], outputs: tuple[str, ...]) -> tuple[Step, ...]:
    """The steps whose results something still reads."""
    wanted = set(outputs)
    kept: list[Step] = []
    for step in reversed(steps):
        if step.output in wanted:
            kept.append(step)
            wanted |= set(step.inputs)
    return tuple(reversed(kept))

"""The network in as few segments as its processors allow.

In: the graph of all nodes of the MLA, the nodes of the A65, and what crosses between them. Out: a `Network`. Always:
every node runs as soon as its processor has its turn, which is what makes the fewest turns; nothing that no output
needs is left; a tensor may pass over any number of segments.

::

    before: conv -> TopK -> Add with conv, conv -> conv     after: MLA_0 (both convs), APU_1 (TopK, Add)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sima_compiler.frontend.host_nodes import HostConstant
from sima_compiler.ir.graph import Graph, Node
from sima_compiler.ir.host import HostNode
from sima_compiler.ir.network import HostPart, Network, NetworkSegment, Placement, Port


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One node of either processor: which tensors it reads and makes."""

    node: Node | HostNode
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    constants: Mapping[str, HostConstant] = field(default_factory=dict[str, HostConstant])
    placement: Placement | None = None

    @property
    def on_mla(self) -> bool:
        """Whether the MLA runs it."""
        return isinstance(self.node, Node)


def mla_steps(graph: Graph) -> list[Step]:
    """The graph's nodes."""
    return [Step(node, node.inputs, (node.output,)) for node in graph.nodes]


def host_step(
    node: HostNode, constants: Mapping[str, HostConstant], called: Mapping[str, str], placement: Placement | None
) -> Step:
    """A node of the A65 with what it reads ``called`` as the network does."""
    own = replace(node, inputs=tuple(called.get(name, name) for name in node.inputs))
    reads = tuple(name for name in own.inputs if name and name not in constants)
    held = {name: value for name, value in constants.items() if name in own.inputs}
    return Step(own, reads, tuple(name for name in own.outputs if name), held, placement)


def in_segments(graph: Graph, steps: Sequence[Step], ports: Sequence[Port], outputs: Sequence[str]) -> Network:
    """The network of ``steps``, all of the graph's among them."""
    steps = _needed(steps, outputs)
    levels = min((_levels(steps, first_on_mla=first) for first in (True, False)), key=lambda found: len(set(found)))
    groups: list[list[Step]] = [[] for _ in range(max(levels) + 1)]
    for step, level in zip(steps, levels, strict=True):
        groups[level].append(step)
    groups = [group for group in groups if group]
    segments: list[NetworkSegment] = []
    for place, group in enumerate(groups):
        later = {name for other in groups[place + 1 :] for step in other for name in step.reads}
        leaving = tuple(name for step in group for name in step.writes if name in later or name in outputs)
        make = _graph if group[0].on_mla else _part
        segments.append(make(graph, place, group, _in_order(leaving, outputs)))
    read = {name for step in steps for name in step.reads} | set(outputs)
    return Network(
        name=graph.name,
        inputs=tuple(port for port in ports if port.name in read),
        outputs=tuple(outputs),
        segments=tuple(segments),
        batch=graph.batch,
        warnings=graph.warnings,
    )


def _needed(steps: Sequence[Step], outputs: Iterable[str]) -> list[Step]:
    """The steps that an output depends on, each behind those that it reads."""
    makers = {name: step for step in steps for name in step.writes}
    ordered: dict[int, Step] = {}
    for output in outputs:
        stack = [makers[output]] if output in makers else []
        while stack:
            step = stack[-1]
            missing = [makers[name] for name in step.reads if name in makers and id(makers[name]) not in ordered]
            if missing:
                stack.append(missing[0])
                continue
            ordered.setdefault(id(stack.pop()), step)
    return list(ordered.values())


def _levels(steps: Sequence[Step], *, first_on_mla: bool) -> list[int]:
    """The turn in which each step runs, as early as what it reads allows; turns alternate between the processors."""
    made: dict[str, tuple[int, bool]] = {}
    levels: list[int] = []
    for step in steps:
        level = 0 if step.on_mla == first_on_mla else 1
        for name in step.reads:
            if name in made:
                before, on_mla = made[name]
                level = max(level, before + (on_mla != step.on_mla))
        made |= dict.fromkeys(step.writes, (level, step.on_mla))
        levels.append(level)
    return levels


def _in_order(leaving: Sequence[str], outputs: Sequence[str]) -> tuple[str, ...]:
    """Outputs of the network first, in its order."""
    return tuple(dict.fromkeys([*(name for name in outputs if name in leaving), *leaving]))


def _entering(group: Sequence[Step]) -> tuple[str, ...]:
    made = {name for step in group for name in step.writes}
    return tuple(dict.fromkeys(name for step in group for name in step.reads if name not in made))


def _graph(graph: Graph, place: int, group: Sequence[Step], outputs: tuple[str, ...]) -> Graph:
    del place  # graphs are named after the network, their segments when they are compiled
    inputs = set(_entering(group))
    ordered = [*(name for name in graph.inputs if name in inputs), *sorted(inputs - set(graph.inputs))]
    nodes = tuple(step.node for step in group if isinstance(step.node, Node))
    used = dict.fromkeys([*ordered, *(node.output for node in nodes)])
    return replace(
        graph,
        inputs=tuple(ordered),
        outputs=outputs,
        tensors={name: graph.tensors[name] for name in used},
        nodes=nodes,
        cut=(),
        warnings=(),
    )


def _part(graph: Graph, place: int, group: Sequence[Step], outputs: tuple[str, ...]) -> HostPart:
    del graph
    constants = {name: value for step in group for name, value in step.constants.items()}
    placements = dict.fromkeys(step.placement for step in group if step.placement)
    return HostPart(
        name=f"APU_{place}",
        nodes=tuple(step.node for step in group if isinstance(step.node, HostNode)),
        constants=constants,
        inputs=_entering(group),
        outputs=outputs,
        placements=tuple(placements),
    )

"""What one reading found, put together: a `Network`, and the graph of all nodes of the MLA.

In: the reader, the A65's nodes if there are any, and the value of every output. Out: both. Always: without a node of
the A65 the network is one segment, the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx

from sima_compiler.frontend.hosting import HostedNode, Hosting
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.segments import Step, host_step, in_segments, mla_steps
from sima_compiler.frontend.values import Activation, Cut, Hosted, Value
from sima_compiler.frontend.work import inferred_shapes, node_work, total_work
from sima_compiler.ir.graph import Graph
from sima_compiler.ir.network import Network, Placement, Port, network_of


@dataclass(frozen=True, slots=True, eq=False)
class Assembly:
    """Everything of one reading; ``inputs`` are those that the file declares."""

    model: onnx.ModelProto
    reader: Reader
    hosting: Hosting | None
    name: str
    inputs: Sequence[str]
    batch: int

    def network(self, results: Sequence[tuple[str, Value]]) -> tuple[Network, Graph, dict[str, str]]:
        """The network whose outputs are ``results``, its nodes of the MLA, and by tensor that the A65 reads of them the
        value of the file that it is.
        """
        hosting = self.hosting
        if hosting is None or not hosting.nodes:
            graph = self.reader.builder.finish(self.name, self.inputs, results, self.batch)
            return network_of(graph), graph, {}
        labels = {
            name: self._label(name, results) for name, read in hosting.reads.items() if isinstance(read, Activation)
        }
        crossing = [
            (labels[name], Cut(read, (), name)) for name, read in hosting.reads.items() if isinstance(read, Activation)
        ]
        own = [(label, value) for label, value in results if not isinstance(value, Hosted)]
        entering = [*self.inputs, *hosting.entries]
        taken = {name for place in hosting.nodes for name in hosting.nodes[place].source.outputs}
        graph = self.reader.builder.finish(self.name, entering, [*own, *crossing], self.batch, taken)
        called = {name: self.reader.builder.output_names[label] for name, label in labels.items()}
        outputs = [self.reader.builder.output_names.get(label, label) for label, _ in results]
        steps = [*mla_steps(graph), *self._host_steps(hosting, called)]
        crossing = {tensor: name for name, tensor in called.items()}
        return in_segments(graph, steps, self._ports(graph, hosting), tuple(dict.fromkeys(outputs))), graph, crossing

    @staticmethod
    def _label(name: str, results: Sequence[tuple[str, Value]]) -> str:
        """A key for what the A65 reads, beside those of the outputs."""
        known = {label for label, _ in results}
        while name in known:
            name = f"{name}/read"
        return name

    def _ports(self, graph: Graph, hosting: Hosting) -> list[Port]:
        """Every input that anything reads."""
        ports: list[Port] = []
        for name in self.inputs:
            read = hosting.reads.get(name)
            if name in graph.inputs:
                ports.append(Port(name, graph.tensors[name].shape))
            elif read is not None:
                ports.append(Port(name, read.shape, hosting.dtype(name)))
        return ports

    def _host_steps(self, hosting: Hosting, called: Mapping[str, str]) -> Iterator[Step]:
        shapes = inferred_shapes(self.model)
        total = total_work(self.model, shapes)
        for place, found in hosting.nodes.items():
            placement = placement_of(found, node_work(self.model.graph.node[place], shapes), total)
            for node in found.form.nodes:
                yield host_step(node, found.form.constants, called, placement)
        for node, constants in hosting.extra:
            yield host_step(node, constants, called, None)


def placement_of(found: HostedNode, macs: int, total: int) -> Placement:
    """Why a node runs on the A65; the network has ``total`` multiply-accumulates."""
    reason = found.reason[:1].upper() + found.reason[1:]
    return Placement(
        node=found.source.name,
        operator=found.source.operator,
        processor="A65",
        reason=reason,
        rule=found.rule,
        remedy=found.hint,
        macs=macs,
        share=round(macs / total, 6) if total else 0.0,
    )

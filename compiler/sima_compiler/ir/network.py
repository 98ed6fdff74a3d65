"""A whole network: segments of the MLA and of the Cortex-A65 in the order in which they run.

A segment of the MLA is a `Graph` of its own; one of the A65 is a `HostPart`, operators whose shapes wait for the batch.
What goes from one to another has one name everywhere. Always holds: a segment reads inputs of the network and tensors
of segments in front of it, of any of them; bytes leave the MLA dequantized and enter it quantized.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sima_compiler.errors import UnsupportedError
from sima_compiler.ir.graph import Graph
from sima_compiler.ir.host import Array, Dtype, HostNode, HostSegment, HostTensor
from sima_compiler.ir.host_rules.use import Value
from sima_compiler.ir.verdict import HostedWork, verdict_of
from sima_compiler.ir.verify_host import results


@dataclass(frozen=True, slots=True, eq=False)
class BatchArray:
    """A constant that depends on the batch: ``base`` + batch * ``slope``, both int64."""

    base: Array
    slope: Array

    def at(self, batch: int) -> Array:
        """The array for one batch."""
        return np.asarray(self.base + batch * self.slope)


@dataclass(frozen=True, slots=True)
class Port:
    """An input of the network: ``shape`` is per sample."""

    name: str
    shape: tuple[int, ...]
    dtype: Dtype = Dtype.FLOAT32


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a node of the file runs and why: the ``rule`` that it breaks on the MLA, ``reason`` in a whole sentence.

    ``macs`` are multiply-accumulates of one sample and ``share`` their part of the network's; ``remedy`` is what would
    move it to the MLA.
    """

    node: str
    operator: str
    processor: str
    reason: str
    rule: str = ""
    remedy: str = ""
    macs: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class HostPart:
    """Nodes of the A65 in order, for any batch. ``inputs`` and ``outputs`` name tensors of the network."""

    name: str
    nodes: tuple[HostNode, ...]
    constants: Mapping[str, Array | BatchArray]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    placements: tuple[Placement, ...] = ()


NetworkSegment = Graph | HostPart


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Segments in order. ``outputs`` are called as the file calls them; ``inputs`` are those that reach one.

    ``cut`` describes operators at the outputs that are left out.
    """

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]
    segments: tuple[NetworkSegment, ...]
    batch: int = 0
    warnings: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """The segments of the MLA."""
        return tuple(segment for segment in self.segments if isinstance(segment, Graph))

    @property
    def parts(self) -> tuple[HostPart, ...]:
        """The segments of the A65."""
        return tuple(segment for segment in self.segments if isinstance(segment, HostPart))

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Every node that does not run on the MLA."""
        return tuple(placement for part in self.parts for placement in part.placements)

    @property
    def verdict(self) -> str:
        """Segments and host layers in one line."""
        hosted = [HostedWork(found.operator, found.node, found.share) for found in self.placements]
        return verdict_of(len(self.graphs), len(self.parts), hosted)


def network_of(graph: Graph) -> Network:
    """A graph as a network of its own."""
    ports = tuple(Port(name, graph.tensors[name].shape) for name in graph.inputs)
    return Network(graph.name, ports, graph.outputs, (graph,), graph.batch, graph.warnings, graph.cut)


def mla_alone(network: Network) -> Network:
    """The network up to the last tensors of the MLA; ``cut`` says what is left out.

    Raises:
        UnsupportedError: the MLA reads what the A65 makes, so that it cannot end in front of it.
    """
    if not network.parts:
        return network
    if len(network.graphs) != 1 or not isinstance(network.segments[0], Graph):
        first = network.parts[0].placements[0]
        raise UnsupportedError(
            f"node {first.node!r} ({first.operator}) runs on the A65 between segments of the MLA, which cannot end in "
            f"front of it: {network.verdict}",
            node=first.node,
            operator=first.operator,
            rule=first.rule,
            hint="leave --mla-only out, or end the network in front of the node with --cut-at",
        )
    (graph,) = network.graphs
    (part,) = network.parts
    after = ", ".join(map(repr, part.inputs))
    cut = tuple(f"{found.operator} {found.node!r} after {after}" for found in part.placements)
    return replace(network_of(replace(graph, cut=cut, warnings=network.warnings)), batch=network.batch)


def host_segments(network: Network, batch: int) -> Iterator[HostSegment]:
    """The A65's segments with their shapes for ``batch``, in order.

    Raises:
        HostError: an operator contradicts its operands at this batch.
    """
    known = {port.name: HostTensor(port.name, (batch, *port.shape), port.dtype) for port in network.inputs}
    for segment in network.segments:
        if isinstance(segment, Graph):
            for name in segment.outputs:
                known[name] = HostTensor(name, (batch, *segment.tensors[name].shape), Dtype.FLOAT32)
            continue
        found = host_segment(segment, known, batch)
        known |= {tensor.name: tensor for tensor in found.outputs}
        yield found


def output_shapes(network: Network) -> dict[str, tuple[int | str, ...]]:
    """Whole shapes of what the A65 makes, by name: a size that grows with the batch is called after what it is at one
    and two samples; the batch itself is ``batch``.
    """
    first, second = (
        {tensor.name: tensor.shape for part in host_segments(network, batch) for tensor in part.outputs}
        for batch in (1, 2)
    )
    return {
        name: tuple(_open_size(*sizes) for sizes in zip(shape, second[name], strict=True))
        for name, shape in first.items()
    }


def _open_size(one: int, two: int) -> int | str:
    if one == two:
        return one
    return "batch" if (one, two) == (1, 2) else f"of_{one}_per_sample"


def host_segment(part: HostPart, known: Mapping[str, HostTensor], batch: int) -> HostSegment:
    """One segment, given the tensors that it reads.

    Raises:
        HostError: an operator contradicts its operands at this batch.
    """
    inputs = tuple(known[name] for name in part.inputs)
    constants = {name: at_batch(value, batch) for name, value in part.constants.items()}
    tensors = tensors_made(part.nodes, inputs, constants)
    return HostSegment(part.name, inputs, tuple(tensors[name] for name in part.outputs), part.nodes, constants)


def at_batch(value: Array | BatchArray, batch: int) -> Array:
    """A constant for one batch."""
    return value.at(batch) if isinstance(value, BatchArray) else value


def tensors_made(
    nodes: Sequence[HostNode], inputs: Sequence[HostTensor], constants: Mapping[str, Array]
) -> dict[str, HostTensor]:
    """Inputs and what the nodes make of them, by name.

    Raises:
        HostError: a node breaks a rule of its operator.
    """
    values = {tensor.name: Value(tensor.shape, tensor.dtype) for tensor in inputs}
    values |= {name: Value(array.shape, Dtype(array.dtype.name), array) for name, array in constants.items()}
    for node in nodes:
        values |= {name: value for name, value in zip(node.outputs, results(node, values), strict=False) if name}
    return {name: HostTensor(name, value.shape, value.dtype) for name, value in values.items()}

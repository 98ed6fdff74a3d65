"""What an archive holds, made of a network that is lowered and negotiated.

In: the network, its MLA segments as layers, the agreed batch size with a plan for each. Out: a `Built`, and from it the
members of the archive. Always holds: stages are numbered over both processors; tensors have one name in all members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sima_compiler import a65
from sima_compiler.agreement import Agreement
from sima_compiler.archive.mpk import build_mpk, dump_mpk
from sima_compiler.archive.mpk_description import (
    HostSegmentDescription,
    HostTensorDescription,
    MlaSegment,
    MpkDescription,
    TensorDescription,
)
from sima_compiler.archive.report import dump_report
from sima_compiler.archive.report_records import CompileReport
from sima_compiler.archive.stats import MlaStats
from sima_compiler.bounds.loads import layer_loads, weight_sizes
from sima_compiler.bounds.total import segment_bounds
from sima_compiler.ir.graph import Graph
from sima_compiler.ir.host import HostSegment, HostTensor
from sima_compiler.ir.host_layout import in_storage_order
from sima_compiler.ir.layers import FeatureMap, Layout, Segment
from sima_compiler.ir.network import HostPart, Network, host_segments
from sima_compiler.ir.verdict import MOST_NAMED
from sima_compiler.machine.description import Machine
from sima_compiler.negotiate import Negotiation
from sima_compiler.pipeline import ConstantStore, Target, assemble, lower
from sima_compiler.reporting.facts import HostFacts, ReportFacts
from sima_compiler.reporting.hosts import part_layers
from sima_compiler.reporting.joining import WholeCompile
from sima_compiler.tessellation import check_layouts

Member = tuple[str, bytes]
#: Part of the network's multiply-accumulates from which a host layer is warned about: below it, it is a tail's.
HEAVY_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Lowered:
    """An MLA segment as layers, which count from ``first``; tensors that are ``direct`` need no (de)tessellation."""

    segment: Segment
    first: int
    direct: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class BuiltMla:
    """A program of the MLA with everything that is known about it."""

    facts: ReportFacts
    lm: bytes
    direct: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class BuiltHost:
    """A library of the A65."""

    facts: HostFacts
    segment: HostSegment
    so: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """Everything that is known before the archive is put together; ``stages`` in the order of execution."""

    network: Network
    stages: tuple[BuiltMla | BuiltHost, ...]
    whole: WholeCompile


def lowered_segments(network: Network, machine: Machine, layouts: Mapping[str, Layout]) -> tuple[Lowered, ...]:
    """Every MLA segment as layers: one counter over layers, one over the segments of both processors.

    ``layouts``: those that were asked for, by tensor.

    Raises:
        UnsupportedError: a node that no kernel covers, or a layout that a tensor cannot have.
    """
    found: list[Lowered] = []
    first = 0
    for place, segment in enumerate(network.segments):
        if isinstance(segment, Graph):
            plain = {name for other in network.graphs if other is not segment for name in other.inputs}
            (layers,) = lower(segment, machine, place=place, first=first, plain=plain, layouts=layouts).segments
            check_layouts(layers, layouts, machine.lanes)
            called = dict(zip(segment.outputs, layers.outputs, strict=True))
            found.append(Lowered(layers, first, frozenset(called.get(name, name) for name in layouts)))
            first += len(layers.layers)
    return tuple(found)


def build(
    network: Network, lowered: Sequence[Lowered], found: Agreement, target: Target, store: ConstantStore
) -> Built:
    """Programs of both processors.

    Raises:
        MissingExtraError: the network has host layers, and their cross compiler is not installed.
    """
    batch = found.whole.actual
    entering, leaving = _orders(lowered)
    hosts = host_segments(network, batch)
    programs = iter(zip(lowered, found.parts, strict=True))
    stages: list[BuiltMla | BuiltHost] = []
    for place, segment in enumerate(network.segments):
        stem = f"{network.name}_stage{place + 1}"
        if isinstance(segment, HostPart):
            host = in_storage_order(next(hosts), leaving, entering)
            stages.append(_built_host(segment, host, f"{stem}_a65.so", batch))
        else:
            part, plan = next(programs)
            stages.append(_built_mla(network.name, part, plan, target, store, f"{stem}_mla.lm"))
    return Built(network, tuple(stages), _whole(network, found, stages))


def _orders(lowered: Sequence[Lowered]) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """In which order the axes of what enters and of what leaves the MLA are stored, by tensor.

    An input of the network that the A65 reads too lies as the MLA wants it.
    """
    entering = {name: part.segment.maps[name].source_axes for part in lowered for name in part.segment.inputs}
    leaving = {name: part.segment.maps[name].source_axes for part in lowered for name in part.segment.outputs}
    return entering, entering | leaving


def _built_mla(
    name: str, part: Lowered, plan: Negotiation, target: Target, store: ConstantStore, file: str
) -> BuiltMla:
    segment, machine, quads, batch = part.segment, target.machine, target.quads, plan.actual
    loads = layer_loads(segment, weight_sizes(segment, store.least_bytes), machine, quads=quads, batch=batch)
    facts = ReportFacts(
        name=name,
        machine=machine,
        quads=quads,
        compress=target.compress,
        segment=segment,
        negotiation=plan,
        loads=loads,
        bounds=segment_bounds(segment, loads, machine, quads=quads, batch=batch),
        lm=file,
        first=part.first,
    )
    return BuiltMla(facts, assemble(plan.plan), part.direct)


def _built_host(part: HostPart, segment: HostSegment, file: str, batch: int) -> BuiltHost:
    layers = part_layers(part, batch)
    return BuiltHost(HostFacts(part.name, file, layers), segment, a65.build(segment))


def _whole(network: Network, found: Agreement, stages: Sequence[BuiltMla | BuiltHost]) -> WholeCompile:
    return WholeCompile(
        segments=tuple(stage.facts for stage in stages),
        negotiation=found.whole,
        verdict=network.verdict,
        cut=network.cut,
        warnings=(
            *network.warnings,
            *_heavy_host_layers(network),
            *(f"left to the host: {cut}" for cut in network.cut),
        ),
    )


def _heavy_host_layers(network: Network) -> Iterator[str]:
    """A sentence where the A65, a thousand times slower at products, has a part of the work that counts."""
    heavy = [found for found in network.placements if found.share >= HEAVY_SHARE]
    if heavy:
        share = 100 * sum(found.share for found in heavy)
        named = ", ".join(f"{found.operator} {found.node!r}" for found in heavy[:MOST_NAMED])
        more = f" and {len(heavy) - MOST_NAMED} more" if len(heavy) > MOST_NAMED else ""
        yield f"{share:.3g} % of the multiply-accumulates run on the A65: {named}{more}"


# --- members ----------------------------------------------------------------------------------------------------------


def members_of(built: Built, report: CompileReport, checksum: str) -> tuple[Member, ...]:
    """Names and contents; ``checksum`` is the source model's."""
    name = built.network.name
    return (
        (f"{name}_mpk.json", dump_mpk(build_mpk(_description(built, checksum)))),
        *(member for stage in built.stages for member in _stage_members(stage)),
        (f"{name}_compile_report.json", dump_report(report)),
    )


def _stage_members(stage: BuiltMla | BuiltHost) -> Iterator[Member]:
    if isinstance(stage, BuiltHost):
        yield stage.facts.so, stage.so
    else:
        yield stage.facts.lm, stage.lm
        yield f"{stage.facts.lm.removesuffix('.lm')}_stats.yaml", static_stats(stage.facts).to_yaml().encode()


def static_stats(facts: ReportFacts) -> MlaStats:
    """The static schedule: every layer's compute cycles, end to end, in order of the first command."""
    schedule = facts.schedule
    order = list(dict.fromkeys(command.layer for command in schedule.program.compute))
    rows: list[tuple[int, str, int, int]] = []
    clock = 0
    for index in order:
        cycles = schedule.layers[index].compute
        if cycles:
            rows.append((facts.first + index + 1, facts.segment.layers[index].name, clock, clock + cycles - 1))
            clock += cycles
    return MlaStats.from_columns(*zip(*rows, strict=True)) if rows else MlaStats.from_columns((), (), (), ())


def _description(built: Built, checksum: str) -> MpkDescription:
    network, negotiation = built.network, built.whole.negotiation
    segments = tuple(_described(stage) for stage in built.stages)
    called = _called(built)
    return MpkDescription(
        name=network.name,
        model_path=f"{network.name}.sima",
        model_checksum=checksum,
        desired_batch_size=negotiation.desired,
        actual_batch_size=negotiation.actual,
        quads=next(stage.facts.quads for stage in built.stages if isinstance(stage, BuiltMla)),
        inputs=tuple(_inputs(network, segments)),
        outputs=tuple(called.get(name, name) for name in network.outputs),
        segments=segments,
    )


def _called(built: Built) -> dict[str, str]:
    """Outputs that bear another name in the archive: those that are inputs too."""
    found: dict[str, str] = {}
    for graph, stage in zip(built.network.segments, built.stages, strict=True):
        if isinstance(graph, Graph) and isinstance(stage, BuiltMla):
            found |= dict(zip(graph.outputs, stage.facts.segment.outputs, strict=True))
    return found


def _inputs(
    network: Network, segments: Sequence[MlaSegment | HostSegmentDescription]
) -> Iterator[HostTensorDescription]:
    """The network's inputs as whoever reads them first has them."""
    for port in network.inputs:
        readers = (tensor for segment in segments for tensor in segment.inputs if tensor.name == port.name)
        tensor = next(readers)
        yield tensor.real if isinstance(tensor, TensorDescription) else tensor


def _described(stage: BuiltMla | BuiltHost) -> MlaSegment | HostSegmentDescription:
    if isinstance(stage, BuiltHost):
        inputs, outputs = (tuple(map(_host_tensor, side)) for side in (stage.segment.inputs, stage.segment.outputs))
        return HostSegmentDescription(stage.facts.name, stage.facts.so, inputs, outputs)
    segment, batch = stage.facts.segment, stage.facts.negotiation.actual
    inputs, outputs = (
        tuple(_tensor(segment.maps[name], name, batch, direct=name in stage.direct) for name in side)
        for side in (segment.inputs, segment.outputs)
    )
    return MlaSegment(segment.name, stage.facts.lm, inputs, outputs)


def _host_tensor(tensor: HostTensor) -> HostTensorDescription:
    return HostTensorDescription(tensor.name, tensor.shape, tensor.dtype.value)


def _tensor(found: FeatureMap, name: str, batch: int, *, direct: bool) -> TensorDescription:
    return TensorDescription(
        name=name,
        shape=(batch, found.rows, found.columns, found.channels),
        scale=found.quant.scale,
        zero_point=found.quant.zero_point,
        packed=found.layout is Layout.HWC,
        direct=direct,
    )

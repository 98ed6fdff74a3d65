"""One compile, from a graph to an archive on disk.

In: a `Graph` and the caller's options. Out: a `CompileResult`, and `<name>_mpk.tar.gz` in the output folder. The
archive appears whole or not at all; a folder that cannot be written is found out before the work starts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sima_compiler.archive.mpk import MlaSegment, MpkDescription, TensorDescription, build_mpk, dump_mpk
from sima_compiler.archive.mpk_document import MpkDocument
from sima_compiler.archive.package import write_archive
from sima_compiler.archive.reader import Archive
from sima_compiler.archive.report import dump_report
from sima_compiler.archive.report_records import PADDED_BOUND_ASSUMES
from sima_compiler.archive.stats import MlaStats
from sima_compiler.bounds.loads import LayerLoad, layer_loads, weight_sizes
from sima_compiler.bounds.total import segment_bounds
from sima_compiler.errors import OptionError
from sima_compiler.files.whole import check_name
from sima_compiler.folders import check_output_folder, output_folder
from sima_compiler.ir.graph import Graph
from sima_compiler.ir.layers import Layout, Segment
from sima_compiler.ir.schedule import STALLS, Schedule
from sima_compiler.machine.description import Machine
from sima_compiler.negotiate import Negotiation, negotiate
from sima_compiler.pipeline import ConstantStore, Target, assemble, lower
from sima_compiler.progress import Progress, ProgressCallback, silent
from sima_compiler.reporting.facts import ReportFacts
from sima_compiler.reporting.report import report_of

logger = logging.getLogger(__name__)

ARCHIVE_SUFFIX = "_mpk.tar.gz"


@dataclass(frozen=True, slots=True)
class CompileResult:
    """What a compile gave. Cycles are for one run of the whole actual batch; names equal the JSON keys of ``simac``.

    ``folder_created`` tells whether the output folder was made for it.
    """

    path: Path
    desired_batch_size: int
    actual_batch_size: int
    compute_cycles: int
    runtime_cycles: int
    bound_cycles: int
    padded_bound_cycles: int
    efficiency: float
    stall_cycles: Mapping[str, int]
    files: tuple[Mapping[str, object], ...]
    plugins: Mapping[str, int]
    warnings: tuple[str, ...]
    reason: str
    folder_created: bool

    @property
    def archive(self) -> Archive:
        """The archive, opened."""
        return Archive.open(self.path)

    def to_dict(self) -> dict[str, object]:
        """The keys that ``simac compile --json`` prints."""
        return {
            "path": str(self.path),
            "desired_batch_size": self.desired_batch_size,
            "actual_batch_size": self.actual_batch_size,
            "compute_cycles": self.compute_cycles,
            "runtime_cycles": self.runtime_cycles,
            "bound_cycles": self.bound_cycles,
            "padded_bound_cycles": self.padded_bound_cycles,
            "padded_bound_assumes": PADDED_BOUND_ASSUMES,
            "efficiency": self.efficiency,
            "stall_cycles": dict(self.stall_cycles),
            "files": [dict(file) for file in self.files],
            "plugins": dict(self.plugins),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How to compile; sizes are checked by `check_options`. ``levers``: plan what would help the batch size, too."""

    output_path: Path
    batch_size: int
    compress: bool
    machine: Machine
    quads: int
    source_checksum: str
    progress: ProgressCallback | None = None
    exact: bool = False
    levers: bool = False


@dataclass(frozen=True, slots=True)
class _Built:
    """Everything that is known before the archive is put together."""

    graph: Graph
    segment: Segment
    negotiation: Negotiation
    loads: tuple[LayerLoad, ...]
    lm: bytes


def compile_graph(graph: Graph, options: CompileOptions) -> CompileResult:
    """Compiles and writes the archive.

    Raises:
        OptionError: batch size or quads out of range.
        OutputError: the folder neither exists nor can be made, or cannot be written to.
        UnsupportedError: a node that cannot be lowered. DoesNotFitError: not even one sample fits.
    """
    check_options(options)
    check_output_folder(options.output_path)
    check_name(archive_path(graph, options))
    progress = options.progress or silent
    progress(Progress("lower", 0, 1))
    layers = lower(graph, options.machine)
    (segment,) = layers.segments
    progress(Progress("lower", 1, 1))
    target = Target(options.machine, options.quads, options.compress, options.exact)
    store = ConstantStore(compress=options.compress)
    found = negotiate(
        segment, target, options.batch_size, store, lambda done, total: progress(Progress("plan", done, total))
    )
    if options.levers:
        from sima_compiler.levers import planned_levers, with_levers

        tried = planned_levers(
            graph, target, options.batch_size, lambda done, total: progress(Progress("levers", done, total))
        )
        found = with_levers(found, tried)
    progress(Progress("encode", 0, 1))
    sizes = weight_sizes(segment, store.least_bytes)
    loads = layer_loads(segment, sizes, options.machine, quads=options.quads, batch=found.actual)
    built = _Built(graph, segment, found, loads, assemble(found.plan))
    progress(Progress("encode", 1, 1))
    return _write(built, options, progress)


def archive_path(graph: Graph, options: CompileOptions) -> Path:
    """Where the archive goes."""
    return options.output_path / f"{graph.name}{ARCHIVE_SUFFIX}"


def check_options(options: CompileOptions) -> None:
    """Refuses sizes that mean nothing."""
    if options.batch_size < 1:
        raise OptionError(f"batch_size must be at least 1, found {options.batch_size}")
    if not 1 <= options.quads <= options.machine.quads:
        raise OptionError(
            f"quads must be from 1 to {options.machine.quads} on {options.machine.name}, found {options.quads}"
        )


def _write(built: _Built, options: CompileOptions, progress: ProgressCallback) -> CompileResult:
    progress(Progress("archive", 0, 1))
    facts = _facts(built, options)
    members = _members(built, options, facts)
    path = archive_path(built.graph, options)
    with output_folder(options.output_path) as is_new:
        write_archive(path, members)
    if is_new:
        logger.info("created the folder %s", options.output_path)
    progress(Progress("archive", 1, 1))
    logger.info("%s: %s", path.name, built.negotiation.reason)
    schedule = built.negotiation.plan.schedule
    return CompileResult(
        path=path,
        desired_batch_size=built.negotiation.desired,
        actual_batch_size=built.negotiation.actual,
        compute_cycles=schedule.compute,
        runtime_cycles=schedule.runtime,
        bound_cycles=facts.bounds.bound_cycles,
        padded_bound_cycles=facts.bounds.padded_bound_cycles,
        efficiency=facts.efficiency,
        stall_cycles=stall_totals(schedule),
        files=tuple({"name": name, "bytes": len(data)} for name, data in members),
        plugins=MpkDocument.parse(members[0][1]).processors,
        warnings=facts.warnings,
        reason=built.negotiation.reason,
        folder_created=is_new,
    )


def stall_totals(schedule: Schedule) -> dict[str, int]:
    """Each stall, summed over layers."""
    return {name: sum(layer.stalls[name] for layer in schedule.layers) for name in STALLS}


def _facts(built: _Built, options: CompileOptions) -> ReportFacts:
    bounds = segment_bounds(
        built.segment, built.loads, options.machine, quads=options.quads, batch=built.negotiation.actual
    )
    return ReportFacts(
        name=built.graph.name,
        machine=options.machine,
        quads=options.quads,
        compress=options.compress,
        segment=built.segment,
        negotiation=built.negotiation,
        loads=built.loads,
        bounds=bounds,
        cut=built.graph.cut,
        warnings=(*built.graph.warnings, *(f"left to the host: {cut}" for cut in built.graph.cut)),
        lm=_lm_name(built),
    )


def _lm_name(built: _Built) -> str:
    return f"{built.graph.name}_stage1_mla.lm"


def _members(built: _Built, options: CompileOptions, facts: ReportFacts) -> Sequence[tuple[str, bytes]]:
    name = built.graph.name
    lm = facts.lm
    return (
        (f"{name}_mpk.json", dump_mpk(build_mpk(_description(built, options, lm)))),
        (lm, built.lm),
        (f"{name}_stage1_mla_stats.yaml", static_stats(built).to_yaml().encode()),
        (f"{name}_compile_report.json", dump_report(report_of(facts))),
    )


def static_stats(built: _Built) -> MlaStats:
    """The static schedule: every layer's compute cycles, end to end, in order of the first command."""
    schedule = built.negotiation.plan.schedule
    order = list(dict.fromkeys(command.layer for command in schedule.program.compute))
    rows: list[tuple[int, str, int, int]] = []
    clock = 0
    for index in order:
        cycles = schedule.layers[index].compute
        if cycles:
            rows.append((index + 1, built.segment.layers[index].name, clock, clock + cycles - 1))
            clock += cycles
    return MlaStats.from_columns(*zip(*rows, strict=True)) if rows else MlaStats.from_columns((), (), (), ())


def _description(built: _Built, options: CompileOptions, lm: str) -> MpkDescription:
    segment, batch = built.segment, built.negotiation.actual
    inputs = tuple(_tensor(segment, name, batch) for name in segment.inputs)
    outputs = tuple(_tensor(segment, name, batch) for name in segment.outputs)
    return MpkDescription(
        name=built.graph.name,
        model_path=f"{built.graph.name}.sima",
        model_checksum=options.source_checksum,
        desired_batch_size=built.negotiation.desired,
        actual_batch_size=batch,
        quads=options.quads,
        inputs=inputs,
        outputs=outputs,
        segments=(MlaSegment(segment.name, lm, inputs, outputs),),
    )


def _tensor(segment: Segment, name: str, batch: int) -> TensorDescription:
    found = segment.maps[name]
    shape = (batch, found.rows, found.columns, found.channels)
    return TensorDescription(name, shape, found.quant.scale, found.quant.zero_point, packed=found.layout is Layout.HWC)

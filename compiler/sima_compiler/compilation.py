"""One compile, from a network to an archive on disk.

In: a `Network` and the caller's options. Out: a `CompileResult`, and `<name>_mpk.tar.gz` in the output folder. The
archive appears whole or not at all; a folder that cannot be written is found out before the work starts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sima_compiler.agreement import agree
from sima_compiler.archive.mpk_document import MpkDocument
from sima_compiler.archive.package import write_archive
from sima_compiler.archive.reader import Archive
from sima_compiler.archive.report_records import PADDED_BOUND_ASSUMES, CompileReport
from sima_compiler.building import Built, Member, build, lowered_segments, members_of
from sima_compiler.errors import OptionError
from sima_compiler.files.whole import check_name
from sima_compiler.folders import check_output_folder, output_folder
from sima_compiler.ir.graph import Graph
from sima_compiler.ir.layers import Layout
from sima_compiler.ir.network import Network, network_of
from sima_compiler.machine.description import Machine
from sima_compiler.pipeline import ConstantStore, Target
from sima_compiler.progress import Progress, ProgressCallback, silent
from sima_compiler.reporting.joining import report_of

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
    verdict: str
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
            "verdict": self.verdict,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How to compile; sizes are checked by `check_options`. ``levers``: plan what would help the batch size, too;
    ``layouts``: of tensors that go straight to and from the MLA.
    """

    output_path: Path
    batch_size: int
    compress: bool
    machine: Machine
    quads: int
    source_checksum: str
    progress: ProgressCallback | None = None
    exact: bool = False
    levers: bool = False
    layouts: Mapping[str, Layout] = field(default_factory=dict[str, Layout])


def compile_graph(graph: Graph, options: CompileOptions) -> CompileResult:
    """`compile_network` of a graph that is the whole network."""
    return compile_network(network_of(graph), options)


def compile_network(network: Network, options: CompileOptions) -> CompileResult:
    """Compiles and writes the archive.

    Raises:
        OptionError: batch size or quads out of range.
        OutputError: the folder neither exists nor can be made, or cannot be written to.
        UnsupportedError: a node that cannot be lowered. DoesNotFitError: not even one sample fits.
        MissingExtraError: the network has host layers, and their cross compiler is not installed.
    """
    check_options(options)
    check_output_folder(options.output_path)
    check_name(archive_path(network, options))
    progress = options.progress or silent
    progress(Progress("lower", 0, 1))
    lowered = lowered_segments(network, options.machine, options.layouts)
    progress(Progress("lower", 1, 1))
    target = Target(options.machine, options.quads, options.compress, options.exact)
    store = ConstantStore(compress=options.compress)
    found = agree(
        [part.segment for part in lowered],
        target,
        options.batch_size,
        store,
        lambda done, total: progress(Progress("plan", done, total)),
    )
    if options.levers:
        from sima_compiler.levers import planned_levers, with_levers

        tried = planned_levers(
            network.graphs, target, options.batch_size, lambda done, total: progress(Progress("levers", done, total))
        )
        found = replace(found, whole=with_levers(found.whole, tried))
    progress(Progress("encode", 0, 1))
    built = build(network, lowered, found, target, store)
    progress(Progress("encode", 1, 1))
    return _write(built, options, progress)


def archive_path(network: Network, options: CompileOptions) -> Path:
    """Where the archive goes."""
    return options.output_path / f"{network.name}{ARCHIVE_SUFFIX}"


def check_options(options: CompileOptions) -> None:
    """Refuses sizes that mean nothing."""
    if options.batch_size < 1:
        raise OptionError(f"batch_size must be at least 1, found {options.batch_size}")
    if not 1 <= options.quads <= options.machine.quads:
        raise OptionError(
            f"quads must be from 1 to {options.machine.quads} on {options.machine.name}, found {options.quads}"
        )


def _write(built: Built, options: CompileOptions, progress: ProgressCallback) -> CompileResult:
    progress(Progress("archive", 0, 1))
    report = report_of(built.whole)
    members = members_of(built, report, options.source_checksum)
    path = archive_path(built.network, options)
    with output_folder(options.output_path) as is_new:
        write_archive(path, members)
    if is_new:
        logger.info("created the folder %s", options.output_path)
    progress(Progress("archive", 1, 1))
    logger.info("%s: %s", path.name, built.whole.negotiation.reason)
    return _result(path, report, members, is_new=is_new)


def _result(path: Path, report: CompileReport, members: Sequence[Member], *, is_new: bool) -> CompileResult:
    return CompileResult(
        path=path,
        desired_batch_size=report.desired_batch_size or 0,
        actual_batch_size=report.actual_batch_size or 0,
        compute_cycles=report.compute_cycles or 0,
        runtime_cycles=report.runtime_cycles or 0,
        bound_cycles=report.bound_cycles or 0,
        padded_bound_cycles=report.padded_bound_cycles or 0,
        efficiency=report.efficiency or 0.0,
        stall_cycles=report.stall_cycles,
        files=tuple({"name": name, "bytes": len(data)} for name, data in members),
        plugins=MpkDocument.parse(members[0][1]).processors,
        warnings=report.warnings,
        reason=report.reason,
        verdict=report.verdict,
        folder_created=is_new,
    )

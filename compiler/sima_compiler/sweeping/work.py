"""One point of a sweep, compiled in whatever process or machine this runs: all that a worker needs is its arguments.

In: a `SweptNetwork` and a `SweepPoint`. Out: a `SweepRow`; one that failed says why. Always: an error of this package
becomes a row, anything else is raised, for it says something about the process and not about the point.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from sima_compiler.archive.reader import Archive
from sima_compiler.compilation import CompileOptions, CompileResult, compile_network
from sima_compiler.errors import OptionError, SimaError
from sima_compiler.files.scratch import scratch_folder
from sima_compiler.files.whole import write_whole
from sima_compiler.ir.another_size import FixedSize, at_size, input_size
from sima_compiler.ir.graph import Graph
from sima_compiler.ir.network import Network, network_of
from sima_compiler.model import Model
from sima_compiler.sweeping.points import SweepPoint, SweptNetwork
from sima_compiler.view import units
from sima_compiler.view.sweep import SweepRow

#: Networks that a worker keeps read: a sweep has one, and a worker serves few sweeps at a time.
_KEPT_NETWORKS = 2


def compile_point(network: SweptNetwork, point: SweepPoint, archives: Path | None = None) -> SweepRow:
    """Compiles the point. ``archives``: a folder that takes the archive under its key; None throws it away."""
    try:
        return _compiled(network, point, archives)
    except SimaError as error:
        return _row(point, problem=error.message, problem_type=type(error).__name__, hint=error.hint)


def failed_point(point: SweepPoint, problem: str, problem_type: str) -> SweepRow:
    """The row of a point whose process did not come back."""
    return _row(point, problem=problem, problem_type=problem_type)


def _compiled(network: SweptNetwork, point: SweepPoint, archives: Path | None) -> SweepRow:
    sized = _sized(_network(network), point)
    with scratch_folder("sweep") as folder:
        options = CompileOptions(
            output_path=folder,
            batch_size=point.batch_size,
            compress=point.compress,
            machine=point.machine,
            quads=point.quads,
            source_checksum=point.checksum,
        )
        result = compile_network(sized, options)
        kept = _kept(result.path, archives / point.key) if archives else None
        return _measured(point, result, str(kept or ""))


@functools.lru_cache(maxsize=_KEPT_NETWORKS)
def _network(network: SweptNetwork) -> Network:
    # No source: its name would stand in the archive, whose size must not depend on where the network was read from.
    return Model.from_bytes(network.read(), network.name).network


def _sized(network: Network, point: SweepPoint) -> Network:
    if point.input_size is None:
        return network
    found = _told(network, *point.input_size)
    if isinstance(found, FixedSize):
        raise OptionError(f"{point.size_text}: the network is tied to its size: {found.reason}",
                          hint="export the model at that size and sweep it on its own")  # fmt: skip
    return network_of(found)


def _told(network: Network, rows: int, columns: int) -> Graph | FixedSize:
    (graph, *others) = network.segments
    if others or not isinstance(graph, Graph):
        return FixedSize("host layers of it have shapes of their own")
    own = input_size(graph)
    return own if isinstance(own, FixedSize) else at_size(graph, own, rows, columns)


def _kept(archive: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / archive.name, archive.read_bytes())
    return folder / archive.name


def _measured(point: SweepPoint, result: CompileResult, archive: str) -> SweepRow:
    report = Archive.open(result.path).report
    built = result.actual_batch_size
    clock = point.machine.clock_mhz
    peaks = [segment.peak_bytes for segment in report.segments if segment.peak_bytes is not None] if report else []
    dram = report.dram if report else None
    return _row(
        point,
        actual_batch_size=built,
        runtime_cycles=result.runtime_cycles,
        compute_cycles=result.compute_cycles,
        bound_cycles=result.bound_cycles,
        efficiency=result.efficiency,
        latency_us=units.latency_us(result.runtime_cycles, clock),
        samples_per_second=units.rate(built, result.runtime_cycles, clock) or None,
        peak_on_chip_bytes=max(peaks, default=None),
        dram_bytes=dram.loaded_bytes + dram.stored_bytes if dram else None,
        archive_bytes=result.path.stat().st_size,
        archive=archive,
        reason=result.reason,
    )


def _row(point: SweepPoint, **found: Any) -> SweepRow:
    return SweepRow(
        key=point.key,
        network=point.network,
        input_size=point.size_text,
        machine=point.machine.name,
        quads=point.quads,
        compress=point.compress,
        desired_batch_size=point.batch_size,
        **found,
    )

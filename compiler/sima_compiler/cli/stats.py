"""``simac stats``: the cycles of every layer as a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sima_compiler.archive.names import FileKind
from sima_compiler.archive.reader import Archive
from sima_compiler.archive.stats import MlaStats
from sima_compiler.cli.command import Command, Output, add_json_argument
from sima_compiler.cli.layout import table
from sima_compiler.errors import OptionError, SchemaError
from sima_compiler.view import units


def prepare(parser: argparse.ArgumentParser) -> None:
    """The options of ``simac stats``."""
    parser.add_argument("file", metavar="FILE_OR_ARCHIVE", help="a *_mla_stats.yaml or an archive")
    parser.add_argument(
        "--sort", choices=("start", "duration"), default="start", help="order of the layers (default: start)"
    )
    parser.add_argument("--top", type=int, default=None, metavar="N", help="only the first N layers of that order")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> Output:
    """List the layers; JSON: path, total_cycles, counting, layers [{id, name, start_cycle, end_cycle, cycles, share}].

    ``counting`` says how the total was counted where layers do not lie end to end from cycle 0.
    """
    if arguments.top is not None and arguments.top < 1:
        raise OptionError(f"--top {arguments.top}: must be at least 1")
    stats = _read(arguments.file)
    total = stats.total_cycles
    layers = [stats.layers[index] for index in _order(stats, arguments.sort)[: arguments.top].tolist()]
    rows: list[dict[str, Any]] = [
        {
            "id": layer.id,
            "name": layer.name,
            "start_cycle": layer.start_cycle,
            "end_cycle": layer.end_cycle,
            "cycles": layer.cycles,
            "share": layer.cycles / total if total else 0.0,
        }
        for layer in layers
    ]
    data = {
        "path": "" if isinstance(arguments.file, MlaStats) else str(arguments.file),
        "total_cycles": total,
        "counting": stats.counting,
        "layer_count": len(stats.layers),
        "layers": rows,
    }
    return Output(data, _text(rows, stats, len(stats.layers)))


def _order(stats: MlaStats, wish: str) -> npt.NDArray[np.intp]:
    """Indices of the layers, longest first or by their first cycle; equal ones by id."""
    lengths = stats.end_cycles - stats.start_cycles
    return np.lexsort((stats.ids, -lengths if wish == "duration" else stats.start_cycles))


def _read(source: str | Path | MlaStats) -> MlaStats:
    """Statistics from a file or archive; a notebook may have them in memory."""
    if isinstance(source, MlaStats):
        return source
    path = Path(source).expanduser()
    if path.suffix in {".yaml", ".yml"}:
        return MlaStats.read(path)
    archive = Archive.open(path)
    if archive.stats is None:
        unreadable = tuple(file.name for file in archive.files if file.kind == FileKind.STATS)
        reasons = [warning for warning in archive.warnings if warning.startswith(unreadable)]
        problem = "; ".join(reasons) or "the archive holds no *_mla_stats.yaml"
        raise SchemaError(f"{path}: {problem}", hint="'simac inspect' shows the rest of the archive")
    return archive.stats


def _text(rows: list[dict[str, Any]], stats: MlaStats, count: int) -> str:
    cells = [
        (
            str(row["id"]),
            row["name"],
            units.count(row["start_cycle"]),
            units.count(row["end_cycle"]),
            units.count(row["cycles"]),
            units.percent(row["share"]),
        )
        for row in rows
    ]
    columns = ("id", "name", "start_cycle", "end_cycle", "cycles", "share")
    shown = f"{units.count(count)} layers"
    if len(rows) < count:
        shown = f"{units.count(len(rows))} of {shown}"
    lines = [table(columns, cells, right=(0, 2, 3, 4, 5)), f"{shown}, {units.count(stats.total_cycles)} cycles in all"]
    return "\n".join([*lines, *([stats.counting] if stats.counting else [])])


COMMAND = Command(
    "stats",
    "list the cycles of every layer",
    "  simac stats out/resnet50_mpk.tar.gz --sort duration --top 10\n"
    "  simac stats resnet50_stage1_mla_stats.yaml --json",
    prepare,
    run,
)

"""``%sima_stats``, ``%sima_archive``, ``%sima_simulate``: magics about files; the options are the command line's own.

In: a line. Out: a widget or a record, which shows itself. With ``--json`` the same object that ``simac`` prints stands
on stdout. In a terminal the value shows as the command's own text.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from IPython.core.magic import line_magic, magics_class, needs_local_scope

from sima_compiler import Archive, MlaStats, logging_from_arguments
from sima_compiler.cli import subcommand
from sima_compiler.view import first_layers
from sima_nb.figures import FIGURES, figure
from sima_nb.magic_parser import Twin, plain_errors
from sima_nb.session import path_of, resolve_source
from sima_nb.showing import NamingMagics, printed, shown
from sima_nb.widgets.archive import ArchiveTree
from sima_nb.widgets.opening import opened
from sima_nb.widgets.stats import StatsExplorer

_ARCHIVES = (".tar.gz", ".tgz")
_MODELS = (".sima", ".onnx")


def _add_plotly(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plotly", choices=tuple(FIGURES), default=None, help="give a plotly figure instead")


STATS = Twin.of_command(
    "stats",
    """Look into the cycles of every layer: timeline, table, memory map, details.

FILE_OR_ARCHIVE is a path, or the name of a variable that holds a path, an Archive, an MlaStats or what a compile
returned.

    %sima_stats out/resnet50_mpk.tar.gz
    s = %sima_stats r --sort duration --top 10
    s.selected_layers, s.view.totals.efficiency
    %sima_stats r --plotly causes
""",
    of="stats",
    suffixes=(".yaml", ".yml", *_ARCHIVES),
    add_extra=_add_plotly,
)
ARCHIVE = Twin.of_command(
    "archive",
    """Look into an archive: files with previews, and the pipeline of plugins.

ARCHIVE is a path, or the name of a variable that holds a path, an Archive or what a compile returned.

    %sima_archive out/resnet50_mpk.tar.gz
    %sima_archive vendor.tar.gz --check
    %sima_archive resnet50.sima
""",
    of="inspect",
    suffixes=(*_ARCHIVES, *_MODELS),
)
SIMULATE = Twin.of_command(
    "simulate",
    """Run an archive on the simulated machine, bit for bit and cycle by cycle.

ARCHIVE is a path, or the name of a variable that holds a path, an Archive or what a compile returned; what follows
--input may be a variable too: {input name: array}.

    %sima_simulate out/resnet50_mpk.tar.gz
    run = %sima_simulate r --input arrays
    run.outputs["logits"], run.trace.stall_cycles
""",
    of="simulate",
    suffixes=(*_ARCHIVES, ".npz"),
)
TWINS = (STATS, ARCHIVE, SIMULATE)


@magics_class
class ViewMagics(NamingMagics):
    """The magics that look into files."""

    @needs_local_scope
    @line_magic
    def sima_stats(self, line: str, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Look into the cycles of every layer; the text that ``?`` shows is set below."""
        arguments = STATS.arguments(line)
        if arguments is None:
            return None
        with plain_errors(), logging_from_arguments(arguments):
            source = resolve_source(arguments.file, self.names(local_ns))
            if arguments.plotly is not None:
                return figure(opened(source).view, arguments.plotly)
            arguments.file = source if isinstance(source, MlaStats) else path_of(source)
            return shown("stats", arguments, lambda: _explorer(source, arguments))

    @needs_local_scope
    @line_magic
    def sima_archive(self, line: str, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Look into an archive; the text that ``?`` shows is set below."""
        arguments = ARCHIVE.arguments(line)
        if arguments is None:
            return None
        with plain_errors(), logging_from_arguments(arguments):
            source = resolve_source(arguments.archive, self.names(local_ns))
            arguments.archive = path_of(source)
            if arguments.check or Path(arguments.archive).suffix in _MODELS:
                return shown("inspect", arguments, None)
            return shown("inspect", arguments, lambda: ArchiveTree(source))

    @needs_local_scope
    @line_magic
    def sima_simulate(self, line: str, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run an archive on the simulated machine; the text that ``?`` shows is set below."""
        arguments = SIMULATE.arguments(line)
        if arguments is None:
            return None
        with plain_errors(), logging_from_arguments(arguments):
            names = self.names(local_ns)
            source = resolve_source(arguments.archive, names)
            arguments.archive = source if isinstance(source, Archive) else path_of(source)
            if arguments.input is not None:
                given = resolve_source(arguments.input, names)
                arguments.input = given if isinstance(given, Mapping) else path_of(given)
            output = subcommand("simulate").run(arguments)
        if not arguments.json:
            return output.value
        return printed(output.data)


def _explorer(source: Any, arguments: argparse.Namespace) -> StatsExplorer:
    longest = arguments.sort == "duration"
    found = opened(source)
    if arguments.top is not None:
        found = replace(found, view=first_layers(found.view, arguments.top, longest=longest))
    return StatsExplorer(found, order="cycles" if longest else "timeline")


for twin in TWINS:
    getattr(ViewMagics, f"sima_{twin.name}").__doc__ = twin.help_text()

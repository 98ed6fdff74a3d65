"""``simac compare``: two archives or statistics files, layer by layer."""

from __future__ import annotations

import argparse
from pathlib import Path

from sima_compiler.cli.command import Command, Output, add_json_argument
from sima_compiler.errors import OptionError
from sima_compiler.view.compare import compare_paths
from sima_compiler.view.compare_text import comparison_text


def prepare(parser: argparse.ArgumentParser) -> None:
    """The options of ``simac compare``."""
    parser.add_argument("before", metavar="BEFORE", help="an archive or a *_mla_stats.yaml, ours or the vendor's")
    parser.add_argument("after", metavar="AFTER", help="what to compare it with; archives and statistics may be mixed")
    parser.add_argument(
        "--over",
        type=_percent,
        default=None,
        metavar="PERCENT",
        help="only layers that changed by more than this, largest change first (default: all, in order of execution)",
    )
    add_json_argument(parser)


def _percent(text: str) -> float:
    """A number of percent, with or without the sign."""
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of percent") from None


def run(arguments: argparse.Namespace) -> Output:
    """Compare; JSON: before, after, measure, over, totals [{name, unit, before, after}], counts, layers [{name, other,
    family, sources, before, after, change, what, before_row, after_row}], files [{name, before, after}], notes.
    """
    over = arguments.over
    if over is not None and not 0 <= over < float("inf"):
        raise OptionError(f"--over {over:g}: must be a number of percent from 0", hint="try --over 5")
    found = compare_paths(Path(arguments.before).expanduser(), Path(arguments.after).expanduser())
    return Output(found.to_dict(over), comparison_text(found, over))


COMMAND = Command(
    "compare",
    "compare two archives or statistics files layer by layer",
    "  simac compare old/resnet50_mpk.tar.gz new/resnet50_mpk.tar.gz --over 5\n"
    "  simac compare ours_mla_stats.yaml theirs_mla_stats.yaml --json",
    prepare,
    run,
)

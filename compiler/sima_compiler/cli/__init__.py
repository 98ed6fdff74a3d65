"""``simac``, the command line: one module per subcommand.

In: arguments. Out: an exit code; text or one JSON object on stdout, everything else on stderr. Commands are imported
when they run, so that ``simac --help`` is quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sima_compiler.cli.command import Command

__all__ = ["main", "subcommand"]


def subcommand(name: str) -> Command:
    """The subcommand of that name, for hosts that offer the same one: its options, what it does, its examples."""
    from importlib import import_module

    return import_module(f"{__name__}.{name}").COMMAND


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``simac``; ``arguments`` default to the process's own.

    Returns 0 after success, 1 after an error that was reported, 130 or 143 after an interruption by Ctrl-C or
    SIGTERM, 2 after wrong usage.
    """
    from sima_compiler.cli.dispatch import run

    return run(arguments)

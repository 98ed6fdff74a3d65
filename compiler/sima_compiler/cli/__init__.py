"""``simac``, the command line: one module per subcommand.

In: arguments. Out: an exit code; text or one JSON object on stdout, everything else on stderr. Commands are imported
when they run, so that ``simac --help`` is quick.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``simac``; ``arguments`` default to the process's own.

    Returns 0 after success, 1 after an error that was reported, 130 after an interruption, 2 after wrong usage.
    """
    from sima_compiler.cli.dispatch import run

    return run(arguments)

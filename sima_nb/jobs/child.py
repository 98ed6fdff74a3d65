"""The process that a job or a check runs in: ``python -m sima_nb.jobs.child PARENT``.

In: one line of JSON on stdin, ``{"task", "arguments", "output"}``; the pipe then stays open until the parent goes. Out:
lines of JSON on stdout, ``{"progress": [stage, done, total]}`` and at the end ``{"result"}`` or ``{"error": {"type",
"message", "hint"}}``; the log on stderr. ``arguments`` are those of ``simac compile`` or ``simac check``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from sima_nb.jobs.parent import end_with_parent

#: Seconds between two words of progress within a stage.
_INTERVAL = 0.1
Say = Callable[[dict[str, Any]], None]


class _Parser(argparse.ArgumentParser):
    """Wrong options are an error like every other, not the end of the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong.

        Raises:
            OptionError: always.
        """
        from sima_compiler import OptionError

        raise OptionError(message)


def main() -> int:
    """Run the one task that stands on stdin."""
    task = json.loads(sys.stdin.buffer.readline())
    end_with_parent(int(sys.argv[1]), sys.stdin.buffer)
    run(task, _speaker())
    return 0


def _speaker() -> Say:
    """Lines to the parent. Whatever else prints to stdout goes to the log, where it can disturb nothing."""
    lines: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def say(word: dict[str, Any]) -> None:
        lines.write(f"{json.dumps(word)}\n")

    return say


def run(task: dict[str, Any], say: Say) -> None:
    """Run ``task`` and say how it ended."""
    from sima_compiler import SimaError

    try:
        say({"result": _TASKS[task["task"]](task["arguments"], Path(task["output"] or "."), say)})
    except SimaError as error:
        say({"error": {"type": type(error).__name__, "message": error.message, "hint": error.hint}})
    except MemoryError:
        say({"error": {"type": "MemoryError", "message": "memory ran out", "hint": "try a smaller batch"}})


def _checked(arguments: Sequence[str], _output: Path, _say: Say) -> dict[str, Any]:
    from sima_compiler import add_check_arguments, check_from_arguments

    parser = _Parser("check")
    add_check_arguments(parser)
    return check_from_arguments(parser.parse_args(arguments)).to_dict()


def _compiled(arguments: Sequence[str], output: Path, say: Say) -> dict[str, Any]:
    """Compile into the folder that the arguments name, then move the archive to ``output``, where it appears whole."""
    from sima_compiler import add_compile_arguments, compile_keywords, logging_from_arguments, model_from_arguments

    parser = _Parser("compile")
    add_compile_arguments(parser)
    parsed = parser.parse_args(["--verbose", *arguments])
    warnings: list[str] = []
    with logging_from_arguments(parsed):
        report = _Progress(say)
        model = model_from_arguments(parsed, warnings.append, report)
        result = model.compile(**compile_keywords(parsed), progress=report)
    final = output / result.path.name
    os.replace(result.path, final)  # noqa: PTH105 - both on one disk: the scratch folder lies below the output folder
    return {**result.to_dict(), "path": str(final), "reason": result.reason, "warnings": [*warnings, *result.warnings]}


class _Progress:
    """Tells the edges of stages at once, and what lies between them ten times a second."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._stage = ""
        self._told = 0.0

    def __call__(self, progress: Any) -> None:
        now = time.monotonic()
        if progress.stage != self._stage or progress.done >= progress.total or now - self._told > _INTERVAL:
            self._stage, self._told = progress.stage, now
            self._say({"progress": [progress.stage, progress.done, progress.total]})


_TASKS: dict[str, Callable[[Sequence[str], Path, Say], dict[str, Any]]] = {"check": _checked, "compile": _compiled}


if __name__ == "__main__":
    raise SystemExit(main())

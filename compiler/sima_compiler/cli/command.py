"""What a subcommand is: a parser half and a run half, and what it hands back.

In: nothing. Out: `Command` and `Output`. A command never prints its result:
`sima_compiler.cli.dispatch` does, as text or JSON.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sima_compiler.cli.streams import send
from sima_compiler.screen import printable_lines


@dataclass(frozen=True, slots=True)
class Output:
    """A command's result: ``data`` for ``--json``, ``text`` for people.

    ``problem``: why a command that did its work found something wrong; the exit code is 1 then, and the JSON has an
    ``error`` beside its other keys. ``value``: the record behind both, for a notebook, which can hold one.
    """

    data: Mapping[str, Any]
    text: str
    problem: str = ""
    value: Any = None


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: its name, one line of help, examples, and its two halves."""

    name: str
    summary: str
    examples: str
    prepare: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Output]


@dataclass(frozen=True, slots=True)
class Warnings:
    """Collects warnings for the JSON and shows each on stderr at once."""

    sentences: list[str] = field(default_factory=list[str])

    def __call__(self, sentence: str) -> None:
        """Take one warning."""
        self.sentences.append(sentence)
        say(f"warning: {sentence}")


def say(sentence: str) -> None:
    """One line on stderr, in the place of a progress bar that may stand there."""
    over_the_bar = "\r\x1b[K" if sys.stderr.isatty() else ""
    send(f"{over_the_bar}{printable_lines(sentence)}", sys.stderr)


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """``--json`` for commands that are not a compile."""
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")

"""What every magic shares: the options of a command, lines as people write them, errors that are shown as a message.

In: a line. Out: a namespace, or an error without a traceback. Always: wrong usage never ends the process.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import re
import shlex
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NoReturn

from IPython.core.error import UsageError

from sima_compiler import CompileInterrupted, SimaError, printable
from sima_compiler.cli import subcommand


class MagicParser(argparse.ArgumentParser):
    """A parser that reports wrong usage as IPython does and never ends the process."""

    def error(self, message: str) -> NoReturn:
        """Raise IPython's UsageError, which is shown as one line."""
        unknown = re.match(r"unrecognized arguments: ([^\s=]+)", message)
        options = re.findall(r"--[a-z][a-z-]*", self.format_usage())
        meant = difflib.get_close_matches(unknown[1], options, 1) if unknown else []
        hint = f"did you mean {meant[0]}?" if meant else f"{self.prog}? shows every option"
        if unknown and not unknown[1].startswith("-"):
            hint = f"{self.prog} takes one thing at a time; put quotes around a path with spaces"
        raise UsageError(f"{message}\nhint: {hint}")


@dataclass(frozen=True, slots=True)
class Twin:
    """A magic and the command whose options it has.

    ``add_extra`` adds what only a notebook can do; ``suffixes`` are the files that completion offers.
    """

    name: str
    introduction: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    suffixes: tuple[str, ...]
    add_extra: Callable[[argparse.ArgumentParser], None] = lambda _: None

    @staticmethod
    def of_command(
        name: str,
        introduction: str,
        *,
        of: str,
        suffixes: tuple[str, ...],
        add_extra: Callable[[argparse.ArgumentParser], None] = lambda _: None,
    ) -> Twin:
        """The magic with the options of ``simac`` ``of``."""
        return Twin(name, introduction, lambda parser: subcommand(of).prepare(parser), suffixes, add_extra)

    def parser(self) -> MagicParser:
        """The command's options, the notebook's own, and ``-h``."""
        parser = MagicParser(f"%sima_{self.name}", add_help=False)
        self.add_arguments(parser)
        self.add_extra(parser)
        parser.add_argument("-h", "--help", action="store_true", help="show this text")
        return parser

    def help_text(self) -> str:
        """Introduction and every option."""
        return f"{self.introduction}\n{self.parser().format_help()}"

    def arguments(self, line: str) -> argparse.Namespace | None:
        """What the line asks for; None where it asks for help, which is printed then."""
        parser = self.parser()
        try:
            words = shlex.split(without_ending(line))
        except ValueError as error:
            parser.error(str(error))
        if not words or {"-h", "--help"} & set(words):
            sys.stdout.write(self.help_text())
            return None
        return parser.parse_args(words)


def without_ending(line: str) -> str:
    """The line without a comment and without the semicolon that keeps IPython from showing a result."""
    return without_comment(line).removesuffix(";")


def is_quiet(line: str) -> bool:
    """Whether a semicolon at the end asks not to show the result."""
    return without_comment(line).endswith(";")


def without_comment(line: str) -> str:
    """The line up to its comment, without blanks at the end.

    A ``#`` begins a comment where a word would begin, outside quotes: ``net#2.onnx`` is a name.
    """
    quote, before = "", " "
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and (before.isspace() or before == ";"):
            return line[:place].rstrip()
        before = letter
    return line.rstrip()


@contextlib.contextmanager
def plain_errors() -> Generator[None]:
    """Errors of the compiler, and an interruption, are shown as their message alone and stop "Run All"."""
    try:
        yield
    except KeyboardInterrupt:
        raise without_traceback(CompileInterrupted("stopped; nothing half-written is left behind")) from None
    except SimaError as error:
        raise without_traceback(error) from None


def without_traceback(error: SimaError) -> SimaError:
    """The same error, which IPython will show as its message alone."""
    lines = [f"{type(error).__name__}: {error.message}"] + ([f"hint: {error.hint}"] if error.hint else [])
    shown = [printable(part) for line in lines for part in line.split("\n")]
    setattr(error, "_render_traceback_", lambda: shown)  # noqa: B010 - IPython's hook, which the engine does not know
    return error

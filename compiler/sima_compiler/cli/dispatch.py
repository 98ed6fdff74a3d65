"""Parse, run one command, report: the same way for every command.

In: arguments. Out: an exit code. With ``--json`` stdout holds one JSON object and nothing else, after an error
``{"error": {"type", "message", "hint"}}``; whatever a library prints meanwhile goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import json
import re
import sys
import traceback
from collections.abc import Generator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from sima_compiler.arguments import logging_from_arguments
from sima_compiler.cli.command import Command, Output
from sima_compiler.cli.signals import exit_code, terminable
from sima_compiler.cli.streams import open_streams, send, settle
from sima_compiler.errors import CompileInterrupted, SimaError
from sima_compiler.screen import printable_lines
from sima_compiler.version import __version__

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

COMMANDS = (
    *("quantize", "check", "compile", "inspect", "stats", "batch", "compare"),
    *("simulate", "verify", "export", "disassemble", "sweep"),
)
WRONG_USAGE = 2

_DESCRIPTION = "Compile quantized networks for an open model of SiMa's MLA, look into the result, and run it."
_EXAMPLES = """examples:
  simac compile resnet50.onnx --calibration-random 8 --batch-size 16 -o out
  simac inspect out/resnet50_mpk.tar.gz
  simac stats out/resnet50_mpk.tar.gz --sort duration --top 10
  simac simulate out/resnet50_mpk.tar.gz --input x.npz --output y.npz --json

'simac COMMAND --help' explains a command."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; 2 is wrong usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    open_streams()
    asked_to_leave: SystemExit | None = None  # after --help, say
    code = 0
    try:
        with terminable():
            code = _answered(words)
    except KeyboardInterrupt as interruption:
        code = exit_code(interruption)
    except SystemExit as end:
        asked_to_leave = end
    lost = settle(sys.stdout)
    settle(sys.stderr)
    if asked_to_leave is not None and lost is None:
        raise asked_to_leave
    return code or int(lost is not None)


def _answered(words: list[str]) -> int:
    """Run the command that ``words`` name and print what it gives; the exit code."""
    try:
        parsed = _parsed(words)
    except UsageError as error:
        return _fail("UsageError", error.message, error.hint, as_json="--json" in words, code=WRONG_USAGE)
    command: Command = parsed.command
    try:
        with _quiet_stdout(wanted=parsed.json), logging_from_arguments(parsed):
            output = command.run(parsed)
        return _delivered(_with_problem(output, parsed.command.name), as_json=parsed.json)
    except (KeyboardInterrupt, CompileInterrupted) as error:
        message = "stopped; nothing half-written is left behind"
        return _fail("Interrupted", message, "", as_json=parsed.json, code=exit_code(error))
    except SimaError as error:
        return _fail(type(error).__name__, error.message, error.hint, as_json=parsed.json)
    except OSError as error:
        return _fail(type(error).__name__, _describe(error), "", as_json=parsed.json)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a script gets its JSON even then
        if getattr(parsed, "verbose", False):
            traceback.print_exc()
        hint = "this is a bug in sima_compiler; -v shows where it happened"
        return _fail(type(error).__name__, str(error) or "no message", hint, as_json=parsed.json)


class UsageError(Exception):
    """Words that make no command, with the option or command that was probably meant."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class Parser(argparse.ArgumentParser):
    """A parser that raises instead of ending the process, so that ``--json`` gets its object for wrong usage too."""

    def error(self, message: str) -> NoReturn:
        """Show the usage and raise `UsageError`."""
        send(self.format_usage().rstrip("\n"), sys.stderr)
        raise UsageError(message, f"{self.prog} --help explains every option")

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; argparse would pass over a full disk."""
        if file is not None:
            super().print_help(file)
        elif (lost := send(self.format_help().rstrip("\n"))) is not None:
            self.exit(1, f"error: stdout: cannot be written: {lost.strerror or lost}\n")


def _parsed(words: list[str]) -> argparse.Namespace:
    """The namespace of a command line.

    Raises:
        UsageError: an unknown command or option, a missing or malformed value.
    """
    # The other commands' modules take a third of a short command's time to import.
    parser = build_parser(words[:1] if words[:1] and words[0] in COMMANDS else COMMANDS)
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        send(parser.format_usage().rstrip("\n"), sys.stderr)
        raise UsageError(f"no command {words[0]!r}", _meant(words[0], COMMANDS) or f"commands: {', '.join(COMMANDS)}")
    parsed, unknown = parser.parse_known_args(words)
    if unknown:
        of_command = Parser(prog=f"simac {parsed.command.name}")
        parsed.command.prepare(of_command)
        usage = of_command.format_usage()
        send(usage.rstrip("\n"), sys.stderr)
        meant = _meant(unknown[0].split("=")[0], re.findall(r"--[a-z][a-z-]*", usage))
        hint = meant or f"{of_command.prog} --help explains every option"
        raise UsageError(f"unrecognized arguments: {' '.join(unknown)}", hint)
    return parsed


def _meant(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f"did you mean {close[0]}?" if close else ""


def build_parser(names: Sequence[str] = COMMANDS) -> Parser:
    """The parser of ``simac`` with every subcommand, or with those of ``names``."""
    parser = Parser(
        prog="simac", description=_DESCRIPTION, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"simac {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in names:
        command: Command = import_module(f"sima_compiler.cli.{name}").COMMAND
        subparser = subparsers.add_parser(
            name,
            help=command.summary,
            description=command.summary[0].upper() + command.summary[1:] + ".",
            epilog=f"examples:\n{command.examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.prepare(subparser)
        subparser.set_defaults(command=command)
    return parser


@contextlib.contextmanager
def _quiet_stdout(*, wanted: bool) -> Generator[None]:
    """While a command runs for ``--json``, prints of libraries go to stderr."""
    if not wanted:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _with_problem(output: Output, command: str) -> Output:
    """What a command found wrong stands where scripts look for it."""
    if not output.problem:
        return output
    error = {"type": f"{command.title()}Failed", "message": output.problem, "hint": ""}
    return replace(output, data={**output.data, "error": error})


def _delivered(output: Output, *, as_json: bool) -> int:
    """The exit code of a command that did its work, once its result is printed. A reader that went away, as in
    ``simac ... | head``, or a closed stdout is no error; a full disk is.
    """
    text = json.dumps(output.data, allow_nan=False) if as_json else printable_lines(output.text)
    lost = send(text)
    if lost is not None:
        return _fail("OutputError", f"stdout: cannot be written: {lost.strerror or lost}", "", as_json=False)
    return 1 if output.problem else 0


def _fail(kind: str, message: str, hint: str, *, as_json: bool, code: int = 1) -> int:
    if as_json:
        send(json.dumps({"error": {"type": kind, "message": message, "hint": hint}}))
    send(printable_lines(f"error: {message}"), sys.stderr)
    if hint:
        send(printable_lines(f"hint: {hint}"), sys.stderr)
    return code


def _describe(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason

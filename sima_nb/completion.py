"""Tab completion behind a magic: its options, their choices, files that it takes, variables.

In: the line, and the piece before the cursor. Out: what may stand there. Registered once with IPython's hook.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from IPython.core.error import TryNext
from IPython.core.interactiveshell import InteractiveShell

from sima_nb.magic_parser import Twin

#: A line with one of our magics in it, alone or on the right of an assignment.
PATTERN = r"(?:.*=\s*)?%?(sima_[a-z]+)\s"
_NO_VALUES = (ModuleType, type)


def register(shell: InteractiveShell, twins: tuple[Twin, ...]) -> None:
    """Let IPython complete these magics, in a notebook and in a terminal."""
    known = {f"sima_{twin.name}": twin for twin in twins}

    def complete(shell: InteractiveShell, event: Any) -> list[str]:
        found = re.match(PATTERN, event.text_until_cursor)
        twin = known.get(found[1]) if found else None
        if found is None or twin is None or found[1] not in shell.magics_manager.magics["line"]:
            raise TryNext
        return completions(twin, event.text_until_cursor[found.end() :], event.symbol, shell.user_ns)

    shell.set_hook("complete_command", complete, re_key=PATTERN)


def completions(twin: Twin, line: str, symbol: str, names: Mapping[str, Any]) -> list[str]:
    """What may stand in the place of ``symbol``, with which ``line`` ends."""
    parser = twin.parser()
    options = {option: action for action in parser._actions for option in action.option_strings}  # noqa: SLF001 - argparse has no other list
    if symbol.startswith("-"):
        return sorted(option for option in options if option.startswith(symbol))
    before = line[: len(line) - len(symbol)].replace("=", " ").split()
    action = options.get(before[-1]) if before else None
    if action is not None and action.nargs != 0:
        return _values(action, symbol, names)
    return [*_variables(symbol, names), *_paths(symbol, twin.suffixes)]


def _values(action: argparse.Action, symbol: str, names: Mapping[str, Any]) -> list[str]:
    """Values of an option: its choices, or files where it takes any."""
    if action.choices:
        return [str(choice) for choice in action.choices if str(choice).startswith(symbol)]
    if action.type is not None:
        return []
    metavar = str(action.metavar or "")
    suffixes = (metavar[metavar.rindex(".") :],) if "." in metavar else ("",)
    found = _paths(symbol, suffixes)
    return [*_variables(symbol, names), *found] if suffixes == (".npz",) else found


def _variables(symbol: str, names: Mapping[str, Any]) -> list[str]:
    return sorted(
        name
        for name, value in names.items()
        if name.startswith(symbol) and not name.startswith("_") and not isinstance(value, _NO_VALUES)
        if name not in ("In", "Out", "exit", "quit", "get_ipython", "open") and not callable(value)
    )


def _paths(symbol: str, suffixes: tuple[str, ...]) -> list[str]:
    """Folders, and files that end so, beginning with ``symbol``; names with blanks would need quotes."""
    folder, _, start = symbol.rpartition("/")
    place = Path(f"{folder}/" if folder or symbol.startswith("/") else ".").expanduser()
    prefix = symbol[: len(symbol) - len(start)]
    try:
        entries = sorted(place.iterdir())
    except OSError:
        return []
    kept = [
        entry
        for entry in entries
        if entry.name.startswith(start) and " " not in entry.name and (start or not entry.name.startswith("."))
        if entry.is_dir() or entry.name.endswith(suffixes)
    ]
    return [f"{prefix}{entry.name}{'/' * entry.is_dir()}" for entry in kept]

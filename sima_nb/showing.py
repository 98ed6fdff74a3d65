"""How a magic gives what its command found: a widget, a record, the command's text, or its JSON.

In: a command's name, parsed options, and how to make the widget. Out: the value that the cell shows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from IPython.core.magic import Magics

from sima_compiler.cli import subcommand
from sima_nb.display import in_terminal
from sima_nb.widgets.base import ViewWidget


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What a command said: ``data`` are the keys of ``--json``."""

    data: Mapping[str, Any]
    text: str

    def __repr__(self) -> str:
        return self.text


class NamingMagics(Magics):
    """Magics whose words may be names of variables."""

    def names(self, local_names: Mapping[str, Any] | None) -> dict[str, Any]:
        """The notebook's variables, and in front of them those of the function that calls the magic."""
        assert self.shell is not None, "a magic runs in a shell"
        return {**self.shell.user_ns, **(local_names or {})}


def shown(name: str, arguments: argparse.Namespace, widget: Callable[[], ViewWidget] | None) -> Any:
    """The command's JSON on stdout, or the widget; what has none, or a terminal, gets the command's text.

    The command itself runs only where its answer is needed: its text of a million layers would take longer than the
    widget.
    """
    if widget is not None and not arguments.json and not in_terminal():
        return widget()
    output = subcommand(name).run(arguments)
    if arguments.json:
        return printed(output.data)
    if widget is None:
        return Answer(output.data, output.text)
    made = widget()
    made.with_text(output.text)
    return made


def printed(data: Mapping[str, Any]) -> None:
    """One JSON object on stdout, as ``simac --json`` prints it."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")

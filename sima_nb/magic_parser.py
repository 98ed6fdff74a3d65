"""What every magic shares: a parser that speaks as IPython does, and errors that are shown as their message alone.

In: words, or an error. Out: a namespace, or an error without a traceback. Always: wrong usage never ends the process.
"""

from __future__ import annotations

import argparse
import difflib
import re
from typing import NoReturn

from IPython.core.error import UsageError

from sima_compiler import SimaError, printable


class MagicParser(argparse.ArgumentParser):
    """A parser that reports wrong usage as IPython does and never ends the process."""

    def error(self, message: str) -> NoReturn:
        """Raise IPython's UsageError, which is shown as one line."""
        unknown = re.match(r"unrecognized arguments: ([^\s=]+)", message)
        options = re.findall(r"--[a-z][a-z-]*", self.format_usage())
        meant = difflib.get_close_matches(unknown[1], options, 1) if unknown else []
        hint = f"did you mean {meant[0]}?" if meant else f"{self.prog}? shows every option"
        if unknown and not unknown[1].startswith("-"):
            hint = "one MODEL is compiled at a time; put quotes around a path with spaces"
        raise UsageError(f"{message}\nhint: {hint}")


def without_traceback(error: SimaError) -> SimaError:
    """The same error, which IPython will show as its message alone."""
    lines = [f"{type(error).__name__}: {error.message}"] + ([f"hint: {error.hint}"] if error.hint else [])
    shown = [printable(part) for line in lines for part in line.split("\n")]
    setattr(error, "_render_traceback_", lambda: shown)  # noqa: B010 - IPython's hook, which the engine does not know
    return error

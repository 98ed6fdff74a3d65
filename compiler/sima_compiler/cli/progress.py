"""A progress bar on stderr, only where stderr is a terminal.

In: `Progress` records. Out: one line that is overwritten, and removed at the end.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator
from typing import TextIO

from sima_compiler import Progress

_WIDTH = 24


@contextlib.contextmanager
def progress_bar(stream: TextIO | None = None) -> Generator[Callable[[Progress], None] | None]:
    """A callback for `Model.compile`, or None when nobody would see the bar; ``stream`` defaults to stderr."""
    target = stream or sys.stderr
    if not target.isatty():
        yield None
        return
    try:
        yield lambda progress: _draw(target, progress)
    finally:
        target.write("\r\x1b[K")
        target.flush()


def bar_text(progress: Progress) -> str:
    """``tile      [######------------------]  12/53``."""
    filled = _WIDTH * progress.done // progress.total if progress.total else 0
    return f"{progress.stage:<10}[{'#' * filled}{'-' * (_WIDTH - filled)}]  {progress.done}/{progress.total}"


def _draw(target: TextIO, progress: Progress) -> None:
    target.write(f"\r\x1b[K{bar_text(progress)}")
    target.flush()

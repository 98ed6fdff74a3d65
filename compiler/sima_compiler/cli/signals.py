"""SIGTERM as an interruption: what is half-written goes away, and the exit code says which signal it was.

Service managers, containers and batch systems stop programs with it. Left to the system it would end the process
between two instructions.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """Raised where SIGTERM arrives."""


def exit_code(interruption: BaseException) -> int:
    """128 and the number of the signal, as shells have it."""
    return 128 + (signal.SIGTERM if isinstance(interruption, Terminated) else signal.SIGINT)


@contextlib.contextmanager
def terminable() -> Generator[None]:
    """While the block runs SIGTERM raises `Terminated`, where nobody else handles it and this is the main thread."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # cleaning up is not interrupted again; SIGKILL is still there
    raise Terminated

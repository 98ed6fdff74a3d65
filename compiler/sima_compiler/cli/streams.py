"""What a process is given to print on, which may be closed, full, or a pipe that nobody reads any more.

In: text. Out: whether it arrived. Always holds: a stream that takes nothing is put to rest, so that neither this nor
the end of the interpreter complains about it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TextIO

#: What writing to a reader that went away, or to a stream that was closed, fails with: nobody wanted the text.
_UNWANTED = (errno.EPIPE, errno.EBADF)


def open_streams() -> None:
    """Puts the null device where standard streams are closed: files opened later would get their numbers, and the
    prints of libraries.
    """
    with contextlib.suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end


def send(text: str, stream: TextIO | None = None) -> OSError | None:
    """Prints a line on ``stream``, stdout without one; what went wrong, where somebody wanted the text."""
    target = stream or sys.stdout
    try:
        encoding = target.encoding or "utf-8"
        print(text.encode(encoding, "replace").decode(encoding), file=target, flush=True)
    except OSError as error:
        settle(target)
        return None if error.errno in _UNWANTED else error
    return None


def settle(stream: TextIO) -> OSError | None:
    """Flushes; a stream that cannot take what is left in it is turned to the null device. What went wrong, or None."""
    try:
        stream.flush()
    except OSError as error:
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
            stream.flush()
        return None if error.errno in _UNWANTED else error
    return None

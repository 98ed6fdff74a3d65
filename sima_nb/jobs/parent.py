"""How a process of ours ends with the one that started it, however that ended.

On Linux the system itself kills it (`PR_SET_PDEATHSIG`). Everywhere else, and where that is forbidden, a thread watches
a pipe whose other end only the parent holds: it ends when the parent does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from typing import BinaryIO

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int, pipe: BinaryIO) -> None:
    """Die with process ``parent``, which holds the other end of ``pipe`` and writes nothing more to it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it went before the system was asked
            os._exit(1)
    threading.Thread(target=_watch, args=(pipe,), name="parent", daemon=True).start()


def _watch(pipe: BinaryIO) -> None:
    while pipe.read(1):
        pass
    os._exit(1)

"""Locks on what is still being written, so that the leavings of a dead process can be told from a living one's work.

In: an open file or folder. Out: whether it is held. Always holds: the system itself gives a lock back when its process
ends, however it ended; where there are no such locks nothing counts as left behind.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def hold(descriptor: int, path: Path) -> bool:
    """Takes the lock of what was just made at ``path``; False when a sweep was quicker and has taken it away.

    Where locks are not supported (some network folders) the work goes on without one.
    """
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    return False


def sweep(folder: Path, pattern: re.Pattern[str], flags: int, remove: Callable[[Path], None]) -> None:
    """Removes what has a name of ours in ``folder``, belongs to this user and is held by nobody.

    ``flags``: how it is opened, `os.O_RDWR` for files, `os.O_RDONLY | os.O_DIRECTORY` for folders.
    """
    if fcntl is None:
        return
    for path in _named(folder, pattern):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(path)
            finally:
                os.close(descriptor)


def _named(folder: Path, pattern: re.Pattern[str]) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if pattern.fullmatch(entry.name)]
    except OSError:  # a folder may be written to and not listed
        names = []
    yield from (folder / name for name in names)

"""A file that says its process is alive: the system takes the lock away with the process, however that ended.

In: a path. Out: an open file that holds the lock, or whether somebody holds it. POSIX has `flock`; Windows locks the
first byte.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import IO, Any


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_fcntl = _module("fcntl")
_msvcrt = _module("msvcrt")


def held(path: Path) -> IO[bytes]:
    """The file of that path, created and locked until it is closed.

    Raises:
        OSError: it cannot be written, or somebody holds it.
    """
    file = path.open("wb")
    try:
        _lock(file)
    except OSError:
        file.close()
        raise
    return file


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock; a file that is gone is nobody's."""
    try:
        file = path.open("rb+")
    except OSError:
        return False
    with file:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):  # what POSIX and Windows say of a lock that is held
            return True
        except OSError:  # a network folder without locks: nobody can hold one there
            return False
        _unlock(file)
        return False


def _lock(file: IO[bytes]) -> None:
    if _fcntl is not None:
        _fcntl.flock(file, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    else:
        file.seek(0, os.SEEK_SET)
        _msvcrt.locking(file.fileno(), _msvcrt.LK_NBLCK, 1)


def _unlock(file: IO[bytes]) -> None:
    if _fcntl is None:
        file.seek(0, os.SEEK_SET)
        _msvcrt.locking(file.fileno(), _msvcrt.LK_UNLCK, 1)

"""A folder for a while: gone at the end of its block, or, if the process was killed, at the next one's beginning.

In: what it is for. Out: an empty folder below the system's folder for temporaries. Always holds: the folder is locked
while it is in use, so that only the leavings of dead processes are taken away, and only those of the same user.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from sima_compiler.files.locks import hold, sweep

_OURS = re.compile(r"sima-[a-z]+-[0-9a-f]{16}")
#: What a folder is opened with to be locked; Windows cannot open one, and has no such locks.
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)


@contextlib.contextmanager
def scratch_folder(purpose: str) -> Generator[Path]:
    """An empty folder named after ``purpose``, one word of small letters.

    Raises:
        OSError: there is no place for one.
    """
    above = Path(tempfile.gettempdir())
    sweep(above, _OURS, _FOLDER, lambda path: shutil.rmtree(path, ignore_errors=True))
    folder: Path | None = None
    try:
        while True:
            folder = above / f"sima-{purpose}-{secrets.token_hex(8)}"
            folder.mkdir(mode=0o700)
            with _held(folder) as is_ours:
                if is_ours:
                    yield folder
                    return
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: Path) -> Generator[bool]:
    if not hasattr(os, "O_DIRECTORY"):
        yield True
        return
    try:
        descriptor = os.open(folder, _FOLDER)
    except FileNotFoundError:  # swept between being made and being locked
        yield False
        return
    try:
        yield hold(descriptor, folder)
    finally:
        os.close(descriptor)

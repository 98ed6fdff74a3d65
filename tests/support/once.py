"""One of several test processes makes a file; the others wait for it."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def to_be_made(path: Path) -> Generator[bool]:
    """Whether ``path`` is still to be made; it may be half-written only while this is held."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not path.exists()

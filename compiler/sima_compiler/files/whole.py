"""Writing a file: it appears whole under its name, or the old one stays.

In: a path, and a function that fills a file. Out: the file. A temporary beside it carries its name and holds a lock; it
is renamed when everything is on disk. Whatever ends the process, the name never stands for half a file, and the next
write into the folder takes away temporaries whose process is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Generator
from pathlib import Path
from typing import BinaryIO

from sima_compiler.errors import OutputError
from sima_compiler.files.locks import hold, sweep
from sima_compiler.folders import check_folder, check_writable

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.sima-part", re.DOTALL)
#: Bytes of a target's name that its temporary repeats: file systems end names at 255, ours adds 28.
_KEPT_NAME = 200


def write_whole(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Writes ``content``, bytes or a function that fills a file, to ``path``.

    Raises:
        OutputError: the folder is missing or read-only, the disk is full, or something else has that name. Nothing new
            is left behind and an older file at ``path`` stays as it was; so it does when the process is interrupted.
    """
    check_folder(path.parent)
    check_name(path)
    sweep_temporaries(path.parent)
    try:
        with new_file(path) as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}", hint=_hint(error)) from error
    _sync_folder(path.parent)


def check_target(path: Path) -> None:
    """Checks, before any work, that a file can be written at ``path``.

    Raises:
        OutputError: the folder is missing or may not be written to; a folder or a device has that name.
    """
    check_folder(path.parent)
    check_writable(path.parent)
    check_name(path)


def check_name(path: Path) -> None:
    """Checks that nothing but an older file has the name ``path``.

    Raises:
        OutputError: a folder or a device has it.
    """
    try:
        if path.is_dir():
            hint = "a folder of that name is in the way: move it, or choose another folder or name"
            raise OutputError(f"{path}: a folder has that name", hint=hint)
        if path.exists() and not path.is_file():
            raise OutputError(f"{path}: not a file that can be replaced", hint="name an ordinary file")
    except OSError as error:  # a name that is too long, say
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}", hint=_hint(error)) from error


@contextlib.contextmanager
def new_file(path: Path, *, replace: bool = True) -> Generator[BinaryIO]:
    """A file to fill, which stands at ``path`` when the block ends well and is gone when it does not.

    Without ``replace`` a file that has come to stand there meanwhile is kept, and nothing is flushed to the disk.

    Raises:
        OSError: with the system's reason.
    """
    temporary: Path | None = None
    try:
        while True:
            temporary = path.with_name(_temporary_name(path.name))
            with temporary.open("xb") as file:
                if not hold(file.fileno(), temporary):
                    continue
                yield file
                file.flush()
                if replace:
                    os.fsync(file.fileno())
                _put(temporary, path, replace=replace)
                return
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def sweep_temporaries(folder: Path) -> None:
    """Takes away temporaries in ``folder`` whose process is gone."""
    sweep(folder, _TEMPORARY, os.O_RDWR, lambda path: path.unlink(missing_ok=True))


def _temporary_name(name: str) -> str:
    encoded = os.fsencode(name)
    if len(encoded) > _KEPT_NAME:
        name = hashlib.sha256(encoded).hexdigest()
    return f".{name}.{secrets.token_hex(8)}.sima-part"


def _put(temporary: Path, path: Path, *, replace: bool) -> None:
    if replace:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path, follow_symlinks=False)  # never replaces, which a rename would
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise FileExistsError(17, "File exists", str(path)) from None
        temporary.rename(path)


def _hint(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "choose a folder that you may write to"
    if isinstance(error, IsADirectoryError):
        return "a folder of that name is in the way: move it, or choose another folder or name"
    return "free some disk space or choose another folder"


def _sync_folder(folder: Path) -> None:
    """Makes the rename durable where the system allows it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

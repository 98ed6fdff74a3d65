"""The folder that takes a result: it exists, or its parent does and it is made when the result is written.

In: a path. Out: whether a folder will be, or was, made. Always: a misspelt step in the middle of a path makes nothing;
the error names the nearest folder that exists.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Generator
from pathlib import Path

from sima_compiler.errors import OutputError


def check_folder(folder: Path) -> None:
    """Checks that ``folder`` exists.

    Raises:
        OutputError: it is missing or out of reach, or something else has its name.
    """
    if _is_folder(folder):
        return
    near = nearest_folder(folder)
    raise OutputError(
        f"{folder}: no such folder; the nearest that exists is {near}", hint=f"create it first: mkdir -p {folder}"
    )


def check_output_folder(folder: Path) -> bool:
    """Checks that results can go to ``folder``, before any work; True when it has to be made.

    Raises:
        OutputError: it, or the parent that it is to be made in, is missing or cannot be written to, or something else
            has its name.
    """
    if _is_folder(folder):
        check_writable(folder)
        return False
    parent = folder.absolute().parent
    if not _is_folder(parent):
        raise OutputError(
            f"{folder}: its parent folder does not exist; the nearest that exists is {nearest_folder(folder)}",
            hint=f"only the last folder of a path is created; check the spelling, or: mkdir -p {folder}",
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be created in {parent}", hint="choose a folder that you may write to")
    return True


def check_writable(folder: Path) -> None:
    """Checks that files can be made in ``folder``, which exists.

    Raises:
        OutputError: not by this user, or not at all, as on a read-only disk.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        read_only = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
        reason = os.strerror(errno.EROFS if read_only else errno.EACCES)
        raise OutputError(f"{folder}: cannot be written to: {reason}", hint="choose a folder that you may write to")


@contextlib.contextmanager
def output_folder(folder: Path) -> Generator[bool]:
    """``folder`` for as long as a result is written into it; True when it was made, and it goes again on a failure.

    Raises:
        OutputError: as for `check_output_folder`, and with the system's reason.
    """
    made = check_output_folder(folder)
    if made:
        try:
            folder.mkdir()
        except FileExistsError:  # somebody else's compile was quicker; whatever it is, it gets looked at
            made = check_output_folder(folder)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be created: {error.strerror or error}") from error
    try:
        yield made
    except BaseException:
        if made:
            with contextlib.suppress(OSError):  # whatever else has come to lie in it stays
                folder.rmdir()
        raise


def nearest_folder(path: Path) -> Path:
    """The longest part of ``path`` that is an existing folder."""
    for above in path.absolute().parents:
        with contextlib.suppress(OSError):
            if above.is_dir():
                return above
    return Path(path.anchor or ".")


def _is_folder(folder: Path) -> bool:
    """False when nothing has that name.

    Raises:
        OutputError: it is out of reach, or something else has its name.
    """
    try:
        if folder.is_dir():
            return True
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{folder}: cannot be reached: {reason}", hint="choose another folder") from error
    if os.path.lexists(folder):
        raise OutputError(f"{folder}: not a folder", hint="name a folder to write into")
    return False

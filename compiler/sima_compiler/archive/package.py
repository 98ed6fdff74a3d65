"""Writing an archive: the same members give the same bytes, and a failure leaves the old file or none.

In: names and contents. Out: a gzip-compressed tar at the given path. Plain ustar headers (pax records only for names
that ustar cannot hold), no owner, clock, host or file name in it; every member carries the same date.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from sima_compiler.archive.gzipped import GzipWriter
from sima_compiler.archive.names import FileKind, collision_key, kind_of, safe_name
from sima_compiler.errors import OutputError
from sima_compiler.folders import check_folder

#: Date of every member: noon of 1980-01-01 in UTC. Zip archives know no earlier day, and at noon it is that day west
#: of Greenwich too, so that tools which repack an archive as zip take it wherever they run.
MEMBER_DATE = 315_576_000


def write_archive(path: Path, members: Sequence[tuple[str, bytes]]) -> None:
    """Writes ``members`` (name, content) to ``path``, `*_mpk.json` first, then in the given order.

    Raises:
        OutputError: the folder is missing or read-only, the disk is full, or a name is unusable. Nothing new is left
            behind and an older archive at ``path`` stays as it was; so it does when the process is interrupted.
    """
    ordered = sorted(members, key=lambda member: kind_of(member[0]) is not FileKind.MPK)
    _check_names([name for name, _ in ordered])
    write_atomically(Path(path), lambda file: _write_members(file, ordered))


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Lets ``write`` fill a temporary file beside ``path``, flushes it to disk and renames it.

    Raises:
        OutputError: as for `write_archive`.
    """
    check_folder(path.parent)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}", hint=_hint(error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_members(file: BinaryIO, members: Sequence[tuple[str, bytes]]) -> None:
    packed = GzipWriter(file)
    sink = cast("BinaryIO", packed)  # tarfile asks for no more than `write` and `tell`
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for name, content in members:
            header = tarfile.TarInfo(name)
            header.size = len(content)
            header.mode = 0o644
            header.mtime = MEMBER_DATE
            tar.addfile(header, io.BytesIO(content))
    packed.close()


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not name or safe_name(name) != name:
            raise OutputError(f"{name!r} is not a usable file name inside an archive")
    if len({collision_key(name) for name in names}) != len(names):
        raise OutputError(f"two files of the archive have the same name: {', '.join(names)}")


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

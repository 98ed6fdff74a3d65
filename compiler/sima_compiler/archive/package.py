"""Writing an archive: the same members give the same bytes, and a failure leaves the old file or none.

In: names and contents. Out: a gzip-compressed tar at the given path. Plain ustar headers (pax records only for names
that ustar cannot hold), no owner, clock, host or file name in it; every member carries the same date.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from sima_compiler.archive.gzipped import GzipWriter
from sima_compiler.archive.names import FileKind, collision_key, kind_of, safe_name
from sima_compiler.errors import OutputError
from sima_compiler.files.whole import write_whole

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
    write_whole(Path(path), lambda file: _write_members(file, ordered))


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

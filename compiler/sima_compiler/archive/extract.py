"""Members of an archive as files on disk, only when asked for.

In: checked names, an existing folder, and two sources of bytes. Out: new files below the folder, whole ones. Always
holds: no existing file is replaced, no symbolic link below the folder is followed, and a failure removes what this call
wrote.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from sima_compiler.archive.tarstream import Member, Sink
from sima_compiler.errors import OutputError
from sima_compiler.files.whole import new_file, sweep_temporaries
from sima_compiler.folders import check_folder, check_writable

Stream = Callable[[Callable[[Member], Sink | None]], None]


def extract_members(names: Sequence[str], folder: Path, kept: Mapping[str, bytes], stream: Stream) -> list[Path]:
    """Writes each named member to ``folder / name`` and returns the paths in the same order.

    ``kept`` holds members in memory; ``stream`` reads the archive again for the others, once.

    Raises:
        OutputError: missing or read-only folder, a file or a link in the way, or a full disk.
    """
    check_folder(folder)
    check_writable(folder)
    made: list[Path] = []
    try:
        with ExitStack() as stack:
            targets = {name: _target(folder, name, made) for name in names}
            for below in {target.parent for target in targets.values()}:
                sweep_temporaries(below)
            files = {name: stack.enter_context(_created(target, made)) for name, target in targets.items()}
            for name in files.keys() & kept.keys():
                files[name].write(kept[name])
            others = files.keys() - kept.keys()
            if others:
                stream(lambda member: files[member.name].write if member.name in others else None)
    except OSError as error:
        _remove(made)
        raise OutputError(f"{folder}: cannot extract: {error.strerror or error}") from error
    except BaseException:
        _remove(made)
        raise
    return [folder / name for name in names]


def _target(folder: Path, name: str, made: list[Path]) -> Path:
    """Where a member goes; ``made`` records every folder made for it."""
    target = folder
    for part in name.split("/")[:-1]:
        target = target / part
        if target.is_symlink() or (os.path.lexists(target) and not target.is_dir()):
            raise OutputError(f"{target}: in the way of {name}", hint="extract into an empty folder")
        if not target.exists():
            target.mkdir()
            made.append(target)
    target = folder / name
    if os.path.lexists(target):
        raise OutputError(f"{target}: exists already", hint="extract into an empty folder")
    return target


@contextlib.contextmanager
def _created(target: Path, made: list[Path]) -> Generator[BinaryIO]:
    """A new file that stands under its name at the end of the block; ``made`` records it then."""
    with new_file(target, replace=False) as file:
        yield file
    made.append(target)


def _remove(made: Sequence[Path]) -> None:
    for path in reversed(made):
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()

"""Paths as the contents manager has them -> files below its folder, and nowhere else.

In: a relative path with slashes. Out: the file or folder on disk, links followed. Always holds: what is given out lies
below the served folder after every link, and is hidden only where Jupyter shows hidden files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from jupyter_core.paths import is_hidden
from jupyter_server.services.contents.fileio import FileManagerMixin

from sima_nb.server.errors import NotLocalError, PathError, RequestError

#: Longer paths are no paths; file systems end at 4,096 bytes.
LONGEST = 4096


@dataclass(frozen=True, slots=True)
class ServedFolder:
    """The folder that Jupyter shows. ``root`` has no link in it any more."""

    root: Path
    shows_hidden: bool

    @staticmethod
    def of(manager: Any) -> ServedFolder:
        """The folder of a contents manager.

        Raises:
            NotLocalError: it keeps its files elsewhere.
        """
        root = getattr(manager, "root_dir", "")
        if not isinstance(manager, FileManagerMixin) or not root:
            raise NotLocalError(
                "the files shown here do not lie in a folder of this server, so they cannot be opened in place",
                hint="download the file, or open it in a notebook that reaches it",
            )
        return ServedFolder(Path(str(root)).expanduser().resolve(), bool(getattr(manager, "allow_hidden", False)))

    def file(self, path: str) -> Path:
        """The regular file of that path.

        Raises:
            PathError: there is none that may be shown. RequestError: not a path.
        """
        found = self._resolved(path)
        if not found.is_file():
            raise PathError(f"{path}: {'a folder' if found.is_dir() else 'there is no such file'}")
        return found

    def folder(self, path: str) -> Path:
        """The folder of that path, which exists; the empty path is the served folder itself.

        Raises:
            PathError: there is none that may be shown. RequestError: not a path.
        """
        found = self._resolved(path) if path.strip("/") else self.root
        if not found.is_dir():
            raise PathError(f"{path}: there is no such folder")
        return found

    def output_folder(self, path: str) -> Path:
        """The folder of that path, which exists or whose parent does.

        Raises:
            PathError: neither. RequestError: not a path.
        """
        found = self._resolved(path) if path.strip("/") else self.root
        if not found.is_dir() and (found.exists() or not found.parent.is_dir()):
            raise PathError(
                f"{path}: neither this folder nor the one above it exists", hint="only the last folder is created"
            )
        return found

    def path_of(self, found: Path) -> str:
        """The path, as the contents manager has it, of a file below the folder."""
        return PurePosixPath(found.relative_to(self.root)).as_posix()

    def _resolved(self, path: str) -> Path:
        absent = PathError(f"{path}: there is no such file")
        asked = self.root.joinpath(*_parts(path))
        try:
            found = asked.resolve()
            hidden = not self.shows_hidden and any(map(self._is_hidden, (asked, found)))
        except (OSError, ValueError, RuntimeError) as error:
            raise absent from error
        if hidden or not found.is_relative_to(self.root):
            raise absent
        return found

    def _is_hidden(self, path: Path) -> bool:
        return path.is_relative_to(self.root) and is_hidden(path, self.root)


def _parts(path: str) -> list[str]:
    """The steps of a relative path.

    Raises:
        RequestError: empty, absolute, too long, with a step upwards or with what no path has.
    """
    if not path or len(path) > LONGEST:
        raise RequestError("which file? the request names no path, or one that is too long")
    odd = "\0" in path or os.path.splitdrive(path)[0] or (os.sep != "/" and os.sep in path)
    parts = path.split("/")
    if odd or path.startswith("/") or ".." in parts:
        raise RequestError(f"{path}: not a path below the served folder")
    return [part for part in parts if part not in ("", ".")]

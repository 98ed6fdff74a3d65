"""Files that were asked for lately, opened once and kept until they change.

In: a path below the served folder. Out: an `Opened`. Always holds: two requests for the same file at the same time open
it once; what is given out is as new as the file on disk; no more than so many are kept.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sima_nb.server.errors import PathError
from sima_nb.server.pool import Cancellation

if TYPE_CHECKING:
    from sima_compiler import Limits
    from sima_compiler.view import Preview
    from sima_nb.server.recognition import Document


def identity_of(path: Path) -> str:
    """Changes whenever the file does.

    Raises:
        PathError: it is gone.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - one call for all four numbers
    except OSError as error:
        raise PathError(f"{path}: cannot be read: {error.strerror or error}") from error
    return f"{status.st_dev:x}-{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"


@dataclass(frozen=True, slots=True)
class Opened:
    """A document as it was when its file had this ``identity``."""

    identity: str
    document: Document
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def page(self, member: str, page: int, search: str, cancellation: Cancellation) -> Preview:
        """A page of a member; one request at a time, because the pages of a member are kept.

        Raises:
            PathError: the file is no archive. ArchiveError: no such member, or the archive has changed.
        """
        kept = self.document.previews
        if kept is None:
            raise PathError(f"{member}: the file is no archive, so nothing lies in it")
        with self.lock:
            watched = kept.watched(cancellation.check)
            return watched.page(member, page, search)


class OpenFiles:
    """The last ``most`` files that were opened."""

    def __init__(self, most: int, limits: Limits) -> None:
        self._most = most
        self._limits = limits
        self._kept: OrderedDict[Path, Opened] = OrderedDict()
        self._opening: dict[Path, threading.Lock] = {}
        self._guard = threading.Lock()

    def open(self, path: Path, name: str, cancellation: Cancellation) -> Opened:
        """The opened file; ``name`` is its path as the user knows it.

        Raises:
            ArchiveError: it cannot be read. PathError: it is gone. ClientLeftError: nobody waits any more.
        """
        with self._guard:
            lock = self._opening.setdefault(path, threading.Lock())
        with lock:
            from sima_nb.server.recognition import document_of  # the reader is loaded when a file is opened

            cancellation.check()
            identity = identity_of(path)
            found = self._known(path, identity)
            if found is None:
                found = Opened(identity, document_of(path, name, self._limits, cancellation.check))
                found = replace(found, document=_unwatched(found.document))
                self._keep(path, found)
        return found

    def _known(self, path: Path, identity: str) -> Opened | None:
        with self._guard:
            found = self._kept.get(path)
            if found is None or found.identity != identity:
                return None
            self._kept.move_to_end(path)
            return found

    def _keep(self, path: Path, opened: Opened) -> None:
        with self._guard:
            self._kept[path] = opened
            self._kept.move_to_end(path)
            while len(self._kept) > self._most:
                gone, _ = self._kept.popitem(last=False)
                self._opening.pop(gone, None)


def _unwatched(document: Document) -> Document:
    """The document without the watch of the request that opened it."""
    if document.previews is None:
        return document
    return replace(document, previews=document.previews.watched(lambda: None))

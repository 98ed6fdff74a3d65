"""What a file is, by what it holds: ours in one of four kinds, or a sentence about what it is instead.

In: a file and the name that the user knows it by. Out: a `Document`. Always holds: a damaged or hostile file of ours is
an error that names the cause; a sound file of another kind is a document whose sentence says what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sima_compiler import Archive, ArchiveError, Limits, MlaStats, SizeLimitError
from sima_compiler.view import MemberPreviews, View, view_of, view_of_stats

Kind = Literal["archive", "stats", "pipeline", "model", "other"]
Watch = Callable[[], None]

_HEAD = 4096
_MODELS = (".sima", ".onnx")
_YAML = (".yaml", ".yml")
#: First bytes -> what a file is; for files that end up here by *Open With*.
_MAGIC = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x7fELF", "an ELF program"),
    (b"\x89PNG", "a PNG image"),
    (b"%PDF", "a PDF document"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstandard file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
)
#: What says by its name that it is statistics, so that damage in it is an error; browsers number what they download.
_STATISTICS = re.compile(r"mla_stats( ?\(\d+\))?\.ya?ml$")
_OURS = "an archive (*.tar.gz with a *_mpk.json), MLA statistics, a *_mpk.json or a model opens here"


@dataclass(frozen=True, slots=True)
class Document:
    """A recognised file: ``view`` for the first three kinds, ``previews`` for archives, ``sentence`` for others.

    A model is compiled, not shown, so nothing of it is read here.
    """

    kind: Kind
    view: View | None = None
    previews: MemberPreviews | None = None
    sentence: str = ""
    hint: str = ""


def document_of(path: Path, name: str, limits: Limits, watch: Watch) -> Document:
    """What the file is; ``name`` is its path as the user knows it, ``watch`` may stop the reading.

    Raises:
        ArchiveError: an archive, statistics or pipeline that is damaged, hostile, too large or too new.
    """
    ending = path.name.lower()
    if ending.endswith(_MODELS):
        return Document("model")
    head = _head_of(path)
    if head.startswith(b"\x1f\x8b"):
        return _archive(path, name, limits, watch)
    magic = next((what for start, what in _MAGIC if head.startswith(start)), "")
    if magic or not head:
        return _other(name, magic or "an empty file")
    if b"\0" in head:
        return _other(name, "a binary file of another kind")
    if ending.endswith(_YAML):
        return _statistics(path, name, limits, watch)
    if ending.endswith(".json") or head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return _json(path, name, limits)
    return _other(name, "a text file of another kind")


def _head_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror or error}") from error


def _archive(path: Path, name: str, limits: Limits, watch: Watch) -> Document:
    archive = Archive.open(path, limits=limits, watch=watch)
    return Document("archive", _named(view_of(archive), name), MemberPreviews(archive))


def _named(view: View, name: str) -> View:
    """The path that a viewer shows is the one that the file browser has."""
    return replace(view, path=name)


def _statistics(path: Path, name: str, limits: Limits, watch: Watch) -> Document:
    _check_size(path, name, limits.yaml_bytes)
    try:
        stats = MlaStats.read(path, watch=watch)
    except ArchiveError as error:
        if _STATISTICS.search(path.name.lower()):
            raise
        return _other(name, "YAML, but no MLA statistics", _first_line(error.message))
    watch()
    return Document("stats", view_of_stats(stats, name))


def _json(path: Path, name: str, limits: Limits) -> Document:
    _check_size(path, name, limits.json_bytes)
    found = _parsed(path)
    if path.name.lower().endswith("mpk.json") or (isinstance(found, dict) and "plugins" in found):
        return Document("pipeline", _named(view_of(Archive.of_pipeline(path, limits=limits)), name))
    return _other(name, _json_kind(found))


def _parsed(path: Path) -> Any:
    """The value, or None where it is no JSON: a pipeline is read again, strictly."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError):
        return None


def _json_kind(found: Any) -> str:
    if isinstance(found, dict):
        if {"schema_version", "candidates"} <= found.keys():
            return "the compile report of an archive, which shows it when it is opened as a whole"
        names = ", ".join(str(key)[:40] for key in list(found)[:5])
        return f"a JSON object with {names}" if names else "an empty JSON object"
    return f"a JSON list of {len(found)}" if isinstance(found, list) else "no JSON that can be read"


def _check_size(path: Path, name: str, most: int) -> None:
    found = path.stat().st_size
    if found > most:
        raise SizeLimitError(
            f"{name}: {found:,} bytes, the limit is {most:,}", hint="raise it in the server's settings, SimaNb.*_bytes"
        )


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _other(name: str, what: str, hint: str = "") -> Document:
    return Document("other", sentence=f"{name} is {what}; {_OURS}.", hint=hint)

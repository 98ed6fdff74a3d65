"""The members of a tar stream, in order, each checked before its bytes are handed on.

In: a `GzipStream`. Out: a `Member` per file and folder; a file's bytes go chunk by chunk to the sink that the caller
chose for it. Accepts ustar, GNU and pax headers. Always holds: names are safe and unique, only plain files and folders
pass, every header's checksum is right, and the stream ends with the two zero blocks that tar demands.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sima_compiler.archive.gunzip import GzipStream, Limits
from sima_compiler.archive.names import FileKind, collision_key, kind_of, safe_name
from sima_compiler.errors import InvalidArchiveError, SizeLimitError

BLOCK = 512
_CHUNK = 1 << 20
_LARGEST_EXTENSION = 1 << 20
_MOST_EXTENSIONS = 4
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)
_EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME)
_FORBIDDEN = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.GNUTYPE_LONGLINK: "a link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


@dataclass(frozen=True, slots=True)
class Member:
    """One file or folder; ``size`` in bytes, 0 for folders."""

    name: str
    size: int
    is_folder: bool = False

    @property
    def kind(self) -> FileKind:
        """What the file is, told by its name."""
        return kind_of(self.name)


Sink = Callable[[bytes], object]


@dataclass(slots=True)
class _Seen:
    """Collision keys met so far (``folders`` also those implied by a file's path), and running totals."""

    files: set[str] = field(default_factory=set[str])
    folders: set[str] = field(default_factory=set[str])
    listed: set[str] = field(default_factory=set[str])
    entries: int = 0
    total: int = 0


def walk(stream: GzipStream, limits: Limits, choose: Callable[[Member], Sink | None]) -> Iterator[Member]:
    """Members in order. ``choose`` is asked before a file's bytes are read and returns where they go, or None.

    Raises:
        InvalidArchiveError, PathTraversalError, SizeLimitError: as the module says; ``entry`` names the member.
    """
    seen = _Seen()
    while (member := _next_member(stream, first=not seen.entries)) is not None:
        _check_limits(member, seen, limits)
        if not member.name and member.is_folder:
            continue
        _check_unique(member, seen)
        _copy(stream, member, None if member.is_folder else choose(member))
        yield member
    _expect_end(stream)
    if not seen.files:
        raise InvalidArchiveError("the archive is empty")


def _next_member(stream: GzipStream, *, first: bool) -> Member | None:
    overrides: dict[str, str] = {}
    for _ in range(_MOST_EXTENSIONS + 1):
        block = stream.read(BLOCK)
        if block.count(0) == BLOCK and not overrides:
            return None
        header = _header(block, first)
        if header.type in _EXTENSIONS:
            overrides |= _extension(stream, header)
            continue
        return _member(header, overrides)
    raise InvalidArchiveError(f"more than {_MOST_EXTENSIONS} extended headers before one entry")


def _header(block: bytes, first: bool) -> tarfile.TarInfo:
    if len(block) < BLOCK:
        raise InvalidArchiveError("truncated: the tar data ends inside a header or without its end marker")
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        what = "not a tar archive" if first else "corrupt tar header"
        raise InvalidArchiveError(f"{what} ({error})") from error
    if header.size < 0:
        raise InvalidArchiveError("corrupt tar header (negative size)")
    return header


def _extension(stream: GzipStream, header: tarfile.TarInfo) -> dict[str, str]:
    """The name and size that a pax or GNU header gives to the next entry."""
    if header.size > _LARGEST_EXTENSION:
        raise SizeLimitError(f"an extended header of {header.size} bytes, the limit is {_LARGEST_EXTENSION}")
    data = _exactly(stream, header.size, "an extended header")
    _exactly(stream, -header.size % BLOCK, "an extended header")
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")}
    records = _pax_records(data)
    odd = [key for key in records if key == "linkpath" or key.startswith("GNU.sparse")]
    if odd:
        raise InvalidArchiveError(f"an extended header announces a link or a sparse file ({odd[0]})")
    if header.type == tarfile.XGLTYPE:
        if {"path", "size"} & records.keys():
            raise InvalidArchiveError("a global header sets a path or a size")
        return {}
    return {key: value for key, value in records.items() if key in ("path", "size")}


def _pax_records(data: bytes) -> dict[str, str]:
    records: dict[str, str] = {}
    while data:
        length_text, _, rest = data.partition(b" ")
        length = int(length_text) if length_text.isdigit() and len(length_text) < 8 else 0
        record = rest[: length - len(length_text) - 1]
        if length <= len(length_text) + 1 or len(data) < length or not record.endswith(b"\n") or b"=" not in record:
            raise InvalidArchiveError("corrupt extended tar header")
        key, _, value = record[:-1].partition(b"=")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[length:]
    return records


def _member(header: tarfile.TarInfo, overrides: dict[str, str]) -> Member:
    raw = overrides.get("path", header.name)
    if header.type in _FORBIDDEN or not (header.type in _FILES or header.isdir()):
        what = _FORBIDDEN.get(header.type, f"of the unknown tar type {header.type!r}")
        raise InvalidArchiveError(f"entry {raw!a} is {what}", entry=ascii(raw)[1:-1])
    size = overrides.get("size", str(header.size))
    if not (size.isascii() and size.isdigit() and len(size) < 20):
        raise InvalidArchiveError(f"entry {raw!a}: corrupt size {size[:30]!r}", entry=ascii(raw)[1:-1])
    is_folder = header.isdir() or raw.endswith("/")
    name = safe_name(raw)
    if is_folder and int(size):
        raise InvalidArchiveError(f"entry {name}: a folder with {size} bytes of content", entry=name)
    if not name and not is_folder:
        raise InvalidArchiveError("an entry without a name")
    return Member(name, int(size), is_folder)


def _check_limits(member: Member, seen: _Seen, limits: Limits) -> None:
    name = member.name
    seen.entries += 1
    seen.total += member.size
    caps = {FileKind.MPK: limits.json_bytes, FileKind.REPORT: limits.json_bytes, FileKind.JSON: limits.json_bytes}
    caps |= {FileKind.STATS: limits.yaml_bytes, FileKind.YAML: limits.yaml_bytes}
    cap = min(caps.get(member.kind, limits.entry_bytes), limits.entry_bytes)
    if seen.entries > limits.entries:
        raise SizeLimitError(f"entry {name}: more than {limits.entries} entries", entry=name)
    if member.size > cap:
        raise SizeLimitError(f"entry {name}: {member.size} bytes, the limit is {cap}", entry=name)
    if seen.total > limits.total_bytes:
        raise SizeLimitError(
            f"entry {name} brings the total to {seen.total} bytes, the limit is {limits.total_bytes}", entry=name
        )


def _check_unique(member: Member, seen: _Seen) -> None:
    key = collision_key(member.name)
    parts = key.split("/")
    parents = {"/".join(parts[:count]) for count in range(1, len(parts))}
    if key in seen.listed or (not member.is_folder and key in seen.folders):
        raise InvalidArchiveError(f"entry {member.name} appears twice", entry=member.name)
    if parents & seen.files:
        raise InvalidArchiveError(f"entry {member.name} lies inside another entry that is a file", entry=member.name)
    seen.listed.add(key)
    seen.folders |= parents
    (seen.folders if member.is_folder else seen.files).add(key)


def _copy(stream: GzipStream, member: Member, sink: Sink | None) -> None:
    left = member.size
    while left:
        chunk = _exactly(stream, min(left, _CHUNK), f"entry {member.name}")
        left -= len(chunk)
        if sink:
            sink(chunk)
    _exactly(stream, -member.size % BLOCK, f"entry {member.name}")


def _exactly(stream: GzipStream, size: int, what: str) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise InvalidArchiveError(f"truncated: the tar data ends inside {what}")
    return data


def _expect_end(stream: GzipStream) -> None:
    """After the first zero block: one more, then nothing but zeros, then the end of the file."""
    rest = stream.read(BLOCK)
    if len(rest) < BLOCK:
        raise InvalidArchiveError("truncated: the tar data ends without its end marker")
    while rest:
        if rest.count(0) != len(rest):
            raise InvalidArchiveError("trailing bytes after the end of the tar data")
        rest = stream.read(_CHUNK)

"""The header of an `.lm` file: read first, checked before anything else is believed.

In: the file's bytes. Out: an `LmHeader`. Always holds: when it returns, magic, version, length and the checksum of
every byte are right, and each section of the table lies inside the file, one after the other without gaps.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from sima_compiler.errors import LmError
from sima_compiler.lm import format as lm
from sima_compiler.lm.fields import Cursor

_REBUILD = "the file is damaged: build it again"


@dataclass(frozen=True, slots=True)
class SectionEntry:
    """One row of the section table. ``code`` is a `format.Section`, or unknown to this release."""

    code: int
    offset: int
    bytes: int
    crc: int


@dataclass(frozen=True, slots=True)
class LmHeader:
    """What the header says. ``machine`` is the machine description's name, ``segment`` e.g. ``MLA_0``."""

    major: int
    minor: int
    machine: str
    segment: str
    quads: int
    batch: int
    compressed: bool
    file_bytes: int
    sections: tuple[SectionEntry, ...]

    def section(self, code: int) -> SectionEntry:
        """The only section of that code.

        Raises:
            LmError: none, or more than one.
        """
        found = [entry for entry in self.sections if entry.code == code]
        if len(found) != 1:
            raise LmError(f"header: section {lm.Section(code).name} appears {len(found)} times", hint=_REBUILD)
        return found[0]


def read_header(data: bytes) -> LmHeader:
    """The checked header of an `.lm` file.

    Raises:
        LmError: not an `.lm` file, too new, truncated, too long, or any byte changed.
    """
    if len(data) < len(lm.MAGIC) or data[: len(lm.MAGIC)] != lm.MAGIC:
        raise LmError("not an .lm file: it does not begin with the format's magic", hint="is this another file?")
    if len(data) < lm.HEADER.size + lm.TRAILER.size:
        raise LmError(f"truncated: {len(data)} bytes are less than a header", hint=_REBUILD)
    _, major, minor, header_bytes, file_bytes, quads, batch, flags, count = lm.HEADER.unpack_from(data)
    _check_version(major, minor)
    _check_length(data, file_bytes, header_bytes, count)
    _check_sum(data)
    if not (0 < quads <= lm.MAX_QUADS and 0 < batch <= lm.MAX_BATCH):
        raise LmError(f"header: {quads} quads, batch {batch}: limits are {lm.MAX_QUADS} and {lm.MAX_BATCH}")
    sections = _read_table(data, count, header_bytes)
    cursor = Cursor(data, lm.HEADER.size + count * lm.SECTION.size, header_bytes, "header")
    machine, segment = lm.NAME.read(cursor), lm.NAME.read(cursor)
    compressed = bool(flags & lm.FLAG_COMPRESSED)
    return LmHeader(
        major=major,
        minor=minor,
        machine=machine,
        segment=segment,
        quads=quads,
        batch=batch,
        compressed=compressed,
        file_bytes=file_bytes,
        sections=sections,
    )


def _check_version(major: int, minor: int) -> None:
    if major > lm.MAJOR:
        raise LmError(
            f"this .lm has format {major}.{minor}; this release reads up to {lm.MAJOR}.x",
            hint="install a newer release, or compile the model again with this one",
        )
    if major < 1:
        raise LmError(f"header: there is no format {major}.{minor}", hint=_REBUILD)


def _check_length(data: bytes, file_bytes: int, header_bytes: int, count: int) -> None:
    if file_bytes != len(data):
        word = "truncated" if len(data) < file_bytes else "too long"
        raise LmError(f"{word}: the header says {file_bytes} bytes, found {len(data)}", hint=_REBUILD)
    least = lm.HEADER.size + count * lm.SECTION.size
    if count > lm.MAX_SECTIONS or not least <= header_bytes <= file_bytes - lm.TRAILER.size:
        raise LmError(f"header: {count} sections in a header of {header_bytes} bytes", hint=_REBUILD)


def _check_sum(data: bytes) -> None:
    (stated,) = struct.unpack_from("<I", data, len(data) - lm.TRAILER.size)
    found = zlib.crc32(memoryview(data)[: -lm.TRAILER.size])
    if stated != found:
        raise LmError(f"checksum: the file's bytes give {found:08x}, it states {stated:08x}", hint=_REBUILD)


def _read_table(data: bytes, count: int, header_bytes: int) -> tuple[SectionEntry, ...]:
    expected, entries = header_bytes, list[SectionEntry]()
    for index in range(count):
        entry = SectionEntry(*lm.SECTION.unpack_from(data, lm.HEADER.size + index * lm.SECTION.size))
        if entry.offset != expected or entry.offset + entry.bytes > len(data) - lm.TRAILER.size:
            raise LmError(f"header: section {entry.code} at byte {entry.offset} leaves a gap or the file")
        if zlib.crc32(memoryview(data)[entry.offset : entry.offset + entry.bytes]) != entry.crc:
            raise LmError(f"checksum: section {entry.code} does not match the table", hint=_REBUILD)
        expected += entry.bytes
        entries.append(entry)
    if expected != len(data) - lm.TRAILER.size:
        raise LmError(f"header: the sections end at byte {expected} of {len(data)}", hint=_REBUILD)
    return tuple(entries)

"""Members of an archive as pages of text: what an archive tree shows of a file, searched where it lies.

In: an opened `Archive`, a member's name, a page, a text to look for. Out: `Preview`. JSON is indented, an `.lm` is
disassembled, an ELF file is its symbols and the C that a host segment was built from, other binaries are bytes in
hexadecimal. Always holds: a page costs no more than its lines to send, whatever the member; what is too large to be
looked at is a sentence with what to do instead.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sima_compiler.archive.elf import ELF_MAGIC, read_elf
from sima_compiler.archive.host_segments import read_source
from sima_compiler.archive.names import FileKind
from sima_compiler.archive.reader import Archive, FileEntry
from sima_compiler.archive.tree import human_size
from sima_compiler.errors import SimaError

#: Lines of a page: a few screens, about 20 kB of a listing.
PAGE_LINES = 200
#: A longer line is cut here and says so; names of 5,000 characters exist, lines of a megabyte too.
LONGEST_LINE = 2_000
#: Texts beyond this are refused; it is what the reader allows for one JSON member.
LARGEST_TEXT = 32 * 1024 * 1024
#: An `.lm` is decoded with its weights to be listed; VGG19, the largest network of the benchmarks, has 120 MiB.
LARGEST_LISTING = 512 * 1024 * 1024
#: Of other binaries the head is shown.
HEX_BYTES = 64 * 1024
#: Members whose lines are kept: turning pages of two or three files decodes each once.
KEPT_MEMBERS = 3


@dataclass(frozen=True, slots=True)
class Preview:
    """One page of a member. ``kind``: json, yaml, listing, symbols, text, hex, or refused (then ``lines`` say why).

    ``first_line`` counts from 1, ``page`` from 0. ``hits`` counts lines with the text looked for in the whole member;
    ``hit_pages`` are the pages that hold them.
    """

    member: str
    kind: str
    lines: tuple[str, ...]
    page: int
    pages: int
    first_line: int
    hits: int = 0
    hit_pages: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class _Pages:
    kind: str
    lines: Sequence[str]


@dataclass(slots=True)
class MemberPreviews:
    """Pages of one archive's members; the lines of the last few members are kept."""

    archive: Archive
    _known: OrderedDict[str, _Pages] = field(default_factory=OrderedDict[str, _Pages], repr=False)

    def watched(self, watch: Callable[[], None]) -> MemberPreviews:
        """The same pages, for a caller whose ``watch`` may stop the reading of more."""
        return replace(self, archive=self.archive.watched(watch))

    def page(self, member: str, page: int = 0, search: str = "") -> Preview:
        """Page ``page`` of ``member`` (the nearest one where there are fewer), searched without regard to case.

        Raises:
            ArchiveError: no such member, or the archive on disk has changed.
        """
        found = self._pages(member)
        pages = max(1, -(-len(found.lines) // PAGE_LINES))
        page = min(max(page, 0), pages - 1)
        hits = _hits(found.lines, search)
        start = page * PAGE_LINES
        return Preview(
            member=member,
            kind=found.kind,
            lines=tuple(_short(line) for line in found.lines[start : start + PAGE_LINES]),
            page=page,
            pages=pages,
            first_line=start + 1,
            hits=len(hits),
            hit_pages=tuple(sorted({line // PAGE_LINES for line in hits})),
        )

    def _pages(self, member: str) -> _Pages:
        if member not in self._known:
            self._known[member] = _read(self.archive, member)
            while len(self._known) > KEPT_MEMBERS:
                self._known.popitem(last=False)
        self._known.move_to_end(member)
        return self._known[member]


def _read(archive: Archive, member: str) -> _Pages:
    entry = next((file for file in archive.files if file.name == member), None)
    if entry is None:
        archive.read(member)  # raises the error that names what there is
    assert entry is not None
    try:
        return _reader(archive, entry)(archive, entry)
    except SimaError as error:
        return _Pages("refused", [error.message, *([error.hint] if error.hint else [])])


def _reader(archive: Archive, entry: FileEntry) -> Callable[[Archive, FileEntry], _Pages]:
    if entry.kind is FileKind.MLA and entry.name.endswith(".lm"):
        return _listing
    if entry.name.endswith(".json"):
        return _json
    if entry.name.endswith((".yaml", ".yml")):
        return lambda archive, entry: _text(archive, entry, "yaml")
    head = archive.read_head(entry.name, HEX_BYTES)
    if head.startswith(ELF_MAGIC):
        return _symbols
    return _hex if b"\0" in head else _plain


def _listing(archive: Archive, entry: FileEntry) -> _Pages:
    from sima_compiler.lm.listing import disassemble

    if entry.bytes > LARGEST_LISTING:
        return _too_large(entry, LARGEST_LISTING, f"simac disassemble {archive.path} lists it in a terminal")
    return _Pages("listing", disassemble(archive.read(entry.name)).splitlines())


def _json(archive: Archive, entry: FileEntry) -> _Pages:
    found = _text(archive, entry, "json")
    try:
        parsed = json.loads("\n".join(found.lines)) if found.kind == "json" else None
    except (ValueError, RecursionError):
        return _Pages("text", found.lines)
    return _Pages("json", json.dumps(parsed, indent=2, ensure_ascii=False).split("\n")) if parsed is not None else found


def _plain(archive: Archive, entry: FileEntry) -> _Pages:
    return _text(archive, entry, "text")


def _text(archive: Archive, entry: FileEntry, kind: str) -> _Pages:
    if entry.bytes > LARGEST_TEXT:
        return _too_large(entry, LARGEST_TEXT, "extract it and open it with an editor")
    return _Pages(kind, archive.read(entry.name).decode("utf-8", "replace").split("\n"))


def _symbols(archive: Archive, entry: FileEntry) -> _Pages:
    if entry.bytes > LARGEST_LISTING:
        return _too_large(entry, LARGEST_LISTING, "extract it and use readelf --symbols")
    data = archive.read(entry.name)
    found, source = read_elf(data, entry.name), read_source(data, entry.name)
    rows = [
        f"{symbol.address:>16x} {symbol.bytes:>10,} {symbol.binding:<7} {symbol.kind or '-':<12} "
        f"{symbol.name}{'' if symbol.is_defined else '  (from elsewhere)'}"
        for symbol in found.symbols
    ]
    title = f"ELF file for {found.machine}, {len(rows):,} symbols"
    head = f"{'address':>16} {'bytes':>10} {'binding':<7} {'kind':<12} name"
    written = [] if source is None else ["", "built from", "", *source.split("\n")]
    return _Pages("symbols", [title, "", head, *rows, *written])


def _hex(archive: Archive, entry: FileEntry) -> _Pages:
    data = archive.read_head(entry.name, HEX_BYTES)
    rows = [_hex_row(place, data[place : place + 16]) for place in range(0, len(data), 16)]
    rest = entry.bytes - len(data)
    return _Pages("hex", [*rows, f"... {human_size(rest)} more"] if rest else rows)


def _hex_row(place: int, part: bytes) -> str:
    letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
    return f"{place:08x}  {part.hex(' '):<47}  {letters}"


def _too_large(entry: FileEntry, limit: int, instead: str) -> _Pages:
    sentence = f"{human_size(entry.bytes)} are more than the {human_size(limit)} that a preview reads."
    return _Pages("refused", [sentence, instead[0].upper() + instead[1:] + "."])


def _hits(lines: Sequence[str], search: str) -> list[int]:
    wanted = search.casefold()
    return [number for number, line in enumerate(lines) if wanted in line.casefold()] if wanted else []


def _short(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[:LONGEST_LINE]}… ({len(line) - LONGEST_LINE:,} more characters)"

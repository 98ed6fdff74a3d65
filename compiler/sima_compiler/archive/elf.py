"""Symbols of an ELF file, such as the `.so` of a host segment: what it defines and what it asks for.

In: the bytes of a 64- or 32-bit ELF file of either byte order. Out: symbols in the file's order. Always holds: every
offset and size is checked against the file before it is followed, so a damaged file ends in `InvalidArchiveError`.
Field layouts are the System V ABI's ("Object Files").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sima_compiler.errors import InvalidArchiveError

ELF_MAGIC = b"\x7fELF"
#: Symbols that are listed at most: real host segments have a few hundred; beyond this a file is broken or hostile.
MOST_SYMBOLS = 100_000

_SYMBOL_TABLES = {2, 11}  # SHT_SYMTAB, SHT_DYNSYM
_NO_BYTES = 8  # SHT_NOBITS
_KINDS = {0: "", 1: "object", 2: "function", 3: "section", 4: "file", 6: "thread-local"}
_BINDINGS = {0: "local", 1: "global", 2: "weak"}
_MACHINES = {3: "x86", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V"}


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol; ``is_defined`` is False for what the file takes from elsewhere. ``bytes`` is its size."""

    name: str
    kind: str
    binding: str
    is_defined: bool
    address: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ElfFile:
    """``machine`` is a word for the processor; ``symbols`` are those that have a name."""

    machine: str
    symbols: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Formats of the file and section headers and of a symbol, for one class and byte order."""

    order: str
    is_64: bool

    @property
    def file_header(self) -> str:
        return self.order + ("HHIQQQIHHHHHH" if self.is_64 else "HHIIIIIHHHHHH")

    @property
    def section_header(self) -> str:
        return self.order + ("IIQQQQIIQQ" if self.is_64 else "IIIIIIIIII")

    @property
    def symbol(self) -> str:
        return self.order + ("IBBHQQ" if self.is_64 else "IIIBBH")


@dataclass(frozen=True, slots=True)
class _Section:
    name: int  # where its name starts in the table of names
    kind: int
    offset: int
    bytes: int
    link: int
    entry_bytes: int


def read_elf(data: bytes, entry: str = "") -> ElfFile:
    """The symbols of an ELF file; ``entry`` names it in errors.

    Raises:
        InvalidArchiveError: no ELF file, or one whose tables lie outside of it.
    """
    layout = _layout(data, entry)
    machine = _unpack(layout.file_header, data, 16, entry)[1]
    sections = _sections(layout, data, entry)
    symbols = tuple(symbol for symbol in _symbols(layout, data, sections, entry) if symbol.name)
    return ElfFile(_MACHINES.get(machine, f"machine {machine}"), symbols)


def section_bytes(data: bytes, name: str, entry: str = "") -> bytes | None:
    """What the section of that name holds; None where there is none.

    Raises:
        InvalidArchiveError: no ELF file, or one whose tables lie outside of it.
    """
    layout = _layout(data, entry)
    sections = _sections(layout, data, entry)
    place = _unpack(layout.file_header, data, 16, entry)[12]
    if place >= len(sections):
        return None
    found = next((part for part in sections if _text(data, sections[place], part.name) == name), None)
    if found is None:
        return None
    if found.kind == _NO_BYTES or found.offset + found.bytes > len(data):
        raise InvalidArchiveError(f"{entry}: damaged: section {name} lies outside of the file", entry=entry)
    return data[found.offset : found.offset + found.bytes]


def _layout(data: bytes, entry: str) -> _Layout:
    if not data.startswith(ELF_MAGIC) or len(data) < 16 or data[4] not in (1, 2) or data[5] not in (1, 2):
        raise InvalidArchiveError(f"{entry}: no ELF file", entry=entry)
    return _Layout("<" if data[5] == 1 else ">", data[4] == 2)


def _sections(layout: _Layout, data: bytes, entry: str) -> list[_Section]:
    header = _unpack(layout.file_header, data, 16, entry)
    table, entry_bytes, count = header[5], header[10], header[11]
    return [_section(layout, data, table + index * entry_bytes, entry) for index in range(count)]


def _section(layout: _Layout, data: bytes, place: int, entry: str) -> _Section:
    found = _unpack(layout.section_header, data, place, entry)
    return _Section(name=found[0], kind=found[1], offset=found[4], bytes=found[5], link=found[6], entry_bytes=found[9])


def _symbols(layout: _Layout, data: bytes, sections: list[_Section], entry: str) -> Iterator[Symbol]:
    """Those of the full table where there is one; a stripped file has the dynamic one alone."""
    tables = sorted((s for s in sections if s.kind in _SYMBOL_TABLES), key=lambda section: section.kind)
    for section in tables[:1]:
        step = section.entry_bytes or struct.calcsize(layout.symbol)
        count = section.bytes // step
        if count > MOST_SYMBOLS or section.link >= len(sections):
            raise InvalidArchiveError(f"{entry}: a symbol table of {count:,} entries is damaged", entry=entry)
        names = sections[section.link]
        for index in range(count):
            yield _symbol(layout, data, section.offset + index * step, names, entry)


def _symbol(layout: _Layout, data: bytes, place: int, names: _Section, entry: str) -> Symbol:
    found = _unpack(layout.symbol, data, place, entry)
    if layout.is_64:
        name, info, _, section, address, size = found
    else:
        name, address, size, info, _, section = found
    return Symbol(
        name=_text(data, names, name),
        kind=_KINDS.get(info & 15, "other"),
        binding=_BINDINGS.get(info >> 4, "other"),
        is_defined=section != 0,
        address=address,
        bytes=size,
    )


def _text(data: bytes, names: _Section, place: int) -> str:
    start = names.offset + place
    end = data.find(b"\0", start, names.offset + names.bytes) if place < names.bytes else start
    return data[start : max(end, start)].decode("utf-8", "replace")


def _unpack(layout: str, data: bytes, place: int, entry: str) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, data, place)
    except (struct.error, OverflowError) as error:
        raise InvalidArchiveError(f"{entry}: damaged: a table lies outside of the file", entry=entry) from error

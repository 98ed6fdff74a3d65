"""ELF files written by hand, as a cross compiler would leave them."""

from __future__ import annotations

import struct


def tiny_elf(symbols: list[tuple[bytes, int, int, int, int]]) -> bytes:
    """A 64-bit little-endian AArch64 file of a symbol table and its names, laid out by hand from the ABI's tables."""
    names = b"\0" + b"\0".join(name for name, *_ in symbols) + b"\0"
    table = bytes(24)
    for name, info, section, address, size in symbols:
        table += struct.pack("<IBBHQQ", names.index(name), info, 0, section, address, size)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    at_table, at_names = 64, 64 + len(table)
    at_sections = at_names + len(names)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 183, 1, 0, 0, at_sections, 0, 64, 0, 0, 64, 3, 0)
    sections = bytes(64)
    sections += struct.pack("<IIQQQQIIQQ", 0, 11, 0, 0, at_table, len(table), 2, 1, 8, 24)
    sections += struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, at_names, len(names), 0, 0, 1, 0)
    return header + table + names + sections

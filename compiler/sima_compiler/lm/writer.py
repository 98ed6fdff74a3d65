"""A `Program` as the bytes of an `.lm` file.

In: a `Program`, and its constants as DRAM stores them if they were compressed before. Out: the file's bytes. Always
holds: ``decode(encode(p)) == p``; equal programs give equal bytes. A value that the format cannot hold is an
`InternalError`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from functools import reduce
from itertools import chain

from sima_compiler.errors import InternalError
from sima_compiler.ir.program import Command, Engine, Program
from sima_compiler.lm import format as lm
from sima_compiler.lm.compression import store
from sima_compiler.lm.fields import Kind, write_uint
from sima_compiler.lm.format import Section

_CODES = {record.build: (code, record) for table in lm.OPCODES.values() for code, record in table.items()}


def encode(program: Program, stored: tuple[bytes, ...] | None = None) -> bytes:
    """The `.lm` file of ``program``.

    ``stored`` is what `compression.store` gave for each of ``program.constants``; computed here when absent.

    Raises:
        InternalError: a value, a count or ``stored`` does not fit the format.
    """
    if stored is None:
        stored = tuple(store(constants, program.compressed) for constants in program.constants)
    sections = _sections(program, stored)
    parts = [_header(program, sections), *chain.from_iterable(sections.values())]
    return b"".join([*parts, lm.TRAILER.pack(_checksum(parts))])


def command_bytes(command: Command) -> int:
    """Bytes of one command in its stream, opcode included: what instruction fetch reads for it."""
    return len(encode_command(command))


def encode_command(command: Command) -> bytes:
    """One command: its opcode and its record."""
    try:
        code, record = _CODES[type(command)]
    except KeyError as error:
        raise InternalError(f"encode: no opcode for {type(command).__name__}") from error
    out = bytearray((code,))
    record.write(out, command)
    return bytes(out)


def machine_name(text: str) -> str:
    """The `name` field of a machine description's text, empty when there is none."""
    found = re.search(r"""^name:[ \t]*["']?([^"'#\r\n]+)""", text, re.MULTILINE)
    return found.group(1).strip()[:60] if found else ""


def _checksum(parts: Iterable[bytes]) -> int:
    """CRC-32 of the parts end to end."""
    return reduce(lambda check, part: zlib.crc32(part, check), parts, 0)


def _sections(program: Program, stored: tuple[bytes, ...]) -> dict[Section, tuple[bytes, ...]]:
    """Every section in parts, because joining large constants more than once costs memory."""
    machine = program.machine.encode("utf-8")
    if len(machine) > lm.MAX_MACHINE_BYTES:
        raise InternalError(f"encode: the machine's text has {len(machine)} bytes, limit {lm.MAX_MACHINE_BYTES}")
    return {
        Section.MACHINE: (machine,),
        Section.LAYERS: (_table(lm.PROGRAM_LAYER, program.layers),),
        Section.TENSORS: (_table(lm.DRAM_TENSOR, program.tensors),),
        Section.BUFFERS: (_table(lm.BUFFER, program.buffers),),
        Section.CONSTANTS_INDEX: (_table(lm.CONSTANTS_ENTRY, _entries(program, stored)),),
        Section.CONSTANTS: stored,
        Section.DMA_IN: (_stream(Engine.DMA_IN, program.dma_in),),
        Section.DMA_OUT: (_stream(Engine.DMA_OUT, program.dma_out),),
        Section.COMPUTE: (_stream(Engine.COMPUTE, program.compute),),
    }


def _entries(program: Program, stored: tuple[bytes, ...]) -> tuple[lm.ConstantsEntry, ...]:
    if len(stored) != len(program.constants):
        raise InternalError(f"encode: {len(stored)} stored blocks for {len(program.constants)} blocks of constants")
    return tuple(
        lm.ConstantsEntry(block.name, block.layer, len(block.data), len(data))
        for block, data in zip(program.constants, stored, strict=True)
    )


def _table(kind: Kind, items: tuple[object, ...]) -> bytes:
    out = bytearray()
    write_uint(out, len(items))
    for item in items:
        kind.write(out, item)
    return bytes(out)


def _stream(engine: Engine, commands: tuple[Command, ...]) -> bytes:
    allowed = tuple(record.build for record in lm.OPCODES[engine].values())
    out = bytearray()
    write_uint(out, len(commands))
    for command in commands:
        if type(command) not in allowed:
            raise InternalError(f"encode: {type(command).__name__} is no command of {engine.name}")
        out += encode_command(command)
    return bytes(out)


def _header(program: Program, sections: Mapping[Section, tuple[bytes, ...]]) -> bytes:
    if not (0 < program.quads <= lm.MAX_QUADS and 0 < program.batch <= lm.MAX_BATCH):
        raise InternalError(f"encode: {program.quads} quads and batch {program.batch} do not fit the header")
    names = bytearray()
    lm.NAME.write(names, machine_name(program.machine))
    lm.NAME.write(names, program.segment)
    header_bytes = lm.HEADER.size + len(sections) * lm.SECTION.size + len(names)
    table, offset = bytearray(), header_bytes
    for section, parts in sections.items():
        size = sum(map(len, parts))
        table += lm.SECTION.pack(section, offset, size, _checksum(parts))
        offset += size
    fixed = lm.HEADER.pack(
        lm.MAGIC,
        lm.MAJOR,
        lm.MINOR,
        header_bytes,
        offset + lm.TRAILER.size,
        program.quads,
        program.batch,
        lm.FLAG_COMPRESSED if program.compressed else 0,
        len(sections),
    )
    return fixed + bytes(table) + bytes(names)

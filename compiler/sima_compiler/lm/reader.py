"""The bytes of an `.lm` file as a `Program`.

In: bytes from anywhere. Out: a `Program` in which every index points at something, or `LmError`. Always holds: no
size that the file claims is allocated before it is known to be plausible; ``decode(encode(p)) == p``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

from sima_compiler.errors import LmError
from sima_compiler.ir.commands import buffers_of
from sima_compiler.ir.program import (
    Command,
    Constants,
    Convolve,
    Engine,
    Gather,
    LoadConstants,
    LoadTensor,
    Program,
    StoreTensor,
    part_of,
)
from sima_compiler.lm import format as lm
from sima_compiler.lm.compression import MAX_RATIO, restore
from sima_compiler.lm.fields import Cursor, Kind
from sima_compiler.lm.format import Section
from sima_compiler.lm.header import LmHeader, read_header

__all__ = ["LmFile", "decode", "read", "read_header"]


@dataclass(frozen=True, slots=True)
class LmFile:
    """A decoded file. ``stored_bytes`` is each constants block's size in DRAM, in the program's order.

    ``command_bytes``: per engine, the size of each command in its stream, opcode included.
    """

    header: LmHeader
    program: Program
    stored_bytes: tuple[int, ...]
    command_bytes: tuple[tuple[int, ...], ...]


def decode(data: bytes) -> Program:
    """The program of an `.lm` file.

    Raises:
        LmError: damaged, truncated, too new, an index out of range, or an absurd size.
    """
    return read(data).program


def read(data: bytes) -> LmFile:
    """Header, program and the sizes of its constants as stored. Raises like `decode`."""
    header = read_header(data)
    entries: tuple[lm.ConstantsEntry, ...] = _table(data, header, Section.CONSTANTS_INDEX, lm.CONSTANTS_ENTRY)
    streams = [_stream(data, header, engine) for engine in Engine]
    program = Program(
        segment=header.segment,
        machine=_machine(data, header),
        quads=header.quads,
        batch=header.batch,
        compressed=header.compressed,
        layers=_table(data, header, Section.LAYERS, lm.PROGRAM_LAYER),
        tensors=_table(data, header, Section.TENSORS, lm.DRAM_TENSOR),
        buffers=_table(data, header, Section.BUFFERS, lm.BUFFER),
        constants=_constants(data, header, entries),
        dma_in=streams[Engine.DMA_IN].commands,
        dma_out=streams[Engine.DMA_OUT].commands,
        compute=streams[Engine.COMPUTE].commands,
    )
    _check_tables(program)
    for engine, commands in ((0, program.dma_in), (1, program.dma_out), (2, program.compute)):
        for number, command in enumerate(commands):
            _check_indexes(program, command, f"{Engine(engine).name} command {number}")
    stored = tuple(entry.stored_bytes for entry in entries)
    return LmFile(header, program, stored, tuple(stream.sizes for stream in streams))


def _cursor(data: bytes, header: LmHeader, section: Section) -> Cursor:
    entry = header.section(section)
    return Cursor(data, entry.offset, entry.offset + entry.bytes, f"section {section.name}")


def _machine(data: bytes, header: LmHeader) -> str:
    entry = header.section(Section.MACHINE)
    if entry.bytes > lm.MAX_MACHINE_BYTES:
        raise LmError(f"section MACHINE: {entry.bytes} bytes, the limit is {lm.MAX_MACHINE_BYTES}")
    try:
        return data[entry.offset : entry.offset + entry.bytes].decode("utf-8")
    except UnicodeDecodeError as error:
        raise LmError("section MACHINE: not UTF-8") from error


def _table(data: bytes, header: LmHeader, section: Section, kind: Kind) -> tuple[Any, ...]:
    cursor = _cursor(data, header, section)
    items = tuple(kind.read(cursor) for _ in range(_count(cursor)))
    _check_end(cursor)
    return items


@dataclass(frozen=True, slots=True)
class _Stream:
    """The commands of an engine and their sizes."""

    commands: tuple[Any, ...]
    sizes: tuple[int, ...]


def _stream(data: bytes, header: LmHeader, engine: Engine) -> _Stream:
    cursor = _cursor(data, header, lm.STREAM_SECTIONS[engine])
    table = lm.OPCODES[engine]
    commands: list[Command] = []
    count = _count(cursor)
    left = [cursor.remaining]
    for _ in range(count):
        code = cursor.byte()
        if code not in table:
            raise cursor.fail(f"{engine.name} has no opcode {code:#04x}")
        commands.append(table[code].read(cursor))
        left.append(cursor.remaining)
    _check_end(cursor)
    return _Stream(tuple(commands), tuple(before - after for before, after in pairwise(left)))


def _count(cursor: Cursor) -> int:
    count = cursor.uint()
    if count > cursor.remaining:
        raise cursor.fail(f"{count} entries in {cursor.remaining} bytes")
    return count


def _check_end(cursor: Cursor) -> None:
    if cursor.remaining:
        raise cursor.fail(f"{cursor.remaining} bytes follow the last entry")


def _constants(data: bytes, header: LmHeader, entries: tuple[lm.ConstantsEntry, ...]) -> tuple[Constants, ...]:
    section = header.section(Section.CONSTANTS)
    if sum(entry.stored_bytes for entry in entries) != section.bytes:
        raise LmError(f"section CONSTANTS: {section.bytes} bytes do not match its index")
    offset, blocks = section.offset, list[Constants]()
    for entry in entries:
        if entry.raw_bytes > MAX_RATIO * entry.stored_bytes:
            raise LmError(f"constants {entry.name!r}: {entry.stored_bytes} bytes cannot hold {entry.raw_bytes}")
        raw = restore(data[offset : offset + entry.stored_bytes], header.compressed)
        if len(raw) != entry.raw_bytes:
            raise LmError(f"constants {entry.name!r}: {len(raw)} bytes where the index says {entry.raw_bytes}")
        blocks.append(Constants(entry.name, entry.layer, raw))
        offset += entry.stored_bytes
    return tuple(blocks)


def _check_tables(program: Program) -> None:
    for block in program.constants:
        _check_index(block.layer, len(program.layers), f"constants {block.name!r}", "layer")
    for tensor in program.tensors:
        if tensor.address + tensor.bytes > lm.MAX_TENSOR_AREA:
            raise LmError(f"tensor {tensor.name!r}: ends at byte {tensor.address + tensor.bytes} of DRAM: absurd")
        values = tensor.samples * tensor.rows * tensor.columns * tensor.channels
        if tensor.bytes > lm.MAX_TENSOR_SPREAD * values + 4096:
            raise LmError(f"tensor {tensor.name!r}: {tensor.bytes} bytes for {values} values: absurd")
        if sorted(tensor.source_axes) != list(range(len(tensor.source_shape))):
            raise LmError(f"tensor {tensor.name!r}: source axes {tensor.source_axes} are no permutation")
        if prod(tensor.source_shape) != tensor.rows * tensor.columns * tensor.channels:
            raise LmError(f"tensor {tensor.name!r}: source shape {tensor.source_shape} has another number of values")
    for buffer in program.buffers:
        if buffer.address + buffer.bytes > lm.MAX_CHIP_BYTES:
            raise LmError(f"buffer {buffer.name!r}: ends at byte {buffer.address + buffer.bytes} on chip: absurd")


def _check_index(index: int, count: int, where: str, what: str, least: int = 0) -> None:
    if not least <= index < count:
        raise LmError(f"{where}: there is no {what} {index}; the file has {count}", hint="build it again")


def _check_indexes(program: Program, command: Command, where: str) -> None:
    _check_index(command.layer, len(program.layers), where, "layer")
    if isinstance(command, LoadTensor | StoreTensor):
        _check_index(command.tensor, len(program.tensors), where, "tensor")
    if isinstance(command, LoadConstants):
        _check_index(command.constants, len(program.constants), where, "constants block")
    for buffer in buffers_of(command):
        _check_index(buffer, len(program.buffers), where, "buffer")
    if isinstance(command, Convolve):
        spread = command.mapping
        if min(spread.pixels, spread.outputs, spread.contraction) < 1:
            raise LmError(f"{where}: a split of the tiles into 0 parts", hint="build it again")
    extras = [getattr(command, name, None) for name in ("has_lookup", "binary", "real")]
    if not part_of(command).finishes and any(extras):
        found = "a part that does not finish has a lookup, a second operand or a real bias"
        raise LmError(f"{where}: {found}", hint="build it again")
    if isinstance(command, Gather):
        ranks = {len(command.sizes), len(command.source_strides), len(command.target_strides)}
        if len(ranks) != 1:
            raise LmError(f"{where}: sizes and strides have different lengths {sorted(ranks)}")

"""Programs survive the trip through bytes; the header tells the truth; versions behave as promised."""

from __future__ import annotations

import struct
import zlib
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings

from sima_compiler.errors import InternalError, LmError
from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.program import Engine, Fill, Operand, Program, Wait
from sima_compiler.lm import format as lm
from sima_compiler.lm.compression import store
from sima_compiler.lm.reader import decode, read, read_header
from sima_compiler.lm.writer import command_bytes, encode, encode_command
from tests.lm.programs import programs

RECORDS = [*lm.PARTS, *lm.TABLES, *(record for table in lm.OPCODES.values() for record in table.values())]
relaxed = settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@given(programs())
@relaxed
def test_decode_inverts_encode(program: Program) -> None:
    data = encode(program)
    assert decode(data) == program
    assert encode(program) == data


@given(programs())
@relaxed
def test_instruction_bytes_are_what_the_streams_hold(program: Program) -> None:
    data = encode(program)
    header, sizes = read_header(data), read(data).command_bytes
    streams = {Engine.DMA_IN: program.dma_in, Engine.DMA_OUT: program.dma_out, Engine.COMPUTE: program.compute}
    for engine, commands in streams.items():
        section = header.section(lm.STREAM_SECTIONS[engine])
        assert section.bytes == 1 + sum(sizes[engine])
        assert sizes[engine] == tuple(command_bytes(command) for command in commands)


@given(programs())
@settings(relaxed, max_examples=30)
def test_constants_compressed_before_give_the_same_file(program: Program) -> None:
    stored = tuple(store(block, program.compressed) for block in program.constants)
    data = encode(program, stored)
    assert data == encode(program)
    assert read(data).stored_bytes == tuple(map(len, stored))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_lists_every_field_of_its_dataclass_in_order(record: object) -> None:
    assert [field.name for field in record.fields] == [field.name for field in fields(record.build)]


def test_header_says_what_the_program_is(program: Program) -> None:
    header = read_header(encode(program))
    assert (header.major, header.minor, header.machine) == (lm.MAJOR, lm.MINOR, "tiny")
    assert (header.segment, header.quads, header.batch) == ("MLA_0", 2, 3)
    assert header.compressed is program.compressed
    assert [entry.code for entry in header.sections] == [int(section) for section in lm.Section]


def test_raw_constants_lie_in_the_file_as_they_are(program: Program) -> None:
    block = bytes(range(200)) * 4
    constants = (replace(program.constants[0], data=block),)
    assert block in encode(replace(program, compressed=False, constants=constants))
    assert block not in encode(replace(program, compressed=True, constants=(replace(constants[0], data=block * 100),)))


def reseal(data: bytes) -> bytes:
    """The same bytes under a right trailer."""
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


def test_a_newer_major_version_is_refused_with_a_sentence(program: Program) -> None:
    data = bytearray(encode(program))
    struct.pack_into("<H", data, 8, lm.MAJOR + 1)
    with pytest.raises(LmError, match=rf"format {lm.MAJOR + 1}\.0; this release reads up to {lm.MAJOR}\.x") as caught:
        decode(reseal(bytes(data)))
    assert "newer release" in caught.value.hint


def test_a_newer_minor_version_with_an_unknown_section_and_a_longer_header_is_read(program: Program) -> None:
    data = bytearray(encode(program))
    magic, major, _, header_bytes, file_bytes, quads, batch, flags, count = lm.HEADER.unpack_from(data)
    grown, extra = 5, b"from the future"
    added = lm.SECTION.size + grown
    body = data[header_bytes:-4] + extra
    table = [list(lm.SECTION.unpack_from(data, lm.HEADER.size + i * lm.SECTION.size)) for i in range(count)]
    table.append([999, len(data) - 4, len(extra), zlib.crc32(extra)])
    head = lm.HEADER.pack(
        magic, major, 7, header_bytes + added, file_bytes + added + len(extra), quads, batch, flags, count + 1
    )
    rows = b"".join(lm.SECTION.pack(code, offset + added, size, crc) for code, offset, size, crc in table)
    names = data[lm.HEADER.size + count * lm.SECTION.size : header_bytes]
    assert decode(reseal(head + rows + bytes(names) + bytes(grown) + bytes(body) + bytes(4))) == program


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"batch": 0}, "batch 0"),
        ({"quads": lm.MAX_QUADS + 1}, "quads"),
        ({"compute": (Fill(0, Wait(-1), Operand(0, 0, 1, 1, 1, 1, 1, 1, 1), 0),)}, "Wait.dma_in"),
        ({"compute": (Fill(0, Wait(), Operand(0, 0, 1, 1, 1, 1, 1, 1, 1), 128),)}, "Fill.value"),
        ({"machine": "x" * 70_000}, "machine"),
    ],
)
def test_what_the_format_cannot_hold_is_our_bug(program: Program, change: dict[str, object], sentence: str) -> None:
    with pytest.raises(InternalError, match=sentence):
        encode(replace(program, **change))


def test_a_scale_that_is_no_float32_is_our_bug(program: Program) -> None:
    tensor = replace(program.tensors[0], quant=Quantization(0.1, 0))
    with pytest.raises(InternalError, match="float32"):
        encode(replace(program, tensors=(tensor,)))


def test_numbers_have_one_encoding_each() -> None:
    sizes = [len(encode_command(Fill(value, Wait(), Operand(*[0] * 10), 0))) for value in (0, 127, 128, 16383, 16384)]
    assert [size - sizes[0] for size in sizes] == [0, 0, 1, 1, 2]

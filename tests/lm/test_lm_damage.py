"""Damaged, truncated, hostile files: one clear LmError each, never another exception, never a silent wrong program."""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sima_compiler.errors import LmError
from sima_compiler.ir.program import Constants, Fill, Gather, LoadConstants, Operand, Program, StoreTensor, Wait
from sima_compiler.lm import format as lm
from sima_compiler.lm.fields import Uint
from sima_compiler.lm.reader import decode, read_header
from sima_compiler.lm.writer import encode

POINT = Operand(0, 0, 1, 1, 1, 1, 1, 1, 1)


def replace_section(data: bytes, section: lm.Section, content: bytes) -> bytes:
    """The file with another content for one section, all sums and offsets right."""
    header = read_header(data)
    _, major, minor, header_bytes, _, quads, batch, flags, count = lm.HEADER.unpack_from(data)
    table, body = b"", b""
    for entry in header.sections:
        part = content if entry.code == section else data[entry.offset : entry.offset + entry.bytes]
        table += lm.SECTION.pack(entry.code, header_bytes + len(body), len(part), zlib.crc32(part))
        body += part
    size = header_bytes + len(body) + 4
    head = lm.HEADER.pack(lm.MAGIC, major, minor, header_bytes, size, quads, batch, flags, count)
    whole = head + table + data[lm.HEADER.size + len(table) : header_bytes] + body
    return whole + struct.pack("<I", zlib.crc32(whole))


def section_bytes(data: bytes, section: lm.Section) -> bytes:
    entry = read_header(data).section(section)
    return data[entry.offset : entry.offset + entry.bytes]


def test_every_single_flipped_byte_is_detected(program: Program) -> None:
    data, rng = encode(program), random.Random(1)
    for position in range(len(data)):
        for mask in {1 << rng.randrange(8), rng.randrange(1, 256), 255}:
            damaged = bytearray(data)
            damaged[position] ^= mask
            with pytest.raises(LmError):
                decode(bytes(damaged))


def test_every_truncation_is_detected(program: Program) -> None:
    data = encode(program)
    for size in range(len(data)):
        with pytest.raises(LmError):
            decode(data[:size])


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 4, b"PK\x03\x04"])
def test_trailing_bytes_are_detected(program: Program, tail: bytes) -> None:
    with pytest.raises(LmError, match="too long"):
        decode(encode(program) + tail)


@pytest.mark.parametrize("data", [b"", b"\x7fELF" + bytes(100), b"PK\x03\x04", bytes(1000)])
def test_other_files_are_named_as_such(data: bytes) -> None:
    with pytest.raises(LmError, match=r"not an \.lm file"):
        decode(data)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"compute": (Fill(9, Wait(), POINT, 0),)}, "no layer 9"),
        ({"compute": (Fill(0, Wait(), replace(POINT, buffer=77), 0),)}, "no buffer 77"),
        ({"compute": (Gather(0, Wait(), 0, 0, 0, 0, (1,), (1,), (1,), -2),)}, "no buffer -2"),
        ({"compute": (Gather(0, Wait(), 0, 0, 0, 0, (1, 2), (1,), (1,), None),)}, "different lengths"),
        ({"dma_in": (LoadConstants(0, Wait(), 5, 0),)}, "no constants block 5"),
        ({"constants": (Constants("c", 3, b""),), "dma_in": ()}, "no layer 3"),
    ],
)
def test_indexes_out_of_range_are_refused(program: Program, change: dict[str, object], sentence: str) -> None:
    with pytest.raises(LmError, match=sentence):
        decode(encode(replace(program, **change)))


def test_a_store_to_an_unknown_tensor_is_refused(program: Program) -> None:
    store = program.dma_out[0]
    assert isinstance(store, StoreTensor)
    with pytest.raises(LmError, match=r"DMA_OUT command 0: there is no tensor 2; the file has 2"):
        decode(encode(replace(program, dma_out=(replace(store, tensor=2),))))


def test_a_source_shape_or_permutation_that_contradicts_its_map_is_refused(program: Program) -> None:
    for change, sentence in (
        ({"source_axes": (1, 1, 0)}, "no permutation"),
        ({"source_shape": (6, 4, 4)}, "another number"),
    ):
        with pytest.raises(LmError, match=sentence):
            decode(encode(replace(program, tensors=(replace(program.tensors[0], **change), program.tensors[1]))))


def test_absurd_sizes_are_refused_before_anything_is_allocated(program: Program) -> None:
    for change in ({"sample_stride": 2**40}, {"sample_stride": 2**20}, {"address": 2**40}):
        tensor = replace(program.tensors[0], **change)
        with pytest.raises(LmError, match="absurd"):
            decode(encode(replace(program, tensors=(tensor, program.tensors[1]))))
    buffer = replace(program.buffers[0], bytes=2**40)
    with pytest.raises(LmError, match="absurd"):
        decode(encode(replace(program, buffers=(buffer, *program.buffers[1:]))))


@pytest.mark.parametrize("section", [lm.Section.LAYERS, lm.Section.COMPUTE, lm.Section.CONSTANTS_INDEX])
def test_a_count_larger_than_its_section_is_refused(program: Program, section: lm.Section) -> None:
    data = encode(program)
    huge = b"\xff\xff\xff\xff\x7f" + section_bytes(data, section)[1:]
    with pytest.raises(LmError, match="entries in"):
        decode(replace_section(data, section, huge))


def test_a_decompression_bomb_is_refused(program: Program) -> None:
    data = encode(program)
    index = bytearray()
    for value in (1, 1, ord("c"), 0):
        index.append(value)
    size = len(section_bytes(data, lm.Section.CONSTANTS))
    Uint().write(index, 2**40)
    Uint().write(index, size)
    with pytest.raises(LmError, match="cannot hold"):
        decode(replace_section(data, lm.Section.CONSTANTS_INDEX, bytes(index)))


def test_an_unknown_opcode_and_a_command_of_another_engine_are_refused(program: Program) -> None:
    data = encode(program)
    stream = bytearray(section_bytes(data, lm.Section.COMPUTE))
    for code in (0x7F, 0x01):
        stream[1] = code
        with pytest.raises(LmError, match=f"COMPUTE has no opcode 0x{code:02x}"):
            decode(replace_section(data, lm.Section.COMPUTE, bytes(stream)))


def test_a_missing_and_a_double_section_are_refused(program: Program) -> None:
    data = bytearray(encode(program))
    struct.pack_into("<I", data, lm.HEADER.size, int(lm.Section.LAYERS))
    data[-4:] = struct.pack("<I", zlib.crc32(data[:-4]))
    with pytest.raises(LmError, match=r"section (MACHINE appears 0|LAYERS appears 2) times"):
        decode(bytes(data))


@given(st.sampled_from(list(lm.Section)), st.integers(0), st.binary(min_size=1, max_size=8), st.booleans())
@settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_hostile_sections_under_right_sums_never_raise_anything_else(
    program: Program, section: lm.Section, place: int, junk: bytes, insert: bool
) -> None:
    data = encode(program)
    content = section_bytes(data, section)
    start = place % (len(content) + 1)
    hostile = content[:start] + junk + content[start + (0 if insert else len(junk)) :]
    try:
        found = decode(replace_section(data, section, hostile))
    except LmError:
        return
    assert isinstance(found, Program)

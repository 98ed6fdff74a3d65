"""The `.lm` binary, declared: magic, version, limits, sections, and every record field by field.

This module holds data only. `writer.py` and `reader.py` walk these declarations, `document.py` prints them. Always
holds: a record lists all fields of its dataclass in their order; codes, once given, are never reused.
A file is: header, sections without gaps in the order of the section table, and a CRC-32 of everything before it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.layers import BinaryOp, Broadcast, Layout, PoolKind, Window
from sima_compiler.ir.program import (
    ArrayMapping,
    BinaryStep,
    Box,
    Buffer,
    BufferKind,
    Combine,
    Convolve,
    DramTensor,
    Engine,
    Fill,
    Gather,
    LoadConstants,
    LoadTensor,
    Operand,
    Part,
    Pool,
    ProgramLayer,
    Resample,
    Role,
    StoreTensor,
    Translate,
    Wait,
    WayOut,
)
from sima_compiler.lm.fields import Bool, Choice, Exactly, Field, Float32, Int, Int8, Many, Maybe, Record, Text, Uint

MAGIC = b"\x89SLM\r\n\x1a\n"
MAJOR = 1
MINOR = 0

#: Bit of the header's flags: constants are compressed.
FLAG_COMPRESSED = 1

#: Largest accepted sizes. Checked before anything is allocated.
MAX_SECTIONS = 256
MAX_MACHINE_BYTES = 1 << 16
MAX_TENSOR_AREA = 1 << 36
MAX_CHIP_BYTES = 1 << 36
#: A tensor of n values has at most n times this plus one page of bytes: one channel padded to whole lanes, and some.
MAX_TENSOR_SPREAD = 64
MAX_QUADS = 1 << 16
MAX_BATCH = 1 << 20
MAX_GATHER_DIMENSIONS = 6

#: Header: magic, major, minor, header bytes, file bytes, quads, batch, flags, sections.
HEADER = struct.Struct("<8sHHIQIIII")
HEADER_FIELDS = (
    ("magic", "8 bytes", "89 53 4C 4D 0D 0A 1A 0A"),
    ("major", "u16", f"{MAJOR}; a reader refuses a larger one"),
    ("minor", "u16", f"{MINOR}; a larger one only adds sections and header bytes, which a reader skips"),
    ("header_bytes", "u32", "size of the header with section table and names"),
    ("file_bytes", "u64", "exact length of the file"),
    ("quads", "u32", "quads that the program uses"),
    ("batch", "u32", "samples per run"),
    ("flags", "u32", "bit 0: constants are compressed"),
    ("sections", "u32", "entries in the section table"),
)

#: Section table entry: section, offset from the start of the file, bytes, CRC-32.
SECTION = struct.Struct("<IQQI")
SECTION_FIELDS = (
    ("section", "u32", "code of the section, see below"),
    ("offset", "u64", "first byte, counted from the start of the file"),
    ("bytes", "u64", "size"),
    ("crc", "u32", "CRC-32 (zlib's) of the section"),
)
#: After the section table, as `text`: the machine's name and the segment's name.
NAME = Text(255)
TRAILER = struct.Struct("<I")


class Section(IntEnum):
    """What a section holds."""

    MACHINE = 1
    LAYERS = 2
    TENSORS = 3
    BUFFERS = 4
    CONSTANTS_INDEX = 5
    CONSTANTS = 6
    DMA_IN = 7
    DMA_OUT = 8
    COMPUTE = 9


SECTION_DOCS = {
    Section.MACHINE: "The machine description's own text (YAML, UTF-8), so that the file can be replayed alone.",
    Section.LAYERS: "Count (uint), then one ProgramLayer each. Commands name their source layer by index.",
    Section.TENSORS: "Count (uint), then one DramTensor each: what lies in DRAM.",
    Section.BUFFERS: "Count (uint), then one Buffer each: named ranges of on-chip memory.",
    Section.CONSTANTS_INDEX: "Count (uint), then one ConstantsEntry each.",
    Section.CONSTANTS: "The constants' stored bytes, one after the other in the index's order, without gaps.",
    Section.DMA_IN: "Command stream of DMA in: count (uint), then each: opcode (one byte) and that record.",
    Section.DMA_OUT: "Command stream of DMA out, likewise.",
    Section.COMPUTE: "Command stream of compute, likewise.",
}


@dataclass(frozen=True, slots=True)
class ConstantsEntry:
    """Index entry of one block of constants: its bytes on chip, and as stored in the file and in DRAM."""

    name: str
    layer: int
    raw_bytes: int
    stored_bytes: int


_UINT, _INT, _INT8, _BOOL, _TEXT = Uint(), Int(), Int8(), Bool(), Text()
_CLAMP = Field("clamp", Exactly(_INT8, 2), "inclusive range of the result")
_LAYER = Field("layer", _UINT, "index of the source layer")
_SAMPLES_ROWS_COLUMNS = "strides of sample, row, column, in bytes"

QUANTIZATION = Record(
    "Quantization",
    Quantization,
    "real = (q - zero_point) * scale.",
    (Field("scale", Float32(), "step of the real axis"), Field("zero_point", _INT8, "the byte that stands for 0")),
)
PROGRAM_LAYER = Record(
    "ProgramLayer",
    ProgramLayer,
    "A source layer.",
    (Field("name", _TEXT, "e.g. MLA_0/conv2d_add_relu_3"), Field("operator", _TEXT, "its family, e.g. conv2d")),
)
DRAM_TENSOR = Record(
    "DramTensor",
    DramTensor,
    "A feature map of the whole batch in DRAM.",
    (
        Field("name", _TEXT, "the graph tensor's name"),
        Field("role", Choice(tuple(Role)), "why it lies in DRAM"),
        Field("address", _UINT, "bytes from the start of the tensor area"),
        Field("samples", _UINT, "samples"),
        Field("rows", _UINT, "rows"),
        Field("columns", _UINT, "columns"),
        Field("channels", _UINT, "channels"),
        Field("layout", Choice(tuple(Layout)), "HWC packed, HWC16 padded to whole lanes"),
        Field("pixel_stride", _UINT, "bytes from column to column"),
        Field("row_stride", _UINT, "bytes from row to row"),
        Field("sample_stride", _UINT, "bytes from sample to sample"),
        Field("quant", QUANTIZATION, "its quantization"),
        Field("source_shape", Many(_UINT, 64), "per-sample shape in the source model"),
        Field("source_axes", Many(_UINT, 64), "storage order of the source's axes, slowest first"),
    ),
)
BUFFER = Record(
    "Buffer",
    Buffer,
    "A range of on-chip memory.",
    (
        Field("name", _TEXT, "for people"),
        Field("kind", Choice(tuple(BufferKind)), "what it holds"),
        Field("address", _UINT, "first byte"),
        Field("bytes", _UINT, "size"),
    ),
)
CONSTANTS_ENTRY = Record(
    "ConstantsEntry",
    ConstantsEntry,
    "One block of constants.",
    (
        Field("name", _TEXT, "for people"),
        _LAYER,
        Field("raw_bytes", _UINT, "size on chip"),
        Field("stored_bytes", _UINT, "size in the file and in DRAM; equal to raw_bytes when not compressed"),
    ),
)
WAIT = Record(
    "Wait",
    Wait,
    "Commands that each engine must have completed before this one starts.",
    (
        Field("dma_in", _UINT, "of DMA in"),
        Field("dma_out", _UINT, "of DMA out"),
        Field("compute", _UINT, "of compute"),
    ),
)
BOX = Record(
    "Box",
    Box,
    "A strided block copy.",
    (
        Field("sizes", Exactly(_UINT, 4), "samples, rows, columns, run of bytes"),
        Field("dram_strides", Exactly(_UINT, 3), _SAMPLES_ROWS_COLUMNS),
        Field("chip_strides", Exactly(_UINT, 3), _SAMPLES_ROWS_COLUMNS),
    ),
)
OPERAND = Record(
    "Operand",
    Operand,
    "A region of a feature map inside one buffer; channel stride 1.",
    (
        Field("buffer", _UINT, "index of the buffer"),
        Field("offset", _UINT, "first byte inside the buffer"),
        Field("samples", _UINT, "samples"),
        Field("rows", _UINT, "rows"),
        Field("columns", _UINT, "columns"),
        Field("channels", _UINT, "channels"),
        Field("sample_stride", _UINT, "bytes from sample to sample"),
        Field("row_stride", _UINT, "bytes from row to row"),
        Field("pixel_stride", _UINT, "bytes from column to column"),
        Field("padding", _UINT, "bytes after each pixel that a writer fills with the zero point"),
    ),
)
WINDOW = Record(
    "Window",
    Window,
    "A sliding window; height before width.",
    (
        Field("kernel", Exactly(_UINT, 2), "height, width"),
        Field("strides", Exactly(_UINT, 2), "of rows, of columns"),
        Field("dilations", Exactly(_UINT, 2), "of rows, of columns"),
        Field("pads", Exactly(_UINT, 4), "top, left, bottom, right"),
    ),
)
_HAS_LOOKUP = Field("has_lookup", _BOOL, "a table in the parameters is applied last")
BINARY_STEP = Record(
    "BinaryStep",
    BinaryStep,
    "A second operand on the way out.",
    (
        Field("op", Choice(tuple(BinaryOp)), "arithmetic"),
        Field("operand", Maybe(OPERAND), "absent when the values lie in the parameters"),
        Field("broadcast", Choice(tuple(Broadcast)), "how the second operand spreads"),
        Field("left", QUANTIZATION, "of the expression's left side"),
        Field("right", QUANTIZATION, "of the expression's right side"),
        Field("output", QUANTIZATION, "of the result"),
        Field("swapped", _BOOL, "the value in flight is the right side"),
        _CLAMP,
        _HAS_LOOKUP,
    ),
)
ARRAY_MAPPING = Record(
    "ArrayMapping",
    ArrayMapping,
    "How a block spreads over the tiles.",
    (
        Field("pixels", _UINT, "splits of the output pixels"),
        Field("outputs", _UINT, "splits of the output channels"),
        Field("contraction", _UINT, "splits of the contraction"),
        Field("folded", _BOOL, "input lanes run over window columns x channels of a packed row"),
    ),
)

_WAIT = Field("wait", WAIT, "synchronization")
_SOURCE = Field("source", OPERAND, "what is read")
_TARGET = Field("target", OPERAND, "what is written")
_PARAMETERS = Field("parameters", _INT, "index of the buffer with the constants, -1 for none")
_PART = Field("part", Choice(tuple(Part)), "how much of the block's reduction this command does")
_WINDOW = Field("window", WINDOW, "the window with this block's own pads")
_DMA_FIELDS = (
    _LAYER,
    _WAIT,
    Field("tensor", _UINT, "index of the DRAM tensor"),
    Field("dram_offset", _UINT, "first byte inside the tensor"),
    Field("buffer", _UINT, "index of the buffer"),
    Field("chip_offset", _UINT, "first byte inside the buffer"),
    Field("box", BOX, "what is copied"),
)

LOAD_TENSOR = Record("LoadTensor", LoadTensor, "A box of a DRAM tensor to a buffer.", _DMA_FIELDS)
LOAD_CONSTANTS = Record(
    "LoadConstants",
    LoadConstants,
    "A whole block of constants, decompressed, to the start of a buffer.",
    (
        _LAYER,
        _WAIT,
        Field("constants", _UINT, "index of the block"),
        Field("buffer", _UINT, "index of the buffer"),
    ),
)
STORE_TENSOR = Record("StoreTensor", StoreTensor, "A box of a buffer to a DRAM tensor.", _DMA_FIELDS)
CONVOLVE = Record(
    "Convolve",
    Convolve,
    "Multiply-accumulate over one block of output: the array, or the vector unit when depthwise.",
    (
        _LAYER,
        _WAIT,
        _SOURCE,
        _TARGET,
        Field("parameters", _UINT, "index of the buffer with the constants"),
        _WINDOW,
        Field("groups", _UINT, "groups inside this block"),
        Field("input_zero_point", _INT8, "of the source; also what pads hold"),
        Field("intermediate", QUANTIZATION, "of the requantized accumulator"),
        _CLAMP,
        Field("way_out", Choice(tuple(WayOut)), "how sums become bytes"),
        Field("binary", Maybe(BINARY_STEP), "second operand, if any"),
        Field("mapping", ARRAY_MAPPING, "how the block spreads over the tiles"),
        _PART,
    ),
)
POOL = Record(
    "Pool",
    Pool,
    "Window reduction per channel.",
    (
        _LAYER,
        _WAIT,
        Field("kind", Choice(tuple(PoolKind)), "what is reduced, and in which order"),
        _SOURCE,
        _TARGET,
        _PARAMETERS,
        _WINDOW,
        Field("count_include_pad", _BOOL, "pads count in the divisor of an average"),
        Field("is_global", _BOOL, "the window is the whole map"),
        Field("input", QUANTIZATION, "of the source"),
        Field("output", QUANTIZATION, "of the result"),
        _CLAMP,
        _HAS_LOOKUP,
        _PART,
    ),
)
COMBINE = Record(
    "Combine",
    Combine,
    "Two operands elementwise.",
    (_LAYER, _WAIT, _SOURCE, _TARGET, _PARAMETERS, Field("binary", BINARY_STEP, "the second operand")),
)
TRANSLATE = Record(
    "Translate",
    Translate,
    "Every byte through a table of 256.",
    (_LAYER, _WAIT, _SOURCE, _TARGET, Field("parameters", _UINT, "index of the buffer with the table")),
)
_DIMENSIONS = MAX_GATHER_DIMENSIONS
GATHER = Record(
    "Gather",
    Gather,
    "Affine copy: target[index . target_strides] = source[index . source_strides] for every index in the box.",
    (
        _LAYER,
        _WAIT,
        Field("source_buffer", _UINT, "index of the buffer that is read"),
        Field("source_offset", _UINT, "first byte inside it"),
        Field("target_buffer", _UINT, "index of the buffer that is written"),
        Field("target_offset", _UINT, "first byte inside it"),
        Field("sizes", Many(_UINT, _DIMENSIONS), "the box, slowest dimension first"),
        Field("source_strides", Many(_INT, _DIMENSIONS), "bytes, one per dimension"),
        Field("target_strides", Many(_INT, _DIMENSIONS), "bytes, one per dimension"),
        _PARAMETERS,
    ),
)
FILL = Record(
    "Fill", Fill, "A region of one value.", (_LAYER, _WAIT, _TARGET, Field("value", _INT8, "what is written"))
)
RESAMPLE = Record(
    "Resample",
    Resample,
    "Nearest neighbour through index tables in the parameters.",
    (
        _LAYER,
        _WAIT,
        _SOURCE,
        _TARGET,
        Field("parameters", _UINT, "index of the buffer with the tables"),
        _HAS_LOOKUP,
    ),
)

#: Opcode of every command, per engine.
OPCODES: dict[Engine, dict[int, Record]] = {
    Engine.DMA_IN: {0x01: LOAD_TENSOR, 0x02: LOAD_CONSTANTS},
    Engine.DMA_OUT: {0x11: STORE_TENSOR},
    Engine.COMPUTE: {
        0x21: CONVOLVE,
        0x22: POOL,
        0x23: COMBINE,
        0x24: TRANSLATE,
        0x25: GATHER,
        0x26: FILL,
        0x27: RESAMPLE,
    },
}
STREAM_SECTIONS = {
    Engine.DMA_IN: Section.DMA_IN,
    Engine.DMA_OUT: Section.DMA_OUT,
    Engine.COMPUTE: Section.COMPUTE,
}
PARTS = (QUANTIZATION, WAIT, BOX, OPERAND, WINDOW, BINARY_STEP, ARRAY_MAPPING)
TABLES = (PROGRAM_LAYER, DRAM_TENSOR, BUFFER, CONSTANTS_ENTRY)

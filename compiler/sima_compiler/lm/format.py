"""The `.lm` binary, declared: magic, version, limits, sections, and every record field by field.

This module holds data only. `writer.py` and `reader.py` walk these declarations, `document.py` prints them. Always
holds: a record lists all fields of its dataclass in their order; codes, once given, are never reused.
A file is: header, sections without gaps in the order of the section table, and a CRC-32 of everything before it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from sima_compiler.ir.layers import Layout, PoolKind, RowKind
from sima_compiler.ir.program import (
    Buffer,
    BufferKind,
    Combine,
    Convolve,
    DramTensor,
    Engine,
    Fill,
    Gather,
    Interpolate,
    LoadConstants,
    LoadTensor,
    Multiply,
    Pool,
    ProgramLayer,
    Resample,
    Role,
    StoreTensor,
    Translate,
    WayOut,
)
from sima_compiler.ir.rows import Normalize
from sima_compiler.lm.fields import Choice, Field, Float32, Many, Maybe, Record, Text
from sima_compiler.lm.parts import (
    ARRAY_MAPPING,
    BINARY_STEP,
    BOOL,
    BOX,
    CLAMP,
    HAS_LOOKUP,
    INT,
    INT8,
    LAYER,
    OPERAND,
    PARAMETERS,
    PART,
    QUANTIZATION,
    RESPONSE,
    SOURCE,
    TARGET,
    TEXT,
    UINT,
    WAIT,
    WAITS,
    WINDOW,
    WINDOW_FIELD,
)

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


PROGRAM_LAYER = Record(
    "ProgramLayer",
    ProgramLayer,
    "A source layer.",
    (Field("name", TEXT, "e.g. MLA_0/conv2d_add_relu_3"), Field("operator", TEXT, "its family, e.g. conv2d")),
)
DRAM_TENSOR = Record(
    "DramTensor",
    DramTensor,
    "A feature map of the whole batch in DRAM.",
    (
        Field("name", TEXT, "the graph tensor's name"),
        Field("role", Choice(tuple(Role)), "why it lies in DRAM"),
        Field("address", UINT, "bytes from the start of the tensor area"),
        Field("samples", UINT, "samples"),
        Field("rows", UINT, "rows"),
        Field("columns", UINT, "columns"),
        Field("channels", UINT, "channels"),
        Field("layout", Choice(tuple(Layout)), "HWC packed, HWC16 padded to whole lanes"),
        Field("pixel_stride", UINT, "bytes from column to column"),
        Field("row_stride", UINT, "bytes from row to row"),
        Field("sample_stride", UINT, "bytes from sample to sample"),
        Field("quant", QUANTIZATION, "its quantization"),
        Field("source_shape", Many(UINT, 64), "per-sample shape in the source model"),
        Field("source_axes", Many(UINT, 64), "storage order of the source's axes, slowest first"),
    ),
)
BUFFER = Record(
    "Buffer",
    Buffer,
    "A range of on-chip memory.",
    (
        Field("name", TEXT, "for people"),
        Field("kind", Choice(tuple(BufferKind)), "what it holds"),
        Field("address", UINT, "first byte"),
        Field("bytes", UINT, "size"),
    ),
)
CONSTANTS_ENTRY = Record(
    "ConstantsEntry",
    ConstantsEntry,
    "One block of constants.",
    (
        Field("name", TEXT, "for people"),
        LAYER,
        Field("raw_bytes", UINT, "size on chip"),
        Field("stored_bytes", UINT, "size in the file and in DRAM; equal to raw_bytes when not compressed"),
    ),
)
_DMA_FIELDS = (
    LAYER,
    WAITS,
    Field("tensor", UINT, "index of the DRAM tensor"),
    Field("dram_offset", UINT, "first byte inside the tensor"),
    Field("buffer", UINT, "index of the buffer"),
    Field("chip_offset", UINT, "first byte inside the buffer"),
    Field("box", BOX, "what is copied"),
)

LOAD_TENSOR = Record("LoadTensor", LoadTensor, "A box of a DRAM tensor to a buffer.", _DMA_FIELDS)
LOAD_CONSTANTS = Record(
    "LoadConstants",
    LoadConstants,
    "A whole block of constants, decompressed, to the start of a buffer.",
    (
        LAYER,
        WAITS,
        Field("constants", UINT, "index of the block"),
        Field("buffer", UINT, "index of the buffer"),
    ),
)
STORE_TENSOR = Record("StoreTensor", StoreTensor, "A box of a buffer to a DRAM tensor.", _DMA_FIELDS)
CONVOLVE = Record(
    "Convolve",
    Convolve,
    "Multiply-accumulate over one block of output: the array, or the vector unit when depthwise.",
    (
        LAYER,
        WAITS,
        SOURCE,
        TARGET,
        Field("parameters", UINT, "index of the buffer with the constants"),
        WINDOW_FIELD,
        Field("groups", UINT, "groups inside this block"),
        Field("input_zero_point", INT8, "of the source; also what pads hold"),
        Field("intermediate", QUANTIZATION, "of the requantized accumulator"),
        CLAMP,
        Field("way_out", Choice(tuple(WayOut)), "how sums become bytes"),
        Field("binary", Maybe(BINARY_STEP), "second operand, if any"),
        Field("mapping", ARRAY_MAPPING, "how the block spreads over the tiles"),
        PART,
    ),
)
POOL = Record(
    "Pool",
    Pool,
    "Window reduction per channel.",
    (
        LAYER,
        WAITS,
        Field("kind", Choice(tuple(PoolKind)), "what is reduced, and in which order"),
        SOURCE,
        TARGET,
        PARAMETERS,
        WINDOW_FIELD,
        Field("count_include_pad", BOOL, "pads count in the divisor of an average"),
        Field("is_global", BOOL, "the window is the whole map"),
        Field("input", QUANTIZATION, "of the source"),
        Field("output", QUANTIZATION, "of the result"),
        CLAMP,
        HAS_LOOKUP,
        PART,
    ),
)
COMBINE = Record(
    "Combine",
    Combine,
    "Two operands elementwise.",
    (LAYER, WAITS, SOURCE, TARGET, PARAMETERS, Field("binary", BINARY_STEP, "the second operand")),
)
TRANSLATE = Record(
    "Translate",
    Translate,
    "Every byte through a table of 256.",
    (LAYER, WAITS, SOURCE, TARGET, Field("parameters", UINT, "index of the buffer with the table")),
)
_DIMENSIONS = MAX_GATHER_DIMENSIONS
GATHER = Record(
    "Gather",
    Gather,
    "Affine copy: target[index . target_strides] = source[index . source_strides] for every index in the box.",
    (
        LAYER,
        WAITS,
        Field("source_buffer", UINT, "index of the buffer that is read"),
        Field("source_offset", UINT, "first byte inside it"),
        Field("target_buffer", UINT, "index of the buffer that is written"),
        Field("target_offset", UINT, "first byte inside it"),
        Field("sizes", Many(UINT, _DIMENSIONS), "the box, slowest dimension first"),
        Field("source_strides", Many(INT, _DIMENSIONS), "bytes, one per dimension"),
        Field("target_strides", Many(INT, _DIMENSIONS), "bytes, one per dimension"),
        PARAMETERS,
    ),
)
FILL = Record("Fill", Fill, "A region of one value.", (LAYER, WAITS, TARGET, Field("value", INT8, "what is written")))
RESAMPLE = Record(
    "Resample",
    Resample,
    "Nearest neighbour through index tables in the parameters.",
    (
        LAYER,
        WAITS,
        SOURCE,
        TARGET,
        Field("parameters", UINT, "index of the buffer with the tables"),
        HAS_LOOKUP,
    ),
)
INTERPOLATE = Record(
    "Interpolate",
    Interpolate,
    "Linear resampling: four neighbours, each as a real times the product of its weights, near row and column first.",
    (
        LAYER,
        WAITS,
        SOURCE,
        TARGET,
        Field("parameters", UINT, "index of the buffer with the tables"),
        Field("input", QUANTIZATION, "of the source"),
        Field("output", QUANTIZATION, "of the sum"),
        CLAMP,
        HAS_LOOKUP,
    ),
)
NORMALIZE = Record(
    "Normalize",
    Normalize,
    "All channels of a pixel together: softmax, the place of the largest, normalizations.",
    (
        LAYER,
        WAITS,
        Field("kind", Choice(tuple(RowKind)), "what is done"),
        SOURCE,
        TARGET,
        PARAMETERS,
        Field("input", QUANTIZATION, "of the source"),
        Field("output", QUANTIZATION, "of the result"),
        Field("epsilon", Float32(), "added to the variance or the mean square"),
        CLAMP,
        Field("gains", BOOL, "the parameters hold gains"),
        Field("offsets", BOOL, "the parameters hold offsets"),
        Field("per_pixel", BOOL, "gains and offsets: one per pixel of a sample, otherwise one per channel"),
        Field("response", Maybe(RESPONSE), "of a local response"),
    ),
)
MULTIPLY = Record(
    "Multiply",
    Multiply,
    "Matrix product of two maps on the array: each pixel of the source with each of the second map's same row.",
    (
        LAYER,
        WAITS,
        SOURCE,
        Field("right", OPERAND, "the second map, in the place of weights: a pixel for each output channel"),
        TARGET,
        PARAMETERS,
        Field("left_zero_point", INT8, "of the source"),
        Field("right_zero_point", INT8, "of the second map"),
        Field("multiplier", Float32(), "what sums are multiplied with"),
        Field("real", BOOL, "products of sum and multiplier are reals, which the output's scale divides"),
        Field("intermediate", QUANTIZATION, "of the requantized sum"),
        CLAMP,
        HAS_LOOKUP,
        Field("mapping", ARRAY_MAPPING, "how the block spreads over the tiles"),
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
        0x28: NORMALIZE,
        0x29: INTERPOLATE,
        0x2A: MULTIPLY,
    },
}
STREAM_SECTIONS = {
    Engine.DMA_IN: Section.DMA_IN,
    Engine.DMA_OUT: Section.DMA_OUT,
    Engine.COMPUTE: Section.COMPUTE,
}
PARTS = (QUANTIZATION, WAIT, BOX, OPERAND, WINDOW, BINARY_STEP, ARRAY_MAPPING, RESPONSE)
TABLES = (PROGRAM_LAYER, DRAM_TENSOR, BUFFER, CONSTANTS_ENTRY)

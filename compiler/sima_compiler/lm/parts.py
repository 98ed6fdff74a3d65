"""Parts of `.lm` records: fields that many commands have, and the records that stand inside others.

This module holds data only; `format.py` builds the commands of it.
"""

from __future__ import annotations

from sima_compiler.ir.graph import Quantization, Response
from sima_compiler.ir.layers import BinaryOp, Broadcast, Window
from sima_compiler.ir.operands import Operand, Wait
from sima_compiler.ir.program import ArrayMapping, BinaryStep, Box, Part
from sima_compiler.lm.fields import Bool, Choice, Exactly, Field, Float32, Index, Int, Int8, Maybe, Record, Text, Uint

UINT, INT, INT8, BOOL, TEXT = Uint(), Int(), Int8(), Bool(), Text()
CLAMP = Field("clamp", Exactly(INT8, 2), "inclusive range of the result")
LAYER = Field("layer", UINT, "index of the source layer")
SAMPLES_ROWS_COLUMNS = "strides of sample, row, column, in bytes"

QUANTIZATION = Record(
    "Quantization",
    Quantization,
    "real = (q - zero_point) * scale.",
    (Field("scale", Float32(), "step of the real axis"), Field("zero_point", INT8, "the byte that stands for 0")),
)
WAIT = Record(
    "Wait",
    Wait,
    "Commands that each engine must have completed before this one starts.",
    (
        Field("dma_in", UINT, "of DMA in"),
        Field("dma_out", UINT, "of DMA out"),
        Field("compute", UINT, "of compute"),
    ),
)
BOX = Record(
    "Box",
    Box,
    "A strided block copy.",
    (
        Field("sizes", Exactly(UINT, 4), "samples, rows, columns, run of bytes"),
        Field("dram_strides", Exactly(UINT, 3), SAMPLES_ROWS_COLUMNS),
        Field("chip_strides", Exactly(UINT, 3), SAMPLES_ROWS_COLUMNS),
    ),
)
RESPONSE = Record(
    "Response",
    Response,
    "Local response: x * (bias + alpha / size * sum of the squares of neighbouring channels) ** -beta.",
    (
        Field("size", UINT, "neighbours, the channel itself among them"),
        Field("alpha", Float32(), "factor of the mean of squares"),
        Field("beta", Float32(), "exponent, negated"),
        Field("bias", Float32(), "what is added"),
    ),
)
OPERAND = Record(
    "Operand",
    Operand,
    "A region of a feature map inside one buffer; channel stride 1.",
    (
        Field("buffer", UINT, "index of the buffer"),
        Field("offset", UINT, "first byte inside the buffer"),
        Field("samples", UINT, "samples"),
        Field("rows", UINT, "rows"),
        Field("columns", UINT, "columns"),
        Field("channels", UINT, "channels"),
        Field("sample_stride", UINT, "bytes from sample to sample"),
        Field("row_stride", UINT, "bytes from row to row"),
        Field("pixel_stride", UINT, "bytes from column to column"),
        Field("padding", UINT, "bytes after each pixel that a writer fills with the zero point"),
    ),
)
WINDOW = Record(
    "Window",
    Window,
    "A sliding window; height before width.",
    (
        Field("kernel", Exactly(UINT, 2), "height, width"),
        Field("strides", Exactly(UINT, 2), "of rows, of columns"),
        Field("dilations", Exactly(UINT, 2), "of rows, of columns"),
        Field("pads", Exactly(UINT, 4), "top, left, bottom, right"),
    ),
)
HAS_LOOKUP = Field("has_lookup", BOOL, "a table in the parameters is applied last")
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
        Field("swapped", BOOL, "the value in flight is the right side"),
        CLAMP,
        HAS_LOOKUP,
    ),
)
ARRAY_MAPPING = Record(
    "ArrayMapping",
    ArrayMapping,
    "How a block spreads over the tiles.",
    (
        Field("pixels", UINT, "splits of the output pixels"),
        Field("outputs", UINT, "splits of the output channels"),
        Field("contraction", UINT, "splits of the contraction"),
        Field("folded", BOOL, "input lanes run over window columns x channels of a packed row"),
    ),
)

WAITS = Field("wait", WAIT, "synchronization")
SOURCE = Field("source", OPERAND, "what is read")
TARGET = Field("target", OPERAND, "what is written")
PARAMETERS = Field("parameters", Index(), "index of the buffer with the constants, -1 for none")
PART = Field("part", Choice(tuple(Part)), "how much of the block's reduction this command does")
WINDOW_FIELD = Field("window", WINDOW, "the window with this block's own pads")

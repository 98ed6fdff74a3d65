"""The documentation of `.lm`, printed from its declaration: ``python -m sima_compiler.lm.document > LM_FORMAT.md``.

In: nothing but `format.py`. Out: Markdown. Always holds: every field of every record, every opcode and every limit of
the declaration appears, so that the page cannot drift from the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from sima_compiler.lm import format as lm
from sima_compiler.lm.compression import BLOCK_BYTES
from sima_compiler.lm.constants import SECTION_ALIGNMENT
from sima_compiler.lm.fields import UINT_BYTES, UINT_LIMIT, Record

_OPENING = f"""# The `.lm` binary

What the compiler hands to the MLA model: DRAM tensors, on-chip buffers, constants, and one command stream per engine.
This page describes format {lm.MAJOR}.{lm.MINOR}. It is printed from `sima_compiler/lm/format.py` by
`python -m sima_compiler.lm.document`; a test fails when the two differ. The format belongs to this project's open
machine model: it is not the format of SiMa's own `.lm` files, and no board runs it.

All numbers are little-endian. A file is, without gaps: **header**, **sections** in the order of the section table,
and a **CRC-32** (zlib's, u32) of every byte before it. With it and with the exact length in the header, any single
changed byte, any truncation and any addition is detected.

A reader refuses a larger *major* version. A larger *minor* version may add sections and bytes at the end of the header,
which a reader skips; it never changes a record.
"""

_VALUES = f"""## Values

| kind | bytes |
|---|---|
| u16, u32, u64 | fixed width (header, section table and trailer only) |
| uint | 7 bits per byte, lowest first, top bit set on all but the last byte; 1 to {UINT_BYTES} bytes, \
up to {UINT_LIMIT}; the shortest form is the only one |
| int | as uint: 2 v for v >= 0, -2 v - 1 below 0 |
| int8 | one byte, two's complement |
| bool | one byte, 0 or 1 |
| float32 | IEEE 754 single precision, finite |
| text | uint length in bytes, then UTF-8 |
| one of | one byte: the position in the list |
| flag byte, then if 1 | 0: absent; 1: the value follows |
| count, then each | uint, then that many values |

A record is its fields in order, without padding.
"""

_SYNCHRONIZATION = """## Engines and order

DMA in, DMA out and compute each run their own stream in order. A command starts when every engine has completed at
least as many of its commands as the command's `Wait` says; nothing else orders the engines. A command reads all its
bytes before it writes the first one. Reading a byte that its buffer did not write, or writing one that another buffer
still needs, is an error of the program.
"""

_CONSTANTS = f"""## Constants

Without the header's compressed flag, a block of constants is stored as it lies on chip. With it, a block is: raw size
(u32), one u16 per {BLOCK_BYTES} raw bytes with the stored size of that part, then the parts. A part whose stored size
equals its raw size is raw; any other is a raw deflate stream (RFC 1951) of literals only, which is per-block Huffman
coding. Parts are independent; the last one may be shorter.

On chip a block holds, each starting at a multiple of {SECTION_ALIGNMENT} bytes with zeros between, the arrays that its
command uses, in this order:

| array | type | shape | used by |
|---|---|---|---|
| weights | int8 | output channels, kernel rows, kernel columns, input channels / groups | Convolve |
| bias | int32 | output channels | Convolve with `way_out` plain or lookup, if it finishes |
| real bias | float32 | output channels | Convolve with `way_out` real or real_lookup, if it finishes |
| multipliers | float32 | output channels | Convolve, if it finishes |
| reals | float32 | 256, indexed by q + 128 | Pool with a real_average kind, every part |
| lookup | int8 | 256, indexed by q + 128 | \
Translate; Pool, Resample, Interpolate, Multiply with `has_lookup`; Convolve with lookup or real_lookup; \
Gather with `parameters` |
| binary values | int8 | rows, columns, channels, with ones where `broadcast` says so | a BinaryStep without operand |
| binary lookup | int8 | 256, indexed by q + 128 | a BinaryStep with `has_lookup` |
| rows, columns | int32 | output rows; output columns: source index of each, inside the source region | \
Resample; Interpolate has two, near and far |
| row weights, column weights | float32 | 2, output rows; 2, output columns: of near and far | Interpolate |
| exponentials | float32 | 256, entry 255 - d for a value d steps below its pixel's largest | Normalize: softmaxes |
| gains | float32 | channels, or pixels of one sample with `per_pixel` | Normalize with `gains` |
| offsets | float32 | likewise | Normalize with `offsets` |

Padding after a pixel's channels is written as the zero point of the last quantization that the command names (0 for
Translate and Resample, the value itself for Fill).

## Parts of a reduction

A block whose weights or inputs do not fit on chip at once runs as several Convolve or Pool commands, each over a range
of window rows, of window columns or of input channels: `part` first, then next as often as needed, then last. They
follow each other in the compute stream with nothing between, name the same target, and spread over the tiles alike.
Sums stay in the accumulators: one int32 per result of a convolution, one float32, int32 or int8 per result of a pool
together with the count of cells that an average divides by. All results of the block must find room there: a tile
holds `accumulator_pixels` x `lanes` of them. Only a last (or whole) command writes its target. A command that does not
finish has no lookup and no second operand, and its constants are weights or reals alone. Parts are summed in the
stream's order, which matters to the averages of windows: they are float32 sums, row by row. Sums by columns, lanes or
pairs are whole.

## Averages of reals

A Pool with a real_average kind sums float32 values, the entry of `reals` for each byte and 0 for padding, divides by
the cells that count and quantizes the quotient: rint(x / scale), then the zero point. Each sum is rounded, in the order
that the kind names: `rows` cell by cell; `columns` each column of the window from the top, then the columns; `lanes`
every fourth cell of the flattened window, the four sums as (0 + 2) + (1 + 3), then up to three cells that are left;
`pairs` the same with two times four sums, from the first cell on whose place in channel * cells + cell is a multiple of
four, an odd group of four after the two are added, then the cells in front, then those that are left.
"""


def document() -> str:
    """The whole page as Markdown."""
    parts = [_OPENING, _header(), _sections(), _VALUES, _SYNCHRONIZATION, _opcodes(), _CONSTANTS]
    parts.append(_limits())
    parts.append("## Table records\n\n" + "\n".join(map(_record, lm.TABLES)))
    commands = [record for table in lm.OPCODES.values() for record in table.values()]
    parts.append("## Command records\n\n" + "\n".join(map(_record, commands)))
    parts.append("## Parts of records\n\n" + "\n".join(map(_record, lm.PARTS)))
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _rows(rows: Iterable[tuple[object, ...]]) -> str:
    return "".join("| " + " | ".join(map(str, row)) + " |\n" for row in rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    return _rows([head, ("---",) * len(head)]) + _rows(rows)


def _header() -> str:
    header = _table(("field", "type", "meaning"), lm.HEADER_FIELDS)
    entry = _table(("field", "type", "meaning"), lm.SECTION_FIELDS)
    return (
        f"## Header\n\n{lm.HEADER.size} bytes, then the section table, then two texts (kind `text`, below): the "
        f"machine's name and the segment's name.\n\n{header}\n"
        f"Each entry of the section table has {lm.SECTION.size} bytes:\n\n{entry}"
    )


def _sections() -> str:
    rows = [(int(section), section.name, lm.SECTION_DOCS[section]) for section in lm.Section]
    return "## Sections\n\n" + _table(("code", "section", "content"), rows)


def _opcodes() -> str:
    rows = [
        (engine.name, f"0x{code:02X}", record.label, record.doc)
        for engine, table in lm.OPCODES.items()
        for code, record in table.items()
    ]
    return "## Opcodes\n\n" + _table(("engine", "opcode", "record", "what it does"), rows)


def _limits() -> str:
    rows = [
        ("sections", lm.MAX_SECTIONS),
        ("bytes of the machine's text", lm.MAX_MACHINE_BYTES),
        ("quads", lm.MAX_QUADS),
        ("batch", lm.MAX_BATCH),
        ("end of the last DRAM tensor, bytes", lm.MAX_TENSOR_AREA),
        ("end of the last on-chip buffer, bytes", lm.MAX_CHIP_BYTES),
        ("bytes of a DRAM tensor per value, beside 4096", lm.MAX_TENSOR_SPREAD),
        ("dimensions of a Gather", lm.MAX_GATHER_DIMENSIONS),
    ]
    return "## Limits\n\nChecked before anything is allocated.\n\n" + _table(("what", "at most"), rows)


def _record(record: Record) -> str:
    rows = [(field.name, field.kind.label, field.doc) for field in record.fields]
    return f"### {record.name}\n\n{record.doc}\n\n" + _table(("field", "kind", "meaning"), rows)


if __name__ == "__main__":
    sys.stdout.write(document())

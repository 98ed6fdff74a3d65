"""On-chip bytes of a layer's parameters."""

from __future__ import annotations

from typing import assert_never

from sima_compiler.ir.kernels import Reach, Unit, facts
from sima_compiler.ir.layers import (
    Blend,
    Broadcast,
    Convolution,
    Copy,
    Elementwise,
    Layer,
    Lookup,
    Normalization,
    Pooling,
    Product,
    Resize,
)

#: Tables, and what aligning the sections of a block adds, at most.
TABLES, ALIGNMENT = 4 * 256 + 64, 96
#: Bias and multiplier of an output channel.
PER_CHANNEL = 8
#: A table has an entry per byte value.
TABLE_BYTES = 256
#: Sections of a block of constants start at multiples of so many bytes.
SECTION = 16
#: All tables of a copy may take this share of on-chip memory.
TABLES_SHARE = 4


def parameter_bytes(layer: Layer, channels: int, pixels: int | None = None) -> int:
    """Upper bound of the on-chip parameters of a block with so many output channels and pixels, all pixels if None."""
    kernel = layer.kernel
    match kernel:
        case Convolution():
            _, height, width, inputs = kernel.weights.shape
            weights = channels * (height * width * inputs + PER_CHANNEL)
            return weights + value_bytes(layer, channels, pixels) + TABLES + ALIGNMENT
        case Pooling():
            return TABLES
        case Elementwise() | Lookup():
            return vector_parameter_bytes(layer, kernel, channels, pixels)
        case Product():
            return 0 if kernel.lookup is None else TABLE_BYTES
        case Normalization():
            return _row_parameter_bytes(kernel, pixels)
        case Copy():
            return TABLE_BYTES * len(distinct_tables(kernel))
        case Blend():
            return TABLES + ALIGNMENT + 16 * (len(kernel.rows.near) + len(kernel.columns.near))
        case Resize():
            return TABLES + 4 * (len(kernel.rows) + len(kernel.columns))
        case _:
            assert_never(kernel)


def least_constants(layer: Layer, channels: int, pixels: int) -> int:
    """`parameter_bytes` without tables and alignment, which may be absent: what a block cannot do without."""
    if facts(layer.kernel).reach in (Reach.PLACE, Reach.PIXEL, Reach.MATRIX):
        return parameter_bytes(layer, channels, pixels)
    return parameter_bytes(layer, channels, pixels) - TABLES - ALIGNMENT


def value_bytes(layer: Layer, channels: int, pixels: int | None = None) -> int:
    """Bytes of a constant second operand that a block of so many channels and pixels reads."""
    binary = facts(layer.kernel).second
    if binary is None or binary.values is None:
        return 0
    if binary.broadcast is not Broadcast.NONE:
        return min(binary.values.size, channels)
    every = binary.values.size // binary.values.shape[-1]
    return channels * (every if pixels is None else min(pixels, every))


def vector_parameter_bytes(layer: Layer, kernel: Elementwise | Lookup, channels: int, pixels: int | None) -> int:
    """On-chip parameters of a block of a layer that computes element by element: its table, its part of a constant."""
    table = kernel.table if isinstance(kernel, Lookup) else kernel.binary.lookup
    values = -(-value_bytes(layer, channels, pixels) // SECTION) * SECTION
    return values + (0 if table is None else TABLE_BYTES)


def _row_parameter_bytes(kernel: Normalization, pixels: int | None) -> int:
    """Exponentials, gains and offsets of a block of so many pixels; values are float32."""
    every = 0 if kernel.gains is None else kernel.gains.size
    count = min(every, pixels) if kernel.per_pixel and pixels is not None else every
    arrays = [
        256 if kernel.exponentials is not None else 0,
        *(count for found in (kernel.gains, kernel.offsets) if found is not None),
    ]
    return sum(-(-4 * size // SECTION) * SECTION for size in arrays)


def distinct_tables(kernel: Copy) -> frozenset[bytes]:
    """The tables of a copy's moves."""
    return frozenset(move.lookup.tobytes() for move in kernel.moves if move.lookup is not None)


def keeps_tables(kernel: Copy, capacity: int) -> bool:
    """Whether all tables of a copy may stay on chip while it runs; else each is loaded where it is needed."""
    return TABLE_BYTES * len(distinct_tables(kernel)) * TABLES_SHARE <= capacity


def table_bytes(kernel: Copy, capacity: int) -> int:
    """On-chip bytes of the tables that a copy has at a time."""
    count = len(distinct_tables(kernel))
    return TABLE_BYTES * (count if keeps_tables(kernel, capacity) else min(count, 1))


def parts_of_vector(lanes: int) -> tuple[int, ...]:
    """Blocks of fewer output channels than the array has lanes, for contractions too long for a whole vector."""
    return tuple(size for size in (8, 4, 2, 1) if size < lanes)


def least_parameter_bytes(layer: Layer, channels: int, lanes: int, capacity: int) -> int:
    """Parameters of the smallest block to plan with: a vector of output channels, less where that fills the chip, and
    never a part of a group.
    """
    known = facts(layer.kernel)
    sizes = [min(lanes, channels)]
    if known.groups is not None and known.unit is Unit.ARRAY and not known.contracts:
        sizes = [channels // known.groups]
    if known.contracts:
        sizes += [size for size in parts_of_vector(lanes) if size < channels]
    found = [parameter_bytes(layer, size, 1) for size in sizes]
    return next((size for size in found if size <= capacity // 4), found[-1])

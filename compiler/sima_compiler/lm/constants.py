"""What lies inside a block of constants: the only place that knows the order and the alignment of its sections.

In: the arrays, or a command and the bytes of its parameter buffer. Out: bytes, or the arrays. Always holds:
``unpack_constants(pack_constants(s), command) == s`` for the sections that the command uses; the order is weights,
bias or real bias, multipliers, lookup, binary values, binary lookup, row table, column table, row weights, column
weights, exponentials, gains, offsets; each starts at a multiple of 16 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import prod
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from sima_compiler.errors import InternalError, LmError
from sima_compiler.ir.graph import Float32Array, Int8Array, Int32Array
from sima_compiler.ir.layers import Broadcast
from sima_compiler.ir.program import (
    BinaryStep,
    Combine,
    ComputeCommand,
    Convolve,
    Fill,
    Gather,
    Interpolate,
    Multiply,
    Normalize,
    Operand,
    Pool,
    Resample,
    Translate,
)

SECTION_ALIGNMENT = 16
LOOKUP_ENTRIES = 256


@dataclass(frozen=True, slots=True, eq=False)
class ConstantSections:
    """The arrays of one block; None where absent.

    ``weights`` int8 (Cout, kh, kw, Cin / groups), ``bias`` int32 or ``real_bias`` float32 (Cout),
    ``multipliers`` float32 (Cout), ``reals`` float32 (256), ``lookup``
    and ``binary_lookup`` int8 (256), ``binary_values`` int8 (rows, columns, channels) with ones where it broadcasts,
    ``rows`` and ``columns`` int32 (source index per output row and column; two rows of them, near and far, beside
    ``row_weights`` and ``column_weights`` float32 of the same shape), ``exponentials`` float32 (256),
    ``gains`` and ``offsets`` float32 (channels, or pixels of one sample).
    """

    weights: Int8Array | None = None
    bias: Int32Array | None = None
    real_bias: Float32Array | None = None
    multipliers: Float32Array | None = None
    reals: Float32Array | None = None
    lookup: Int8Array | None = None
    binary_values: Int8Array | None = None
    binary_lookup: Int8Array | None = None
    rows: Int32Array | None = None
    columns: Int32Array | None = None
    row_weights: Float32Array | None = None
    column_weights: Float32Array | None = None
    exponentials: Float32Array | None = None
    gains: Float32Array | None = None
    offsets: Float32Array | None = None


_TYPES = {
    "weights": np.dtype("<i1"),
    "bias": np.dtype("<i4"),
    "real_bias": np.dtype("<f4"),
    "multipliers": np.dtype("<f4"),
    "reals": np.dtype("<f4"),
    "lookup": np.dtype("<i1"),
    "binary_values": np.dtype("<i1"),
    "binary_lookup": np.dtype("<i1"),
    "rows": np.dtype("<i4"),
    "columns": np.dtype("<i4"),
    "row_weights": np.dtype("<f4"),
    "column_weights": np.dtype("<f4"),
    "exponentials": np.dtype("<f4"),
    "gains": np.dtype("<f4"),
    "offsets": np.dtype("<f4"),
}


def pack_constants(sections: ConstantSections) -> bytes:
    """The block's bytes: present sections in order, each aligned, zeros between."""
    out = bytearray()
    for field in fields(sections):
        array: npt.NDArray[Any] | None = getattr(sections, field.name)
        if array is None:
            continue
        if array.dtype != _TYPES[field.name]:
            raise InternalError(f"encode: constants {field.name} are {array.dtype}, expected {_TYPES[field.name]}")
        out += bytes(-len(out) % SECTION_ALIGNMENT)
        out += np.ascontiguousarray(array, _TYPES[field.name]).tobytes()
    return bytes(out)


def section_shapes(command: ComputeCommand) -> dict[str, tuple[int, ...]]:
    """Shape of every section that ``command`` reads from its parameters, in storage order."""
    match command:
        case Convolve():
            return _convolve_shapes(command)
        case Combine(binary=step, target=target):
            return _binary_shapes(step, target)
        case Pool(kind=kind, has_lookup=has_lookup):
            names = ["reals"] * (kind.order is not None) + ["lookup"] * has_lookup
            return dict.fromkeys(names, (LOOKUP_ENTRIES,))
        case Multiply(has_lookup=True) | Translate():
            return {"lookup": (LOOKUP_ENTRIES,)}
        case Gather(parameters=parameters):
            return {"lookup": (LOOKUP_ENTRIES,)} if parameters is not None else {}
        case Resample(target=target, has_lookup=has_lookup):
            tables = {"rows": (target.rows,), "columns": (target.columns,)}
            return {"lookup": (LOOKUP_ENTRIES,), **tables} if has_lookup else dict(tables)
        case Interpolate(target=target, has_lookup=has_lookup):
            tables = {
                "rows": (2, target.rows),
                "columns": (2, target.columns),
                "row_weights": (2, target.rows),
                "column_weights": (2, target.columns),
            }
            return {"lookup": (LOOKUP_ENTRIES,), **tables} if has_lookup else dict(tables)
        case Normalize():
            return _row_shapes(command)
        case Multiply() | Fill():
            return {}
        case _:
            assert_never(command)


def constants_bytes(command: ComputeCommand) -> int:
    """Bytes that ``command`` reads from the start of its parameter buffer."""
    offsets, end = _layout(section_shapes(command))
    return end if offsets else 0


def unpack_constants(data: bytes | memoryview, command: ComputeCommand) -> ConstantSections:
    """The arrays of a block as ``command`` uses them; ``data`` may be longer than the block.

    Raises:
        LmError: ``data`` is shorter than what the command reads.
    """
    shapes = section_shapes(command)
    offsets, end = _layout(shapes)
    if end > len(data):
        raise LmError(f"{type(command).__name__} reads {end} bytes of constants, its block has {len(data)}")
    arrays: dict[str, Any] = {
        name: np.frombuffer(data, _TYPES[name], prod(shape), offsets[name]).reshape(shape)
        for name, shape in shapes.items()
    }
    return ConstantSections(**arrays)


def _convolve_shapes(command: Convolve) -> dict[str, tuple[int, ...]]:
    outputs, groups = command.target.channels, command.groups
    if groups < 1 or command.source.channels % groups or outputs % groups:
        raise LmError(f"Convolve: {groups} groups do not divide {command.source.channels} and {outputs} channels")
    shapes: dict[str, tuple[int, ...]] = {
        "weights": (outputs, *command.window.kernel, command.source.channels // groups)
    }
    if not command.part.finishes:
        return shapes
    shapes |= {"real_bias" if command.real else "bias": (outputs,), "multipliers": (outputs,)}
    if command.has_lookup:
        shapes["lookup"] = (LOOKUP_ENTRIES,)
    if command.binary is not None:
        shapes |= _binary_shapes(command.binary, command.target)
    return shapes


def _row_shapes(command: Normalize) -> dict[str, tuple[int, ...]]:
    source, shapes = command.source, dict[str, tuple[int, ...]]()
    if command.kind.exponential:
        shapes["exponentials"] = (LOOKUP_ENTRIES,)
    size = (source.rows * source.columns if command.per_pixel else source.channels,)
    shapes |= {"gains": size} if command.gains else {}
    return shapes | ({"offsets": size} if command.offsets else {})


def _binary_shapes(step: BinaryStep, target: Operand) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    if step.operand is None:
        shapes["binary_values"] = {
            Broadcast.NONE: (target.rows, target.columns, target.channels),
            Broadcast.CHANNEL: (1, 1, target.channels),
            Broadcast.SCALAR: (1, 1, 1),
        }[step.broadcast]
    if step.has_lookup:
        shapes["binary_lookup"] = (LOOKUP_ENTRIES,)
    return shapes


def _layout(shapes: dict[str, tuple[int, ...]]) -> tuple[dict[str, int], int]:
    offsets: dict[str, int] = {}
    end = 0
    for name, shape in shapes.items():
        offsets[name] = end + -end % SECTION_ALIGNMENT
        end = offsets[name] + prod(shape) * _TYPES[name].itemsize
    return offsets, end

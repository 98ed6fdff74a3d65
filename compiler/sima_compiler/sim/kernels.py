"""What each vector-unit command computes, as pure functions of int8 arrays (samples, rows, columns, channels).

In: views of modelled memory and the command's parameters. Out: new int8 arrays. Always holds: the arithmetic is that of
`arithmetic`, in its order; no function looks at addresses or at other samples.
"""

from __future__ import annotations

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Int8Array, Int32Array
from sima_compiler.ir.layers import PoolKind, Window
from sima_compiler.ir.program import BinaryStep, Convolve, Pool
from sima_compiler.lm.constants import ConstantSections
from sima_compiler.sim.convolution import Sums, check_window, convolve, taps
from sima_compiler.sim.requantizing import Requantizer, binary


def look_up(values: Int8Array, table: Int8Array | None) -> Int8Array:
    """Every byte through a table indexed by q + 128; unchanged without a table."""
    if table is None:
        return values
    by_byte = np.concatenate((table[128:], table[:128]))
    return by_byte.take(np.ascontiguousarray(values).view(np.uint8))


def run_convolution(
    command: Convolve, source: Int8Array, operand: Int8Array | None, sections: ConstantSections
) -> Int8Array:
    """Convolution, requantization, clamp, lookup, second operand: int8 of the target's shape."""
    weights, bias, factors = sections.weights, sections.bias, sections.multipliers
    if weights is None or bias is None or factors is None:
        raise ExecutionError("a convolution without weights, bias or multipliers")
    requantize = Requantizer(bias, factors, command.intermediate.zero_point, command.clamp)

    def finish(sums: Sums) -> Int8Array:
        return look_up(requantize(sums), sections.lookup)

    size = (command.target.rows, command.target.columns)
    result = convolve(
        source,
        weights,
        command.window,
        groups=command.groups,
        zero_point=command.input_zero_point,
        size=size,
        finish=finish,
    )
    if command.binary is None:
        return result
    return combine(command.binary, result, operand, sections)


def combine(step: BinaryStep, flight: Int8Array, operand: Int8Array | None, sections: ConstantSections) -> Int8Array:
    """The value in flight with the second operand (from memory, or else from the parameters)."""
    other = operand if operand is not None else sections.binary_values
    if other is None:
        raise ExecutionError("a second operand is neither in memory nor in the parameters")
    other = other if other.ndim == 4 else other[np.newaxis]
    if any(size not in (1, full) for size, full in zip(other.shape, flight.shape, strict=True)):
        raise ExecutionError(f"a second operand of shape {other.shape} does not spread over {flight.shape}")
    left, right = (other, flight) if step.swapped else (flight, other)
    result = np.empty(flight.shape, np.int8)
    for sample in range(flight.shape[0]):
        first, second = (side[min(sample, side.shape[0] - 1)] for side in (left, right))
        result[sample] = binary(step, first, second)
    return look_up(result, sections.binary_lookup)


def run_pool(command: Pool, source: Int8Array, table: Int8Array | None) -> Int8Array:
    """Window reduction, clamp, lookup."""
    if command.is_global:
        pooled = _global_pool(command, source)
    else:
        size = (command.target.rows, command.target.columns)
        check_window(source.shape, command.window, size)
        pooled = _max_pool(command, source, size) if command.kind is PoolKind.MAX else _average(command, source, size)
    return look_up(pooled, table)


def _global_pool(command: Pool, source: Int8Array) -> Int8Array:
    if command.kind is PoolKind.MAX:
        return np.clip(source.max(axis=(1, 2), keepdims=True), *command.clamp).astype(np.int8)
    return arithmetic.global_average(source, (1, 2), command.input, command.output, command.clamp)


def _max_pool(command: Pool, source: Int8Array, size: tuple[int, int]) -> Int8Array:
    """Pads lose against every value."""
    result = np.full((source.shape[0], *size, source.shape[3]), -128, np.int8)
    for _, _, view in taps(_pad(source, command.window, -128), command.window, size):
        np.maximum(result, view, out=result)
    return np.clip(result, *command.clamp).astype(np.int8)


def _average(command: Pool, source: Int8Array, size: tuple[int, int]) -> Int8Array:
    """Centred values of each window; the divisor counts cells inside, and this block's pads if they count."""
    centred = _pad(source.astype(np.int32) - command.input.zero_point, command.window, 0)
    views = (view for _, _, view in taps(centred, command.window, size))
    cells = window_cells((source.shape[1], source.shape[2]), command.window, size, command.count_include_pad)
    if not cells.all():
        raise ExecutionError("an average over a window without a single counted cell")
    return arithmetic.average_of_taps(views, cells, command.input, command.output, command.clamp)


def window_cells(source: tuple[int, int], window: Window, size: tuple[int, int], count_pads: bool) -> Int32Array:
    """Cells that each window of a block counts: int32 (1, rows, columns, 1)."""
    inside = _pad(np.ones((1, *source, 1), np.int32), window, int(count_pads))
    cells = np.zeros((1, *size, 1), np.int32)
    for _, _, view in taps(inside, window, size):
        cells += view
    return cells


def resample(source: Int8Array, sections: ConstantSections) -> Int8Array:
    """Output (r, c) = source (rows[r], columns[c]), then the lookup."""
    rows, columns = sections.rows, sections.columns
    if rows is None or columns is None:
        raise ExecutionError("resampling without index tables")
    for name, table, size in (("row", rows, source.shape[1]), ("column", columns, source.shape[2])):
        if table.min() < 0 or table.max() >= size:
            raise ExecutionError(f"a {name} table reaches {table.min()}..{table.max()}, the source has {size} {name}s")
    return look_up(source[:, rows][:, :, columns], sections.lookup)


def _pad(values: np.ndarray, window: Window, fill: int) -> np.ndarray:
    top, left, bottom, right = window.pads
    if not any(window.pads):
        return values
    return np.pad(values, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)

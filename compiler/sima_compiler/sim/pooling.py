"""Window reductions per channel, whole or part by part.

In: a `Pool` command, the int8 source (samples, rows, columns, channels) and what earlier parts of the block reduced.
Out: the accumulators after the command; int8 results from them. Always holds: parts in the order of the window's rows
and columns give what the whole window gives, to the bit.
"""

from __future__ import annotations

import numpy as np

from sima_compiler import arithmetic, realsums
from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Float32Array, Int8Array, Int32Array, SumOrder
from sima_compiler.ir.layers import PoolKind, Window
from sima_compiler.ir.program import Part, Pool
from sima_compiler.sim.accumulators import Accumulated
from sima_compiler.sim.convolution import check_window, taps


def reduce_window(
    command: Pool, source: Int8Array, before: Accumulated | None, reals: Float32Array | None = None
) -> Accumulated:
    """The reduction of ``source`` on top of ``before``; ``reals`` is the command's table, if its kind has one.

    Maxima as int8, sums of a global average as centred int32, sums of window averages as float32 reals; ``cells`` as
    int32, broadcast. Pads lose against every value and add nothing.
    """
    if command.is_global:
        found = _whole_map(command, source)
    else:
        size = (command.target.rows, command.target.columns)
        check_window(source.shape, command.window, size)
        if command.kind.order is not None and reals is not None:
            return _real_sums(command, reals[source.astype(np.int16) + arithmetic.UINT8_SHIFT], size, before)
        if command.kind is PoolKind.AVERAGE:
            return _window_sums(command, source, size, before)
        found = Accumulated(_window_maxima(command, source, size))
    if before is None:
        return found
    if command.kind is PoolKind.MAX:
        return Accumulated(np.maximum(found.values, before.values))
    return Accumulated(found.values + before.values, found.cells + before.cells)


def finish_pool(command: Pool, found: Accumulated) -> Int8Array:
    """The results of a reduced block, clamped."""
    if command.kind is PoolKind.MAX:
        return np.clip(found.values, *command.clamp).astype(np.int8)
    if command.is_global:
        sums, cells = found.values.astype(np.int32, copy=False), int(found.cells.max())
        return arithmetic.global_average_of_sum(sums, cells, command.input, command.output, command.clamp)
    if not found.cells.all():
        raise ExecutionError("an average over a window without a single counted cell")
    reals = found.values.astype(np.float32, copy=False)
    finish = arithmetic.average_of_reals if command.kind.order is None else realsums.average_of_table
    return finish(reals, found.cells, command.output, command.clamp)


def _whole_map(command: Pool, source: Int8Array) -> Accumulated:
    if command.kind is PoolKind.MAX:
        return Accumulated(source.max(axis=(1, 2), keepdims=True))
    cells = source.shape[1] * source.shape[2]
    total = source.sum(axis=(1, 2), keepdims=True, dtype=np.int32) - np.int32(cells * command.input.zero_point)
    return Accumulated(total, np.array(cells, np.int32))


def _window_maxima(command: Pool, source: Int8Array, size: tuple[int, int]) -> Int8Array:
    result = np.full((source.shape[0], *size, source.shape[3]), -128, np.int8)
    for _, _, view in taps(_pad(source, command.window, -128), command.window, size):
        np.maximum(result, view, out=result)
    return result


def _window_sums(command: Pool, source: Int8Array, size: tuple[int, int], before: Accumulated | None) -> Accumulated:
    """Reals of each window; the divisor counts cells inside, and this block's pads if they count."""
    centred = _pad(source.astype(np.int32) - command.input.zero_point, command.window, 0)
    views = (view for _, _, view in taps(centred, command.window, size))
    cells = window_cells((source.shape[1], source.shape[2]), command.window, size, command.count_include_pad)
    if before is None:
        return Accumulated(arithmetic.sum_of_taps(np.zeros((), np.float32), views, command.input), cells)
    sums = before.values.astype(np.float32, copy=False)
    return Accumulated(arithmetic.sum_of_taps(sums, views, command.input), cells + before.cells)


def _real_sums(command: Pool, reals: Float32Array, size: tuple[int, int], before: Accumulated | None) -> Accumulated:
    """Sums of each window's reals; parts follow each other where cells are summed row by row."""
    order, padded = command.kind.order, _pad(reals, command.window, 0)
    cells = window_cells((reals.shape[1], reals.shape[2]), command.window, size, command.count_include_pad)
    if order is None or order is SumOrder.ROWS:
        views = (view for _, _, view in taps(padded, command.window, size))
        start = np.zeros((), np.float32) if before is None else before.values.astype(np.float32, copy=False)
        total = arithmetic.sum_in_sequence(start, views)
        return Accumulated(total, cells if before is None else cells + before.cells)
    if command.part is not Part.WHOLE:
        raise ExecutionError(f"an average by {order} in parts")
    views = np.stack([view for _, _, view in taps(padded, command.window, size)], axis=-1)
    windows = views.reshape(*views.shape[:-1], *command.window.kernel)
    return Accumulated(realsums.sum_of_reals(windows, order, channel_axis=3), cells)


def window_cells(source: tuple[int, int], window: Window, size: tuple[int, int], count_pads: bool) -> Int32Array:
    """Cells that each window of a block counts: int32 (1, rows, columns, 1)."""
    inside = _pad(np.ones((1, *source, 1), np.int32), window, int(count_pads))
    cells = np.zeros((1, *size, 1), np.int32)
    for _, _, view in taps(inside, window, size):
        cells += view
    return cells


def _pad(values: np.ndarray, window: Window, fill: int) -> np.ndarray:
    top, left, bottom, right = window.pads
    if not any(window.pads):
        return values
    return np.pad(values, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)

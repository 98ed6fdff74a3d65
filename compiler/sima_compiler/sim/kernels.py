"""What each command but the pools computes, as pure functions of int8 arrays (samples, rows, columns, channels).

In: views of modelled memory and the command's parameters. Out: new int8 arrays. Always holds: the arithmetic is that of
`arithmetic`, in its order; no function looks at addresses or at other samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Int8Array, Neighbours
from sima_compiler.ir.program import BinaryStep, Convolve, Interpolate, Part
from sima_compiler.lm.constants import ConstantSections
from sima_compiler.sim.accumulators import Accumulated
from sima_compiler.sim.convolution import Finished, Sums, convolve
from sima_compiler.sim.requantizing import Requantizer, binary


def look_up(values: Int8Array, table: Int8Array | None) -> Int8Array:
    """Every byte through a table indexed by q + 128; unchanged without a table."""
    if table is None:
        return values
    by_byte = np.concatenate((table[128:], table[:128]))
    return by_byte.take(np.ascontiguousarray(values).view(np.uint8))


def run_convolution(
    command: Convolve,
    source: Int8Array,
    operand: Int8Array | None,
    sections: ConstantSections,
    before: Accumulated | None,
) -> Int8Array | Accumulated:
    """Convolution on top of the sums ``before``; where the command finishes, requantization, clamp, lookup and second
    operand, as int8 of the target's shape, else the sums.
    """
    if command.part is not Part.WHOLE:
        sums = _convolve(command, source, sections, lambda found: found.astype(np.int32), np.int32)
        sums = sums.astype(np.int32, copy=False) + (0 if before is None else before.values.astype(np.int32))
        if not command.part.finishes:
            return Accumulated(sums)
        result = _finisher(command, sections)(sums)
    else:
        result = _convolve(command, source, sections, _finisher(command, sections))
    result = result.astype(np.int8, copy=False)
    return result if command.binary is None else combine(command.binary, result, operand, sections)


def _convolve(
    command: Convolve,
    source: Int8Array,
    sections: ConstantSections,
    finish: Callable[[Sums], Finished],
    kind: type[np.int8 | np.int32] = np.int8,
) -> Finished:
    if sections.weights is None:
        raise ExecutionError("a convolution without weights")
    return convolve(
        source,
        sections.weights,
        command.window,
        groups=command.groups,
        zero_point=command.input_zero_point,
        size=(command.target.rows, command.target.columns),
        finish=finish,
        kind=kind,
    )


def _finisher(command: Convolve, sections: ConstantSections) -> Callable[[Sums], Finished]:
    if command.real:
        requantize_real = _real_finisher(command, sections)
        return lambda sums: look_up(requantize_real(sums), sections.lookup)
    bias, factors = sections.bias, sections.multipliers
    if bias is None or factors is None:
        raise ExecutionError("a convolution without bias or multipliers")
    requantize = Requantizer(bias, factors, command.intermediate.zero_point, command.clamp)
    return lambda sums: look_up(requantize(sums), sections.lookup)


def _real_finisher(command: Convolve, sections: ConstantSections) -> Callable[[Sums], Int8Array]:
    bias, factors, output = sections.real_bias, sections.multipliers, command.intermediate
    if bias is None or factors is None:
        raise ExecutionError("a convolution without bias or multipliers")
    if not (np.isfinite(bias).all() and np.isfinite(factors).all()):
        raise ExecutionError("a multiplier or a bias is no finite number")
    if not output.scale > 0:
        raise ExecutionError(f"results of the scale {output.scale}")
    return lambda sums: arithmetic.requantize_real(sums.astype(np.int32), factors, bias, output, command.clamp)


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


def resample(source: Int8Array, sections: ConstantSections) -> Int8Array:
    """Output (r, c) = source (rows[r], columns[c]), then the lookup."""
    rows, columns = sections.rows, sections.columns
    if rows is None or columns is None:
        raise ExecutionError("resampling without index tables")
    for name, table, size in (("row", rows, source.shape[1]), ("column", columns, source.shape[2])):
        if table.min() < 0 or table.max() >= size:
            raise ExecutionError(f"a {name} table reaches {table.min()}..{table.max()}, the source has {size} {name}s")
    return look_up(source[:, rows][:, :, columns], sections.lookup)


def interpolate(command: Interpolate, source: Int8Array, sections: ConstantSections) -> Int8Array:
    """The four neighbours of every place by the tables, weighted and added as the format says; then the lookup."""
    places, weights = (sections.rows, sections.columns), (sections.row_weights, sections.column_weights)
    axes: list[Neighbours] = []
    for name, table, weight, size in zip(("row", "column"), places, weights, source.shape[1:3], strict=True):
        if table is None or weight is None:
            raise ExecutionError("interpolating without tables")
        if table.min() < 0 or table.max() >= size:
            raise ExecutionError(f"a {name} table reaches {table.min()}..{table.max()}, the source has {size} {name}s")
        near, far = (tuple(entry) for entry in table.tolist())
        first, second = (tuple(entry) for entry in weight.tolist())
        axes.append(Neighbours(near, far, first, second))
    found = arithmetic.interpolate(source, (1, 2), (axes[0], axes[1]), (command.input, command.output), command.clamp)
    return look_up(found, sections.lookup)

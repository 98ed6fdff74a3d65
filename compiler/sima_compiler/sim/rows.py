"""What a `Normalize` command computes, as a pure function of int8 arrays (samples, rows, columns, channels).

In: the source's values, the command, its parameters. Out: the target's values. Always: the arithmetic is `rowwise`'s.
"""

from __future__ import annotations

import numpy as np

from sima_compiler import rowwise
from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Float32Array, Int8Array
from sima_compiler.ir.layers import RowKind
from sima_compiler.ir.program import Normalize
from sima_compiler.lm.constants import ConstantSections


def normalize(command: Normalize, source: Int8Array, sections: ConstantSections) -> Int8Array:
    """The values of the command's target.

    Raises:
        ExecutionError: scales or parameters are no numbers to compute with.
    """
    _check(command, sections)
    output, clamp = command.output, command.clamp
    match command.kind:
        case RowKind.SOFTMAX | RowKind.REAL_SOFTMAX:
            if sections.exponentials is None:
                raise ExecutionError("a softmax without exponentials")
            function = rowwise.softmax if command.kind is RowKind.SOFTMAX else rowwise.real_softmax
            return function(source, sections.exponentials, output, clamp)
        case RowKind.LOG_SOFTMAX:
            if sections.exponentials is None:
                raise ExecutionError("a softmax without exponentials")
            return rowwise.log_softmax(source, sections.exponentials, command.input, output, clamp)
        case RowKind.ARG_MAX | RowKind.ARG_MAX_LAST:
            if source.shape[-1] > rowwise.MOST_PLACES:
                raise ExecutionError(f"a byte cannot count {source.shape[-1]} channels")
            return rowwise.arg_max(source, last=command.kind is RowKind.ARG_MAX_LAST)
        case RowKind.RESPONSE:
            if command.response is None or command.response.size < 1:
                raise ExecutionError("a local response without neighbours")
            return rowwise.local_response(source, command.input, output, command.response, clamp)
        case RowKind.LARGEST:
            return rowwise.largest(source, command.input, output, clamp)
        case RowKind.SUM | RowKind.MEAN:
            return rowwise.total(source, command.input, output, mean=command.kind is RowKind.MEAN, clamp=clamp)
        case RowKind.LAYER | RowKind.RMS:
            norm = rowwise.layer_norm if command.kind is RowKind.LAYER else rowwise.rms_norm
            gains, offsets = _spread(command, sections.gains), _spread(command, sections.offsets)
            return norm(source, command.input, output, command.epsilon, gains, offsets, clamp)


def _check(command: Normalize, sections: ConstantSections) -> None:
    if not (command.output.scale > 0 and command.input.scale > 0):
        raise ExecutionError(f"values of the scales {command.input.scale} and {command.output.scale}")
    for found in (sections.exponentials, sections.gains, sections.offsets):
        if found is not None and not np.isfinite(found).all():
            raise ExecutionError("an exponential, a gain or an offset is no finite number")
    if sections.exponentials is not None and not (sections.exponentials >= 0).all() & (sections.exponentials[-1] > 0):
        raise ExecutionError("exponentials are not positive")


def _spread(command: Normalize, values: Float32Array | None) -> Float32Array | None:
    """Against (samples, rows, columns, channels)."""
    if values is None or not command.per_pixel:
        return values
    return values.reshape(1, command.source.rows, command.source.columns, 1)

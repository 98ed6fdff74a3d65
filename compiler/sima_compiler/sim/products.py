"""What a `Multiply` command computes, as a pure function of int8 arrays (samples, rows, columns, channels).

In: the values of both maps, the command, its parameters. Out: the target's values. Always: sums are exact.
"""

from __future__ import annotations

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Int8Array
from sima_compiler.ir.program import Multiply
from sima_compiler.lm.constants import ConstantSections
from sima_compiler.sim.kernels import look_up


def multiply(command: Multiply, left: Int8Array, right: Int8Array, sections: ConstantSections) -> Int8Array:
    """Products of every pixel with every pixel of the second map, row by row.

    Raises:
        ExecutionError: the maps do not match, or a scale is no number to compute with.
    """
    if right.shape[:2] != left.shape[:2] or right.shape[3] != left.shape[3]:
        raise ExecutionError(f"a second map of shape {right.shape} does not multiply {left.shape}")
    factor, output = np.float32(command.multiplier), command.intermediate
    if not (np.isfinite(factor) and output.scale > 0):
        raise ExecutionError(f"sums times {command.multiplier} at the scale {output.scale}")
    sums = arithmetic.products(left, right.swapaxes(2, 3), command.left_zero_point, command.right_zero_point)
    result = arithmetic.finished_product(sums, factor, output, real=command.real, clamp=command.clamp)
    return look_up(result, sections.lookup)

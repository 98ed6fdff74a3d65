"""The array's command for products of two maps, both computed.

In: nothing but operands. Out: records of level 5 (`ir.program`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.operands import ArrayMapping, Operand, Wait


@dataclass(frozen=True, slots=True)
class Multiply:
    """MAC array: every pixel of ``source`` times every pixel of ``right`` in the same row of the same sample.

    Target (sample, row, column, channel) is the sum over k of source (sample, row, column, k) less its zero point times
    right (sample, row, channel, k) less its own: the second map takes the place of weights, one output channel per
    pixel. The sums times ``multiplier`` are what leaves, or, ``real``, reals that the output's scale divides.
    """

    layer: int
    wait: Wait
    source: Operand
    right: Operand
    target: Operand
    parameters: int | None
    left_zero_point: int
    right_zero_point: int
    multiplier: float
    real: bool
    intermediate: Quantization
    clamp: tuple[int, int]
    has_lookup: bool
    mapping: ArrayMapping

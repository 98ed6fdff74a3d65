"""Commands of the vector unit that look at all channels of a pixel: softmax, the largest, normalizations.

In: nothing but operands. Out: records of level 5 (`ir.program`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.ir.graph import Quantization, Response
from sima_compiler.ir.layers import RowKind
from sima_compiler.ir.operands import Operand, Wait


@dataclass(frozen=True, slots=True)
class Normalize:
    """Vector unit: every pixel's channels together, as ``kind`` says; ``source`` has all channels of its pixels.

    ``gains`` and ``offsets``: whether the parameters hold them, one per channel or, ``per_pixel``, one per pixel of
    this block. ``parameters`` is None where the kind and these flags leave nothing to hold.
    """

    layer: int
    wait: Wait
    kind: RowKind
    source: Operand
    target: Operand
    parameters: int | None
    input: Quantization
    output: Quantization
    epsilon: float
    clamp: tuple[int, int]
    gains: bool
    offsets: bool
    per_pixel: bool
    response: Response | None = None

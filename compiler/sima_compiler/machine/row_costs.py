"""What the vector unit takes for a pixel whose channels are looked at together: softmax, the largest, normalizations.

In: the kind, the channels of a pixel, a `Machine`. Out: whole cycles. Always: one tile does all of a pixel; nothing is
published, so each is the slower reading: every pass reads the pixel again, float32 sums go one value after the other.
"""

from __future__ import annotations

from sima_compiler.ir.graph import Response
from sima_compiler.ir.layers import RowKind
from sima_compiler.machine.description import Machine
from sima_compiler.machine.traffic import ceil_div

#: Times that a pixel is read: the largest, exponentials and their sum, quotients; sums of values and squares, results.
PASSES = {
    RowKind.SOFTMAX: 3,
    RowKind.REAL_SOFTMAX: 3,
    RowKind.LOG_SOFTMAX: 3,
    RowKind.ARG_MAX: 1,
    RowKind.ARG_MAX_LAST: 1,
    RowKind.LAYER: 2,
    RowKind.RMS: 2,
    RowKind.LARGEST: 1,
    RowKind.SUM: 1,
    RowKind.MEAN: 1,
    RowKind.RESPONSE: 2,
}
#: Vector operations of a normalization: sum, sum of squares; subtract the mean, times scale, times gain, plus offset.
NORMALIZING = 6
#: Divisions and roots that a normalization takes once per pixel: of the variance, of one by the root.
PER_PIXEL = 2
#: Vector operations of a local response beside one for each neighbour: square, times alpha, plus bias, the product.
RESPONDING = 4
#: What a power takes, in divisions: two roots and a quotient, as 0.75 does.
POWER = 3


def pixel_passes(kind: RowKind) -> int:
    """Times that every vector of a pixel is read."""
    return PASSES[kind]


def pixel_cycles(kind: RowKind, channels: int, machine: Machine, response: Response | None = None) -> int:
    """Cycles in which one tile finishes a pixel of so many channels."""
    vectors = ceil_div(channels, machine.lanes)
    if kind.counts:
        return vectors * machine.lanes
    if response is not None:
        return vectors * (RESPONDING + response.size + POWER * machine.divide_cycles)
    if kind.reduces:  # vector by vector, then the lanes of the last one after the other
        return vectors + machine.lanes
    if kind.exponential:
        return vectors * (1 + machine.lanes * machine.serial_add_cycles + machine.divide_cycles)
    return vectors * NORMALIZING + PER_PIXEL * machine.divide_cycles

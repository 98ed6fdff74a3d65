"""What each layer cannot avoid: multiply-accumulates, padded work, bytes of weights.

In: a segment, the machine, the batch. Out: a `LayerLoad` per layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sima_compiler.bounds.cells import cells_met, window_cells
from sima_compiler.bounds.repeats import only_repeats
from sima_compiler.bounds.work import padded_work
from sima_compiler.ir.kernels import facts
from sima_compiler.ir.layers import Layer, Product, Segment
from sima_compiler.machine.description import Machine


@dataclass(frozen=True, slots=True)
class LayerLoad:
    """What one layer cannot avoid, for the whole batch: MACs, padded work in cycles, weight bytes in DRAM.

    ``stored_bytes`` is the smaller of the raw and the compressed size of the weights.
    """

    macs: int
    padded_cycles: int
    raw_bytes: int
    stored_bytes: int


def weight_sizes(segment: Segment, least_bytes: Callable[[bytes], int]) -> tuple[tuple[int, int], ...]:
    """(raw, smaller of raw and compressed) bytes of every layer's weights that meet its map; zeros without weights.

    ``least_bytes`` gives the second of them for the first one's content.
    """
    return tuple(_weight_size(layer, segment, least_bytes) for layer in segment.layers)


def _weight_size(layer: Layer, segment: Segment, least_bytes: Callable[[bytes], int]) -> tuple[int, int]:
    weights, window = facts(layer.kernel).weights, facts(layer.kernel).window
    if weights is None or window is None or only_repeats(layer.kernel, segment.maps[layer.inputs[0]]):
        return (0, 0)
    if any(window.pads):
        source, target = segment.maps[layer.inputs[0]], segment.maps[layer.output]
        weights = weights[:, cells_met(window, 0, target.rows, source.rows)]
        weights = weights[:, :, cells_met(window, 1, target.columns, source.columns)]
    raw = weights.tobytes()
    return (len(raw), least_bytes(raw))


def layer_loads(
    segment: Segment, sizes: Sequence[tuple[int, int]], machine: Machine, *, quads: int, batch: int
) -> tuple[LayerLoad, ...]:
    """The unavoidable load of every layer."""
    cycles = padded_work(segment, machine, quads=quads, batch=batch)
    return tuple(
        LayerLoad(macs=layer_macs(layer, segment) * batch, padded_cycles=work, raw_bytes=raw, stored_bytes=stored)
        for layer, work, (raw, stored) in zip(segment.layers, cycles, sizes, strict=True)
    )


def layer_macs(layer: Layer, segment: Segment) -> int:
    """Multiply-accumulates of one sample whose operand lies on the map."""
    if isinstance(layer.kernel, Product):
        left, target = segment.maps[layer.inputs[0]], segment.maps[layer.output]
        return target.elements * left.channels
    weights, window = facts(layer.kernel).weights, facts(layer.kernel).window
    if weights is None or window is None or only_repeats(layer.kernel, segment.maps[layer.inputs[0]]):
        return 0
    rows, columns = window_cells(window, segment.maps[layer.inputs[0]], segment.maps[layer.output])
    outputs, _, _, inputs = weights.shape
    return int(rows.sum()) * int(columns.sum()) * outputs * inputs

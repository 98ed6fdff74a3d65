"""Both bounds of a segment from the loads of its layers.

In: a segment, its loads, the machine, the batch. Out: `Bounds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import assert_never

from sima_compiler.bounds.cells import positions_touched
from sima_compiler.bounds.loads import LayerLoad
from sima_compiler.ir.layers import (
    Blend,
    Convolution,
    Copy,
    Elementwise,
    FeatureMap,
    Layer,
    Lookup,
    Normalization,
    Pooling,
    Product,
    Resize,
    Segment,
)
from sima_compiler.machine.description import Machine
from sima_compiler.machine.traffic import ceil_div


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lower bounds in cycles; see the module's text."""

    bound_cycles: int
    padded_bound_cycles: int


def segment_bounds(segment: Segment, loads: Sequence[LayerLoad], machine: Machine, *, quads: int, batch: int) -> Bounds:
    """Both bounds for one run of the whole batch."""
    inputs = sum(read_elements(segment, name) for name in segment.inputs) * batch
    outputs = sum(segment.maps[name].elements for name in segment.outputs) * batch
    bandwidth = machine.dram_bytes_per_cycle
    compulsory = inputs + outputs + sum(load.stored_bytes for load in loads)
    bound = max(
        ceil_div(sum(load.macs for load in loads), machine.macs_per_cycle(quads)), ceil_div(compulsory, bandwidth)
    )
    capacity = machine.sram_bytes(quads)
    work, later, padded = 0, sum(load.stored_bytes for load in loads), bound
    for load in loads:
        padded = max(padded, work + ceil_div(max(0, later - capacity), bandwidth))
        work += load.padded_cycles
        later -= load.stored_bytes
    return Bounds(bound, max(padded, work))


def read_elements(segment: Segment, name: str) -> int:
    """Values of one sample of a network input that must be read: what the layer that reads most of it needs."""
    source = segment.maps[name]
    readers = [layer for layer in segment.layers if name in layer.inputs]
    return max((_read_by(layer, name, source, segment) for layer in readers), default=0)


def _read_by(layer: Layer, name: str, source: FeatureMap, segment: Segment) -> int:
    kernel = layer.kernel
    match kernel:
        case Copy():
            return max(prod(move.sizes) for move in kernel.moves if move.source == name)
        case Resize():
            return len(set(kernel.rows)) * len(set(kernel.columns)) * source.channels
        case Blend():
            rows, columns = (len(frozenset[int]().union(*axis.seen())) for axis in (kernel.rows, kernel.columns))
            return rows * columns * source.channels
        case Convolution() | Pooling() if layer.inputs[0] == name and name not in layer.inputs[1:]:
            target = segment.maps[layer.output]
            rows = positions_touched(kernel.window, 0, target.rows, source.rows)
            return rows * positions_touched(kernel.window, 1, target.columns, source.columns) * source.channels
        case Convolution() | Pooling() | Elementwise() | Lookup() | Normalization() | Product():
            return source.elements
        case _:
            assert_never(kernel)

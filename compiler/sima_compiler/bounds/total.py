"""Both bounds of a segment from the loads of its layers.

In: a segment, its loads, the machine, the batch. Out: `Bounds`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import assert_never

from sima_compiler.bounds.behind import work_behind_weights
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
    edges, stored = _Edges.of(machine), sum(load.stored_bytes for load in loads)
    if not inputs or not outputs:
        return Bounds(bound, max(bound, sum(load.padded_cycles for load in loads)))
    waiting = work_behind_weights(segment, loads)
    behind = edges.behind_loads if stored else edges.last
    # Of the sample whose input comes last, all that waits for weights waits for that input, too.
    loaded = ceil_div(inputs + stored, bandwidth) + behind + waiting // batch
    weighted = ceil_div(stored, bandwidth) + behind + waiting
    moved = edges.first_bytes + max(ceil_div(compulsory, bandwidth), loaded, weighted)
    work = edges.first + max(
        sum(load.padded_cycles for load in loads) + edges.last, _late_weights(loads, machine, quads) + behind + waiting
    )
    return Bounds(bound, max(bound, moved, work))


@dataclass(frozen=True, slots=True)
class _Edges:
    """Cycles at both ends of a run that no program can do without, because the first command has to be fetched and
    transfers take ``dma_latency_cycles`` until they ask for a byte.

    ``first_bytes``: before the first byte of a map or of weights crosses the DRAM; ``first``: before anything can be
    computed of an input; ``last``: behind the last result, until it has left; ``behind_loads``: behind the last
    weights, whose results leave after a command has used them.
    """

    first_bytes: int
    first: int
    last: int
    behind_loads: int

    @staticmethod
    def of(machine: Machine) -> _Edges:
        """Those of a machine."""
        latency, burst = machine.dma_latency_cycles, ceil_div(machine.dram_burst_bytes, machine.dram_bytes_per_cycle)
        reached = latency + burst + latency
        last = latency + burst
        return _Edges(reached, reached + burst, last, machine.fill_cycles + 1 + last)


def _late_weights(loads: Sequence[LayerLoad], machine: Machine, quads: int) -> int:
    """The most over all cuts of the work in front of one and then the weights that cannot be there yet: weights lie raw
    on chip, so what has arrived is at most its capacity of raw bytes, whatever of the layers behind. 0 where all fit.
    """
    work = sum(load.padded_cycles for load in loads)
    found, late = 0, _Arrived(machine.sram_bytes(quads))
    for load in reversed(loads):
        work -= load.padded_cycles
        late.add(load.raw_bytes, load.stored_bytes)
        missing, share = late.missing()
        if missing:
            found = max(found, work + ceil_div(missing, share * machine.dram_bytes_per_cycle))
    return found


class _Arrived:
    """Weights of layers behind a cut, those first on chip of which most stored bytes fill a raw byte."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._raw = self._kept = self._all = 0
        self._order: list[tuple[Fraction, int, int]] = []

    def add(self, raw: int, stored: int) -> None:
        """One layer more behind the cut."""
        if not raw:
            return
        self._all += stored
        self._raw += raw
        self._kept += stored
        heapq.heappush(self._order, (Fraction(stored, raw), raw, stored))
        while self._raw - self._order[0][1] >= self._capacity:
            _, least_raw, least_stored = heapq.heappop(self._order)
            self._raw -= least_raw
            self._kept -= least_stored

    def missing(self) -> tuple[int, int]:
        """Stored bytes that have not arrived, as a quotient."""
        over = max(0, self._raw - self._capacity)
        share, _, _ = self._order[0] if self._order else (Fraction(0), 0, 0)
        return (self._all - self._kept) * share.denominator + over * share.numerator, share.denominator


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

"""The least cycles that each layer keeps the compute queue busy, whatever the mapping: whole vectors and blocks.

In: a segment, the machine, the batch. Out: cycles per layer, with those that it takes to begin it and to fill once.
Left out are ports and the way out behind the array, which schedules may hide; window cells over padding, which smaller
windows at a border spare; copies, which the right layout spares. A block of weights takes at least as long as it loads.
A product or a table counts at the price of computing its neighbour a second time with it on the way out, where that is
cheaper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np

from sima_compiler.bounds.cells import outputs_met, window_cells
from sima_compiler.bounds.repeats import only_repeats
from sima_compiler.bounds.starts import starts_of
from sima_compiler.ir.kernels import Reach, facts
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
from sima_compiler.machine.cost import depthwise_cycles, pool_cycles
from sima_compiler.machine.description import Machine
from sima_compiler.machine.row_costs import pixel_cycles
from sima_compiler.machine.traffic import ceil_div


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the layers run, and how often."""

    segment: Segment
    machine: Machine
    quads: int
    batch: int

    @property
    def tiles(self) -> int:
        return self.machine.tiles(self.quads)

    @property
    def leaving(self) -> int:
        """Cycles in which a vector of results leaves its tile."""
        return ceil_div(self.machine.lanes, self.machine.output_bytes_per_tile)

    def vectors(self, layer: Layer) -> int:
        """Vectors of results of the whole batch."""
        target = self.segment.maps[layer.output]
        return target.rows * target.columns * ceil_div(target.channels, self.machine.lanes) * self.batch


def padded_work(segment: Segment, machine: Machine, *, quads: int, batch: int) -> tuple[int, ...]:
    """Least compute cycles of every layer for the whole batch."""
    place = _Place(segment, machine, quads, batch)
    begun = starts_of(segment)
    entry = batch * machine.start_cycles + machine.fill_cycles  # a run of commands is one layer's, and fills once
    begins = {layer.output: starts * entry for layer, starts in zip(segment.layers, begun, strict=True)}
    own = {layer.output: _own_cycles(layer, place) for layer in segment.layers}
    made = _Made(place, own, begins, {layer.output: layer for layer in segment.layers})
    return tuple(_least(layer, made) for layer in segment.layers)


@dataclass(frozen=True, slots=True)
class _Made:
    """By the name of a map: who makes it, in how many cycles, and what it takes to begin that."""

    place: _Place
    own: Mapping[str, int]
    begins: Mapping[str, int]
    makers: Mapping[str, Layer]


def _least(layer: Layer, made: _Made) -> int:
    """A layer's own cycles, or those of a neighbour that is computed again to carry it."""
    cycles = made.own[layer.output] + made.begins[layer.output]
    if facts(layer.kernel).reach is not Reach.PLACE:
        return cycles
    carried = [_computed_again(name, layer, made) for name in layer.inputs]
    return min([cycles, *(found for found in carried if found is not None)])


def _computed_again(name: str, rider: Layer, made: _Made) -> int | None:
    """Cycles of computing a map once more with ``rider`` on its way out; through tables and copies, of what they read.

    None where nothing can carry it: an input of the network is not computed. Of a larger map the part that is needed
    may be a small one; of a smaller one, which the rider spreads, every place is computed for each of its results.
    """
    makers = made.makers
    cycles, waiting, seen = 0, [name], {name}
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is None:
            return None
        if isinstance(maker.kernel, Copy | Lookup):
            fresh = [source for source in maker.inputs if source not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
        elif _carries(maker, rider):
            cycles += made.begins[maker.output] + _work_again(maker, rider, made, direct=maker.output == name)
        else:
            return None
    return cycles


def _work_again(maker: Layer, rider: Layer, made: _Made, *, direct: bool) -> int:
    """Cycles of the maker's work where its results are those of the rider."""
    maps = made.place.segment.maps
    source, target = maps[maker.output], maps[rider.output]
    if source.elements > target.elements:
        return 0
    spread = target.rows * target.columns // (source.rows * source.columns)
    if spread <= 1 or not direct:
        return made.own[maker.output]
    return _own_cycles(maker, replace(made.place, batch=made.place.batch * spread))


def _carries(maker: Layer, rider: Layer) -> bool:
    """Every way out has room for a table; a second operand fits a convolution that has none."""
    if isinstance(rider.kernel, Lookup):
        return True
    return facts(maker.kernel).takes_second


def _own_cycles(layer: Layer, place: _Place) -> int:
    """Cycles of a layer by itself."""
    if only_repeats(layer.kernel, place.segment.maps[layer.inputs[0]]):
        return 0
    match layer.kernel:
        case Copy():
            return 0
        case Convolution() as kernel if not kernel.is_depthwise:
            return _array_cycles(layer, kernel, place)
        case Convolution() as kernel:
            operand = kernel.binary is not None and kernel.binary.operand is not None
            return _window_cycles(layer, kernel, lambda cells: _depthwise(cells, place.machine) + operand, place)
        case Pooling() as kernel:
            return _window_cycles(layer, kernel, lambda cells: pool_cycles(cells, place.machine), place)
        case Product():
            left, target = place.segment.maps[layer.inputs[0]], place.segment.maps[layer.output]
            # Either side may take the place of weights: the result turned round is a copy, which costs nothing here.
            sizes = (target.columns, target.channels)
            blocks = min(pixels * ceil_div(outputs, place.machine.lanes) for pixels, outputs in (sizes, sizes[::-1]))
            return place.batch * target.rows * blocks * ceil_div(left.channels, place.machine.lanes) // place.tiles
        case Normalization() as kernel:
            target = place.segment.maps[layer.output]
            pixels = ceil_div(target.rows * target.columns * place.batch, place.tiles)
            return pixels * pixel_cycles(kernel.kind, kernel.channels, place.machine, kernel.response)
        case Elementwise() as kernel:
            steps = 1 if kernel.binary.operand is None else 2
        case Blend() as kernel:
            return _blend_cycles(layer, kernel, place)
        case Lookup() | Resize():
            steps = 1
        case _:
            assert_never(layer.kernel)
    return ceil_div(place.vectors(layer), place.tiles) * max(steps, place.leaving)


def _blend_cycles(layer: Layer, kernel: Blend, place: _Place) -> int:
    """Products with the neighbours that count at all; a result leaves even where one neighbour is all of it."""
    rows, columns = ([len(seen) for seen in axis.seen()] for axis in (kernel.rows, kernel.columns))
    target = place.segment.maps[layer.output]
    cells = sum(
        above * beside * max(depthwise_cycles(high * wide, place.machine), place.leaving)
        for high, above in Counter(rows).items()
        for wide, beside in Counter(columns).items()
    )
    return ceil_div(cells * ceil_div(target.channels, place.machine.lanes) * place.batch, place.tiles)


def _depthwise(cells: int, machine: Machine) -> int:
    """On the vector unit, or on the array with weights on the diagonals of its blocks: a cell per cycle."""
    return min(depthwise_cycles(cells, machine), cells)


def _window_cycles(layer: Layer, kernel: Convolution | Pooling, steps: Callable[[int], int], place: _Place) -> int:
    """Vectors with the steps of their own windows, spread over the tiles; a vector stays on one tile."""
    source, target = place.segment.maps[layer.inputs[0]], place.segment.maps[layer.output]
    rows, columns = (np.unique(counts, return_counts=True) for counts in window_cells(kernel.window, source, target))
    least, total = None, 0
    for height, above in zip(*rows, strict=True):
        for width, beside in zip(*columns, strict=True):
            each = max(steps(int(height) * int(width)), place.leaving)
            least = each if least is None else min(least, each)
            total += int(above) * int(beside) * each
    per_pixel = ceil_div(target.channels, place.machine.lanes) * place.batch
    return max(ceil_div(total * per_pixel, place.tiles), ceil_div(place.vectors(layer), place.tiles) * (least or 0))


def _array_cycles(layer: Layer, kernel: Convolution, place: _Place) -> int:
    """The fewest cycles of tiles, spread over all of them; but not before the sums of one pixel are done: a result's
    products are summed in one row of tiles, block after block, and a block takes at least as long as its weights.
    """
    source, target = place.segment.maps[layer.inputs[0]], place.segment.maps[layer.output]
    machine, inputs = place.machine, kernel.weights.shape[3]
    rows, columns = window_cells(kernel.window, source, target)
    macs = int(rows.sum()) * int(columns.sum()) * target.channels * inputs * place.batch
    least = min(_block_cycles(kernel, source, target, place), _vector_macs(macs, machine))
    if _turns(kernel):
        least = min(least, macs // machine.lanes**2)
    contraction = int(rows.max()) * int(columns.max()) * inputs
    blocks = ceil_div(ceil_div(contraction, machine.lanes), machine.tile_row)
    chain = min(blocks * machine.weight_load_cycles, _vector_macs(contraction * machine.lanes, machine))
    return max(least // place.tiles, chain)


def _vector_macs(macs: int, machine: Machine) -> int:
    """Cycles of one tile's vector unit for so many products, as if none of its lanes ever idled."""
    return macs * machine.depthwise_step_cycles // (machine.depthwise_cells_per_step * machine.lanes)


def _turns(kernel: Convolution) -> bool:
    """Whether it could be the product of two maps: one factor for all, and nothing that is added per channel. Then
    either side may take the place of the weights, and lie in whole blocks.
    """
    plain = kernel.real_bias is None and not kernel.bias.any()
    return plain and kernel.groups == 1 and bool((kernel.multipliers == kernel.multipliers[0]).all())


def _block_cycles(kernel: Convolution, source: FeatureMap, target: FeatureMap, place: _Place) -> int:
    """Fewest cycles of tiles: a block of weights for each pixel that meets it, row folding included, and no block for
    less than it takes to load.
    """
    machine, inputs = place.machine, kernel.weights.shape[3]
    lanes = machine.lanes
    # A map can be laid out packed wherever that pays.
    if source.channels < lanes and kernel.groups == 1 and kernel.window.dilations[1] == 1:
        rows, columns = window_cells(kernel.window, source, target)
        cells = int(rows.sum()) * int((-(-columns * inputs // lanes)).sum()) * place.batch
    else:
        met = np.multiply.outer(*outputs_met(kernel.window, source, target)) * place.batch
        cells = int(np.maximum(met, machine.weight_load_cycles)[met > 0].sum())
    if kernel.shares_blocks:  # what does not fill its last block may stand beside another layer's outputs
        return cells * ceil_div(inputs, lanes) * target.channels // lanes
    return cells * _cell_blocks(kernel, target.channels, lanes)


def _cell_blocks(kernel: Convolution, channels: int, lanes: int) -> int:
    """Fewest blocks of weights of one window cell. Groups may share blocks, with zeros where they differ."""
    inputs, outputs = kernel.weights.shape[3], channels // kernel.groups
    apart = kernel.groups * ceil_div(outputs, lanes) * ceil_div(inputs, lanes)
    if kernel.groups == 1:
        return apart
    together = range(1, min(kernel.groups, ceil_div(lanes, outputs)) + 1)
    shared = (ceil_div(channels * ceil_div(count * inputs, lanes), min(lanes, count * outputs)) for count in together)
    return min(apart, *shared)

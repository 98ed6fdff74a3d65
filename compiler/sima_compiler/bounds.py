"""Lower bounds on the runtime of a network, and why no legal schedule lies below them.

In: a segment, the batch, the machine, the stored size of every layer's weights. Out: cycles. docs/machine-model.md has
the proofs.

``bound_cycles`` is the larger of two quotients. The array does at most ``macs_per_cycle`` multiply-accumulates per
cycle and no other unit does more, so the network's MACs take at least their quotient. DRAM moves at most
``dram_bytes_per_cycle``, and every network output and weight tensor, and what layers read of every network input, must
cross it once, so those bytes take at least their quotient.

``padded_bound_cycles`` is the larger of that and two more. One compute queue runs every layer's work in whole vectors
and weight blocks, whatever the mapping, so the sum of the least padded work is a bound. And at the moment when the work
in front of a layer is done, at most the on-chip capacity of the weights that later layers still need has arrived; the
rest must still cross DRAM. Layers that run in turns keep their weights until all layers in front of them are done, so
this holds for them too.

Window cells over padding count, because the array computes them. The exception is a convolution whose window is so
large that a block may be summed in parts, which leave out what lies in the padding: it is counted without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.layers import (
    Convolution,
    Copy,
    Elementwise,
    FeatureMap,
    Layer,
    Layout,
    Pooling,
    Resize,
    Segment,
    Window,
)
from sima_compiler.machine.cost import ceil_div, depthwise_cycles, pool_cycles
from sima_compiler.machine.description import Machine

#: A window that takes less than this share of on-chip memory, with what else a block needs, is never summed in parts.
WHOLE_SHARE = 12
#: On-chip bytes of tables and alignment that a block may need besides.
TABLES = 2048

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LayerLoad:
    """What one layer cannot avoid, for the whole batch: MACs, padded work in cycles, weight bytes in DRAM.

    ``stored_bytes`` is the smaller of the raw and the compressed size of the weights.
    """

    macs: int
    padded_cycles: int
    raw_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lower bounds in cycles; see the module's text."""

    bound_cycles: int
    padded_bound_cycles: int


def weight_sizes(
    segment: Segment, least_bytes: Callable[[bytes], int], machine: Machine, *, quads: int
) -> tuple[tuple[int, int], ...]:
    """(raw, smaller of raw and compressed) bytes of every layer's weights; zeros without weights.

    ``least_bytes`` gives the second of them for the first one's content.
    """
    return tuple(_weight_size(layer, segment, least_bytes, machine.sram_bytes(quads)) for layer in segment.layers)


def _weight_size(layer: Layer, segment: Segment, least_bytes: Callable[[bytes], int], capacity: int) -> tuple[int, int]:
    if not isinstance(layer.kernel, Convolution):
        return (0, 0)
    weights = layer.kernel.weights
    if may_leave_padding_out(layer, layer.kernel, segment, capacity):
        source, target = segment.maps[layer.inputs[0]], segment.maps[layer.output]
        window = layer.kernel.window
        weights = weights[:, _met(window, 0, target.rows, source.rows)]
        weights = weights[:, :, _met(window, 1, target.columns, source.columns)]
    raw = weights.tobytes()
    return (len(raw), least_bytes(raw))


def layer_loads(
    segment: Segment, sizes: Sequence[tuple[int, int]], machine: Machine, *, quads: int, batch: int
) -> tuple[LayerLoad, ...]:
    """The unavoidable load of every layer."""
    return tuple(
        LayerLoad(
            layer_macs(layer, segment, machine.sram_bytes(quads)) * batch,
            _padded_cycles(layer, segment, machine, quads, batch),
            raw,
            stored,
        )
        for layer, (raw, stored) in zip(segment.layers, sizes, strict=True)
    )


def layer_macs(layer: Layer, segment: Segment, capacity: int) -> int:
    """Multiply-accumulates of one sample; see the module's text for window cells over padding."""
    if not isinstance(layer.kernel, Convolution):
        return 0
    rows, columns = _cells(layer, layer.kernel, segment, capacity)
    outputs, _, _, inputs = layer.kernel.weights.shape
    return int(rows.sum()) * int(columns.sum()) * outputs * inputs


def may_leave_padding_out(layer: Layer, kernel: Convolution, segment: Segment, capacity: int) -> bool:
    """Whether one window of a padded convolution, with weights and results, may be too large to be held whole."""
    if not any(kernel.window.pads):
        return False
    source, target = segment.maps[layer.inputs[0]], segment.maps[layer.output]
    spans = (
        min(size, (cells - 1) * dilation + 1)
        for size, cells, dilation in zip(
            (source.rows, source.columns), kernel.window.kernel, kernel.window.dilations, strict=True
        )
    )
    unit = target.channels if kernel.is_depthwise else 1 if kernel.groups == 1 else target.channels // kernel.groups
    weights = unit * (prod(kernel.weights.shape[1:]) + 8)
    return TABLES + weights + prod(spans) * source.channels + 4 * target.channels > capacity // WHOLE_SHARE


def _cells(layer: Layer, kernel: Convolution, segment: Segment, capacity: int) -> tuple[Counts, Counts]:
    """Window rows that every output row counts, and window columns that every output column counts."""
    source, target, window = segment.maps[layer.inputs[0]], segment.maps[layer.output], kernel.window
    if not may_leave_padding_out(layer, kernel, segment, capacity):
        height, width = window.kernel
        return np.full(target.rows, height, np.int64), np.full(target.columns, width, np.int64)
    return _inside(window, 0, target.rows, source.rows), _inside(window, 1, target.columns, source.columns)


def _inside(window: Window, axis: int, outputs: int, size: int) -> Counts:
    """How many cells of each output's window lie on the map along an axis."""
    starts = np.arange(outputs, dtype=np.int64) * window.strides[axis] - window.pads[axis]
    first = np.maximum(0, -(starts // window.dilations[axis]))
    last = np.minimum(window.kernel[axis], -((starts - size) // window.dilations[axis]))
    return np.maximum(0, last - first)


def _met(window: Window, axis: int, outputs: int, size: int) -> list[int]:
    """The window's cells along an axis that any output sees on the map."""
    found: list[int] = []
    for cell in range(window.kernel[axis]):
        start, stride = cell * window.dilations[axis] - window.pads[axis], window.strides[axis]
        first, last = max(0, -(start // stride)), min(outputs - 1, (size - 1 - start) // stride)
        if first <= last:
            found.append(cell)
    return found


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
    if isinstance(kernel, Copy):
        return max(prod(move.sizes) for move in kernel.moves if move.source == name)
    if isinstance(kernel, Resize):
        return len(set(kernel.rows)) * len(set(kernel.columns)) * source.channels
    if isinstance(kernel, Convolution | Pooling) and layer.inputs[0] == name and name not in layer.inputs[1:]:
        target = segment.maps[layer.output]
        rows = _touched(kernel.window, 0, target.rows, source.rows)
        return rows * _touched(kernel.window, 1, target.columns, source.columns) * source.channels
    return source.elements


def _touched(window: Window, axis: int, outputs: int, size: int) -> int:
    """How many rows (axis 0) or columns (axis 1) of a map its windows touch."""
    starts = range(-window.pads[axis], outputs * window.strides[axis] - window.pads[axis], window.strides[axis])
    steps = range(0, window.kernel[axis] * window.dilations[axis], window.dilations[axis])
    return len({start + step for start in starts for step in steps if 0 <= start + step < size})


def _padded_cycles(layer: Layer, segment: Segment, machine: Machine, quads: int, batch: int) -> int:
    """Least compute cycles of a layer: whole vectors and blocks, spread perfectly over all tiles."""
    target = segment.maps[layer.output]
    pixels = target.rows * target.columns * batch
    kernel, lanes, tiles = layer.kernel, machine.lanes, machine.tiles(quads)
    if isinstance(kernel, Copy):
        return 0
    vectors, leaving = pixels * ceil_div(target.channels, lanes), ceil_div(lanes, machine.output_bytes_per_tile)
    if isinstance(kernel, Convolution):
        rows, columns = _cells(layer, kernel, segment, machine.sram_bytes(quads))
        if not kernel.is_depthwise:
            return batch * _blocks(kernel, segment, layer, (rows, columns), lanes) // tiles
        operand = kernel.binary is not None and kernel.binary.operand is not None
        fewest, most = int(rows.min()) * int(columns.min()), int(rows.max()) * int(columns.max())
        if fewest < most:
            cells = int(rows.sum()) * int(columns.sum()) * batch * ceil_div(target.channels, lanes)
            steps = cells * machine.depthwise_step_cycles // machine.depthwise_cells_per_step
            return max(ceil_div(steps + operand * vectors, tiles), ceil_div(vectors, tiles) * leaving)
        return ceil_div(vectors, tiles) * max(depthwise_cycles(fewest, machine) + operand, leaving)
    return ceil_div(vectors, tiles) * max(_vector_steps(layer, machine), leaving)


def _vector_steps(layer: Layer, machine: Machine) -> int:
    """Cycles that one vector of results keeps a vector unit busy: window cells and operands that are maps."""
    kernel = layer.kernel
    if isinstance(kernel, Pooling):
        return pool_cycles(prod(kernel.window.kernel), machine)
    return 2 if isinstance(kernel, Elementwise) and kernel.binary.operand is not None else 1


def _blocks(kernel: Convolution, segment: Segment, layer: Layer, cells: tuple[Counts, Counts], lanes: int) -> int:
    """Fewest weight blocks of one sample's pixels over the legal mappings, row folding included."""
    source, target, inputs = segment.maps[layer.inputs[0]], segment.maps[layer.output], kernel.weights.shape[3]
    rows, columns = int(cells[0].sum()), cells[1]
    plain = rows * int(columns.sum()) * ceil_div(inputs, lanes)
    packed = source.layout is Layout.HWC and source.channels < lanes
    folded = rows * int((-(-columns * inputs // lanes)).sum())
    outputs = kernel.groups * ceil_div(target.channels // kernel.groups, lanes)
    return outputs * (min(plain, folded) if packed else plain)

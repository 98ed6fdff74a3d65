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
rest must still cross DRAM. Layers that run in turns keep their weights until the last turn, so this holds for them too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

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


def weight_sizes(segment: Segment, least_bytes: Callable[[bytes], int]) -> tuple[tuple[int, int], ...]:
    """(raw, smaller of raw and compressed) bytes of every layer's weights; zeros without weights.

    ``least_bytes`` gives the second of them for the first one's content.
    """
    return tuple(_weight_size(layer, least_bytes) for layer in segment.layers)


def _weight_size(layer: Layer, least_bytes: Callable[[bytes], int]) -> tuple[int, int]:
    if not isinstance(layer.kernel, Convolution):
        return (0, 0)
    raw = layer.kernel.weights.tobytes()
    return (len(raw), least_bytes(raw))


def layer_loads(
    segment: Segment, sizes: Sequence[tuple[int, int]], machine: Machine, *, quads: int, batch: int
) -> tuple[LayerLoad, ...]:
    """The unavoidable load of every layer."""
    return tuple(
        LayerLoad(
            layer_macs(layer, segment.maps[layer.output]) * batch,
            _padded_cycles(layer, segment, machine, quads, batch),
            raw,
            stored,
        )
        for layer, (raw, stored) in zip(segment.layers, sizes, strict=True)
    )


def layer_macs(layer: Layer, target: FeatureMap) -> int:
    """Multiply-accumulates of one sample, window cells over padding included."""
    if not isinstance(layer.kernel, Convolution):
        return 0
    return target.rows * target.columns * layer.kernel.weights.size


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
    if isinstance(kernel, Convolution) and not kernel.is_depthwise:
        return pixels * _blocks(kernel, segment.maps[layer.inputs[0]], target, lanes) // tiles
    each = max(_vector_steps(layer, machine), ceil_div(lanes, machine.output_bytes_per_tile))
    return ceil_div(pixels * ceil_div(target.channels, lanes), tiles) * each


def _vector_steps(layer: Layer, machine: Machine) -> int:
    """Cycles that one vector of results keeps a vector unit busy: window cells and operands that are maps."""
    kernel = layer.kernel
    if isinstance(kernel, Convolution):
        operand = kernel.binary is not None and kernel.binary.operand is not None
        return depthwise_cycles(prod(kernel.window.kernel), machine) + operand
    if isinstance(kernel, Pooling):
        return pool_cycles(prod(kernel.window.kernel), machine)
    return 2 if isinstance(kernel, Elementwise) and kernel.binary.operand is not None else 1


def _blocks(kernel: Convolution, source: FeatureMap, target: FeatureMap, lanes: int) -> int:
    """Fewest weight blocks per pixel over the legal mappings, row folding included."""
    _, height, width, inputs = kernel.weights.shape
    plain = height * width * ceil_div(inputs, lanes)
    packed = source.layout is Layout.HWC and source.channels < lanes
    folded = height * ceil_div(width * inputs, lanes)
    outputs = kernel.groups * ceil_div(target.channels // kernel.groups, lanes)
    return outputs * (min(plain, folded) if packed else plain)

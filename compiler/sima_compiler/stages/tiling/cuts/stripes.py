"""Stripes of a layer whose maps do not all stay on chip: a search over block sizes and loop orders.

In: a layer's site. Out: the `BlockPlan` with the least estimated time, or a `Misfit`. Every stripe height (or number
of samples, or part of a row) is combined with every width of channels and every loop order; what does not fit is
dropped, and the rest is judged at once, as arrays: DMA and compute overlap where two stripes fit, and add up where
only one does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.kernels import Reach, Reduction, Scope, Unit, facts
from sima_compiler.ir.layers import FeatureMap
from sima_compiler.ir.tiles import Misfit
from sima_compiler.machine.cost import ceil_div
from sima_compiler.machine.description import Machine
from sima_compiler.machine.layer_cost import layer_vector_cycles
from sima_compiler.stages.tiling.block.geometry import Region, bytes_of, shares
from sima_compiler.stages.tiling.block.parameters import parameter_bytes
from sima_compiler.stages.tiling.block.reach import input_region
from sima_compiler.stages.tiling.cuts.channels import ChannelSite, block_cycles
from sima_compiler.stages.tiling.cuts.partial import plan_in_parts
from sima_compiler.stages.tiling.cuts.plans import BORDER_BLOCKS, BlockPlan, LayerSite, LoopOrder
from sima_compiler.stages.tiling.cuts.widths import narrower_widths

Cells = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Held:
    """A stripe of one spilled map: bytes and pixels over all of its channels; ``whole`` where every block of channels
    reads all of it.
    """

    bytes: int
    pixels: int
    channels: int
    whole: bool = False

    def part(self, width: int, channels: int, machine: Machine) -> int:
        """Bytes of the part that ``width`` of the layer's ``channels`` stand for."""
        if self.whole:
            return self.bytes
        part = ceil_div(self.channels * width, channels)
        padding = machine.align(self.channels) - self.channels if part % machine.lanes else 0
        return min(self.bytes, self.pixels * machine.align(part + padding))


@dataclass(frozen=True, slots=True)
class _Stripe:
    """One spatial block size with its spilled maps over all channels."""

    samples: int
    rows: int
    columns: int
    count: int
    inputs: tuple[_Held, ...]
    outputs: tuple[_Held, ...]

    @property
    def input_bytes(self) -> int:
        """Of all inputs."""
        return sum(held.bytes for held in self.inputs)

    @property
    def output_bytes(self) -> int:
        """Of the output."""
        return sum(held.bytes for held in self.outputs)

    def part(self, width: int, site: LayerSite) -> int:
        """Bytes of a block of ``width`` output channels; a contraction reads all input channels."""
        channels, machine = site.target.channels, site.machine
        outputs = sum(held.part(width, channels, machine) for held in self.outputs)
        return outputs + sum(held.part(width, channels, machine) for held in self.inputs)


def plan_stripes(site: LayerSite) -> BlockPlan | Misfit:
    """The fastest plan by estimate; ties go to the larger stripe, then to the wider block of channels."""
    stripes = [_stripe(site, *size) for size in _stripe_sizes(site)]
    best: tuple[int, BlockPlan] | None = None
    least = 0
    for channels, order in _orders(site):
        demand = _demand(site, stripes, channels, order)
        least = min(least, int(demand[:, 1].min())) if least else int(demand[:, 1].min())
        times = _times(site, stripes, channels, order, demand)
        index = int(np.argmin(times))
        if times[index] < NEVER and (best is None or times[index] < best[0]):
            found = stripes[index]
            best = int(times[index]), BlockPlan(found.samples, found.rows, found.columns, channels, order)
    return best[1] if best is not None else _in_parts(site, least)


def _in_parts(site: LayerSite, least: int) -> BlockPlan | Misfit:
    """A plan whose blocks sum their windows part by part, for a layer of which no block fits whole."""
    kernel = site.layer.kernel
    if not isinstance(kernel, Reduction):
        return _misfit(site, least)
    found = plan_in_parts(site, kernel)
    return found if isinstance(found, BlockPlan) else _misfit(site, min(least, found))


#: Time of a plan that does not fit, and what is added where one only fits while nothing is on its way out.
NEVER, LAST_RESORT = np.iinfo(np.int64).max, 1 << 60


def _orders(site: LayerSite) -> Iterator[tuple[int, LoopOrder]]:
    """Channel block sizes with the loop orders that make sense for them."""
    channels = site.target.channels
    yield channels, LoopOrder.STRIPES
    reloads = _has_constant_map(site)
    if reloads:
        yield channels, LoopOrder.RELOADED
    for width in narrower_widths(site):
        yield width, LoopOrder.CHANNELS
        if reloads or facts(site.layer.kernel).weights is not None:
            yield width, LoopOrder.RELOADED


def _demand(site: LayerSite, stripes: Sequence[_Stripe], channels: int, order: LoopOrder) -> Cells:
    """On-chip bytes of every stripe: (with two of them in flight, with one, with one and the output of another)."""
    parameters = _parameters(site, stripes, channels, order)
    in_flight = 1 if order is LoopOrder.STRIPES and not _has_constant_map(site) else 2
    sizes = np.array([stripe.part(channels, site) for stripe in stripes], np.int64)
    leaving = np.array([_leaving(site, stripe, channels) for stripe in stripes], np.int64)
    one = parameters + sizes
    return np.stack([in_flight * parameters + 2 * sizes, one, one + leaving], axis=1)


def _leaving(site: LayerSite, stripe: _Stripe, width: int) -> int:
    """Bytes of the block before, on their way out while one of these is computed; none where there is only one."""
    channels, machine = site.target.channels, site.machine
    several = stripe.count > 1 or width < channels
    return sum(held.part(width, channels, machine) for held in stripe.outputs) if several else 0


def _parameters(site: LayerSite, stripes: Sequence[_Stripe], channels: int, order: LoopOrder) -> Cells:
    """Bytes of one block's parameters; a constant as large as the map stays whole where samples use it in turns."""
    stays = _has_constant_map(site) and order is not LoopOrder.RELOADED
    blocks = [
        parameter_bytes(
            site.layer, channels, None if stays and found.samples < site.batch else found.rows * found.columns
        )
        for found in stripes
    ]
    return np.array([site.machine.align(size) for size in blocks], np.int64)


def _has_constant_map(site: LayerSite) -> bool:
    """Every block of an elementwise layer, or of one with a gain per pixel, has its own part of a constant."""
    known = facts(site.layer.kernel)
    return (known.reach, known.constants) in ((Reach.PLACE, Scope.BLOCK), (Reach.PIXEL, Scope.PLACES))


def _is_mac(site: LayerSite) -> bool:
    """A contraction over all input channels: its inputs do not shrink with its channel blocks."""
    return facts(site.layer.kernel).contracts or facts(site.layer.kernel).reach is Reach.MATRIX


def _times(site: LayerSite, stripes: Sequence[_Stripe], channels: int, order: LoopOrder, demand: Cells) -> Cells:
    """Estimated cycles of every stripe size; NEVER where not even one stripe fits."""
    chunks = ceil_div(site.target.channels, channels)
    counts = np.array([stripe.count for stripe in stripes], np.int64)
    again = chunks if order is LoopOrder.CHANNELS and _is_mac(site) else 1
    inputs = counts * np.array([stripe.input_bytes for stripe in stripes], np.int64) * again
    outputs = counts * np.array([stripe.output_bytes for stripe in stripes], np.int64)
    parameters = parameter_bytes(site.layer, site.target.channels) * (counts if order is LoopOrder.RELOADED else 1)
    dma = (inputs + outputs + parameters) // site.machine.dram_bytes_per_cycle
    dma = dma + counts * chunks * site.machine.dma_latency_cycles // site.machine.dma_outstanding
    compute = counts * np.array([_compute(site, stripe, channels) for stripe in stripes], np.int64)
    overlapped = np.maximum(dma, compute) + dma // np.maximum(counts, 1)
    times = np.where(demand[:, 0] <= site.free, overlapped, dma + compute)
    times = np.where(demand[:, 2] <= site.free, times, times + LAST_RESORT)
    return np.where(demand[:, 1] <= site.free, times, NEVER)


def _compute(site: LayerSite, stripe: _Stripe, channels: int) -> int:
    """Compute cycles of one stripe over all its channel blocks."""
    target, machine = site.target, site.machine
    pixels = stripe.samples * stripe.rows * stripe.columns
    if facts(site.layer.kernel).unit is Unit.ARRAY:
        source = site.segment.maps[site.layer.inputs[0]]
        place = ChannelSite(site.layer, source, target, pixels, 1, machine, site.quads)
        return block_cycles(place, channels)
    chunks = ceil_div(target.channels, channels)
    return chunks * layer_vector_cycles(site.layer, pixels, channels, machine, site.quads)


def _stripe_sizes(site: LayerSite) -> Iterator[tuple[int, int, int]]:
    """Stripes from large to small: some whole samples, then fewer rows, then parts of one row."""
    target = site.target
    for samples in shares(site.batch):
        if samples * 2 <= site.batch >= BORDER_BLOCKS:
            yield (samples, target.rows, target.columns)
    most = max(1, ceil_div(target.rows, BORDER_BLOCKS))
    yield from ((1, rows, target.columns) for rows in shares(target.rows) if rows <= most)
    yield from ((1, 1, columns) for columns in shares(target.columns) if columns < target.columns)


def _stripe(site: LayerSite, samples: int, rows: int, columns: int) -> _Stripe:
    """The stripe from the middle of the map, where windows reach furthest."""
    target, machine = site.target, site.machine
    row = min(max(0, (target.rows - rows) // 2), target.rows - rows)
    column = min(max(0, (target.columns - columns) // 2), target.columns - columns)
    block = Region((0, samples), (row, row + rows), (column, column + columns), (0, target.channels))
    regions = [
        (index, source, input_region(site.layer, index, source, target, block))
        for index, (name, source) in enumerate((name, site.segment.maps[name]) for name in site.layer.inputs)
        if name in site.spilled
    ]
    inputs = tuple(_read(site, index, source, region) for index, source, region in regions)
    outputs = (_held(target, block, machine),) if site.layer.output in site.spilled else ()
    count = ceil_div(site.batch, samples) * ceil_div(target.rows, rows) * ceil_div(target.columns, columns)
    return _Stripe(samples, rows, columns, count, inputs, outputs)


def _read(site: LayerSite, index: int, source: FeatureMap, region: Region) -> _Held:
    """What a stripe reads of an input; of the second map of a product, a block of channels reads as many pixels."""
    known, held = facts(site.layer.kernel), _held(source, region, site.machine)
    if known.reach is Reach.MATRIX and index > 0:
        pixels, columns = region.shape[0] * region.shape[1], region.shape[2]
        return _Held(held.bytes, pixels * site.machine.align(source.channels), columns)
    return replace(held, whole=known.contracts or known.reach is Reach.MATRIX)


def _held(feature_map: FeatureMap, region: Region, machine: Machine) -> _Held:
    pixels = prod(region.shape[:3])
    return _Held(bytes_of(feature_map, region, machine), pixels, region.shape[3])


def _misfit(site: LayerSite, demand: int) -> Misfit:
    names = [name for name in (*site.layer.inputs, site.layer.output) if name in site.spilled]
    contributors = tuple((name, bytes_of(site.segment.maps[name], _row(site, name), site.machine)) for name in names)
    return Misfit(site.layer.name, demand, site.free, contributors)


def _row(site: LayerSite, name: str) -> Region:
    found = site.segment.maps[name]
    return Region((0, 1), (0, 1), (0, found.columns), (0, found.channels))

"""Stripes of a layer whose maps do not all stay on chip: a search over block sizes and loop orders.

In: a `LayerProblem`. Out: the `BlockPlan` with the least estimated time, or a `Misfit`. Every stripe height (or number
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
from sima_compiler.stages.tiling.cuts.channels import ChannelProblem, block_cycles
from sima_compiler.stages.tiling.cuts.partial import plan_in_parts
from sima_compiler.stages.tiling.cuts.plans import BORDER_BLOCKS, BlockPlan, LayerProblem, LoopOrder, dma_cycles
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

    def part(self, width: int, problem: LayerProblem) -> int:
        """Bytes of a block of ``width`` output channels; a contraction reads all input channels."""
        channels, machine = problem.target.channels, problem.machine
        outputs = sum(held.part(width, channels, machine) for held in self.outputs)
        return outputs + sum(held.part(width, channels, machine) for held in self.inputs)


def plan_stripes(problem: LayerProblem) -> BlockPlan | Misfit:
    """The fastest plan by estimate; ties go to the larger stripe, then to the wider block of channels."""
    stripes = [_stripe(problem, *size) for size in _stripe_sizes(problem)]
    best: tuple[int, BlockPlan] | None = None
    least = 0
    for channels, order in _orders(problem):
        demand = _demand(problem, stripes, channels, order)
        least = min(least, int(demand[:, 1].min())) if least else int(demand[:, 1].min())
        times = _times(problem, stripes, channels, order, demand)
        index = int(np.argmin(times))
        if times[index] < NEVER and (best is None or times[index] < best[0]):
            found = stripes[index]
            best = int(times[index]), BlockPlan(found.samples, found.rows, found.columns, channels, order)
    return best[1] if best is not None else _in_parts(problem, least)


def _in_parts(problem: LayerProblem, least: int) -> BlockPlan | Misfit:
    """A plan whose blocks sum their windows part by part, for a layer of which no block fits whole."""
    kernel = problem.layer.kernel
    if not isinstance(kernel, Reduction):
        return _misfit(problem, least)
    found = plan_in_parts(problem, kernel)
    return found if isinstance(found, BlockPlan) else _misfit(problem, min(least, found))


#: Time of a plan that does not fit, and what is added where one only fits while nothing is on its way out.
NEVER, LAST_RESORT = np.iinfo(np.int64).max, 1 << 60


def _orders(problem: LayerProblem) -> Iterator[tuple[int, LoopOrder]]:
    """Channel block sizes with the loop orders that make sense for them."""
    channels = problem.target.channels
    yield channels, LoopOrder.STRIPES
    reloads = _has_constant_map(problem)
    if reloads:
        yield channels, LoopOrder.RELOADED
    for width in narrower_widths(problem):
        yield width, LoopOrder.CHANNELS
        if reloads or facts(problem.layer.kernel).weights is not None:
            yield width, LoopOrder.RELOADED


def _demand(problem: LayerProblem, stripes: Sequence[_Stripe], channels: int, order: LoopOrder) -> Cells:
    """On-chip bytes of every stripe: (with two of them in flight, with one, with one and the output of another)."""
    parameters = _parameters(problem, stripes, channels, order)
    in_flight = 1 if order is LoopOrder.STRIPES and not _has_constant_map(problem) else 2
    sizes = np.array([stripe.part(channels, problem) for stripe in stripes], np.int64)
    leaving = np.array([_leaving(problem, stripe, channels) for stripe in stripes], np.int64)
    one = parameters + sizes
    return np.stack([in_flight * parameters + 2 * sizes, one, one + leaving], axis=1)


def _leaving(problem: LayerProblem, stripe: _Stripe, width: int) -> int:
    """Bytes of the block before, on their way out while one of these is computed; none where there is only one."""
    channels, machine = problem.target.channels, problem.machine
    several = stripe.count > 1 or width < channels
    return sum(held.part(width, channels, machine) for held in stripe.outputs) if several else 0


def _parameters(problem: LayerProblem, stripes: Sequence[_Stripe], channels: int, order: LoopOrder) -> Cells:
    """Bytes of one block's parameters; a constant as large as the map stays whole where samples use it in turns."""
    stays = _has_constant_map(problem) and order is not LoopOrder.RELOADED
    blocks = [
        parameter_bytes(
            problem.layer, channels, None if stays and found.samples < problem.batch else found.rows * found.columns
        )
        for found in stripes
    ]
    return np.array([problem.machine.align(size) for size in blocks], np.int64)


def _has_constant_map(problem: LayerProblem) -> bool:
    """Every block of an elementwise layer, or of one with a gain per pixel, has its own part of a constant."""
    known = facts(problem.layer.kernel)
    return (known.reach, known.constants) in ((Reach.PLACE, Scope.BLOCK), (Reach.PIXEL, Scope.PLACES))


def _is_mac(problem: LayerProblem) -> bool:
    """A contraction over all input channels: its inputs do not shrink with its channel blocks."""
    return facts(problem.layer.kernel).contracts or facts(problem.layer.kernel).reach is Reach.MATRIX


def _times(problem: LayerProblem, stripes: Sequence[_Stripe], channels: int, order: LoopOrder, demand: Cells) -> Cells:
    """Estimated cycles of every stripe size; NEVER where not even one stripe fits."""
    chunks = ceil_div(problem.target.channels, channels)
    counts = np.array([stripe.count for stripe in stripes], np.int64)
    again = chunks if order is LoopOrder.CHANNELS and _is_mac(problem) else 1
    inputs = counts * np.array([stripe.input_bytes for stripe in stripes], np.int64) * again
    outputs = counts * np.array([stripe.output_bytes for stripe in stripes], np.int64)
    times_loaded = counts if order is LoopOrder.RELOADED else 1
    parameters = parameter_bytes(problem.layer, problem.target.channels) * times_loaded
    dma = dma_cycles(inputs + outputs + parameters, counts * chunks, problem.machine)
    compute = counts * np.array([_compute(problem, stripe, channels) for stripe in stripes], np.int64)
    overlapped = np.maximum(dma, compute) + dma // np.maximum(counts, 1)
    times = np.where(demand[:, 0] <= problem.free, overlapped, dma + compute)
    times = np.where(demand[:, 2] <= problem.free, times, times + LAST_RESORT)
    return np.where(demand[:, 1] <= problem.free, times, NEVER)


def _compute(problem: LayerProblem, stripe: _Stripe, channels: int) -> int:
    """Compute cycles of one stripe over all its channel blocks."""
    target, machine = problem.target, problem.machine
    pixels = stripe.samples * stripe.rows * stripe.columns
    if facts(problem.layer.kernel).unit is Unit.ARRAY:
        source = problem.segment.maps[problem.layer.inputs[0]]
        place = ChannelProblem(
            layer=problem.layer,
            source=source,
            target=target,
            pixels=pixels,
            repeats=1,
            machine=machine,
            quads=problem.quads,
        )
        return block_cycles(place, channels)
    chunks = ceil_div(target.channels, channels)
    return chunks * layer_vector_cycles(problem.layer, pixels, channels, machine, problem.quads)


def _stripe_sizes(problem: LayerProblem) -> Iterator[tuple[int, int, int]]:
    """Stripes from large to small: some whole samples, then fewer rows, then parts of one row."""
    target = problem.target
    for samples in shares(problem.batch):
        if samples * 2 <= problem.batch >= BORDER_BLOCKS:
            yield (samples, target.rows, target.columns)
    most = max(1, ceil_div(target.rows, BORDER_BLOCKS))
    yield from ((1, rows, target.columns) for rows in shares(target.rows) if rows <= most)
    yield from ((1, 1, columns) for columns in shares(target.columns) if columns < target.columns)


def _stripe(problem: LayerProblem, samples: int, rows: int, columns: int) -> _Stripe:
    """The stripe from the middle of the map, where windows reach furthest."""
    target, machine = problem.target, problem.machine
    row = min(max(0, (target.rows - rows) // 2), target.rows - rows)
    column = min(max(0, (target.columns - columns) // 2), target.columns - columns)
    block = Region((0, samples), (row, row + rows), (column, column + columns), (0, target.channels))
    regions = [
        (index, source, input_region(problem.layer, index, source, target, block))
        for index, (name, source) in enumerate((name, problem.segment.maps[name]) for name in problem.layer.inputs)
        if name in problem.spilled
    ]
    inputs = tuple(_read(problem, index, source, region) for index, source, region in regions)
    outputs = (_held(target, block, machine),) if problem.layer.output in problem.spilled else ()
    count = ceil_div(problem.batch, samples) * ceil_div(target.rows, rows) * ceil_div(target.columns, columns)
    return _Stripe(samples=samples, rows=rows, columns=columns, count=count, inputs=inputs, outputs=outputs)


def _read(problem: LayerProblem, index: int, source: FeatureMap, region: Region) -> _Held:
    """What a stripe reads of an input; of the second map of a product, a block of channels reads as many pixels."""
    known, held = facts(problem.layer.kernel), _held(source, region, problem.machine)
    if known.reach is Reach.MATRIX and index > 0:
        pixels, columns = region.shape[0] * region.shape[1], region.shape[2]
        return _Held(held.bytes, pixels * problem.machine.align(source.channels), columns)
    return replace(held, whole=known.contracts or known.reach is Reach.MATRIX)


def _held(feature_map: FeatureMap, region: Region, machine: Machine) -> _Held:
    pixels = prod(region.shape[:3])
    return _Held(bytes_of(feature_map, region, machine), pixels, region.shape[3])


def _misfit(problem: LayerProblem, demand: int) -> Misfit:
    names = [name for name in (*problem.layer.inputs, problem.layer.output) if name in problem.spilled]
    contributors = tuple(
        (name, bytes_of(problem.segment.maps[name], _row(problem, name), problem.machine)) for name in names
    )
    return Misfit(problem.layer.name, demand, problem.free, contributors)


def _row(problem: LayerProblem, name: str) -> Region:
    found = problem.segment.maps[name]
    return Region((0, 1), (0, 1), (0, found.columns), (0, found.channels))

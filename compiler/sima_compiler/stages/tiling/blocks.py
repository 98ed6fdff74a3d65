"""Into which blocks a layer's output is cut, and in which order they run.

In: a layer, which of its maps are spilled, the bytes that are free for it. Out: a `BlockPlan` or a `Misfit`. Layers
whose maps are all resident are cut by output channels only, so that parameters arrive while earlier blocks compute;
they are also cut by samples or rows when they meet the network's inputs or outputs, so that transfers overlap. Layers
with a spilled map are cut into stripes that leave room for two at a time, or for one when two do not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from sima_compiler.ir.layers import Convolution, Copy, FeatureMap, Layer, Segment
from sima_compiler.ir.tiles import Misfit
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.channels import ChannelSite, channel_block
from sima_compiler.stages.tiling.geometry import Region, bytes_of, map_bytes, splits
from sima_compiler.stages.tiling.parameters import parameter_bytes, parts_of_vector
from sima_compiler.stages.tiling.reach import input_region

#: Share of on-chip memory that one block of parameters may take at most.
PARAMETER_SHARE = 3
#: Blocks of parameters for which the resident maps leave room: one in use, and those that arrive meanwhile.
PARAMETERS_IN_FLIGHT = 3
#: Blocks that a layer at the border of the network is cut into, to overlap its transfers with its compute.
BORDER_BLOCKS = 4


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """Block sizes. ``channels_outer``: all stripes of one channel block before the next (parameters loaded once,
    inputs again per channel block); otherwise all channel blocks of one stripe (all parameters stay).
    """

    samples: int
    rows: int
    columns: int
    channels: int
    channels_outer: bool

    def stripes(self, batch: int, target: FeatureMap) -> list[Region]:
        """The spatial blocks in order, over all channels."""
        parts = product(
            splits(batch, self.samples), splits(target.rows, self.rows), splits(target.columns, self.columns)
        )
        return [Region(samples, rows, columns, (0, target.channels)) for samples, rows, columns in parts]

    def blocks(self, batch: int, target: FeatureMap) -> Iterator[tuple[int, Region]]:
        """(stripe number, region) in execution order."""
        stripes = list(enumerate(self.stripes(batch, target)))
        chunks = splits(target.channels, self.channels)
        pairs = (
            ((stripe, chunk) for chunk in chunks for stripe in stripes)
            if self.channels_outer
            else ((stripe, chunk) for stripe in stripes for chunk in chunks)
        )
        for (number, stripe), chunk in pairs:
            yield number, Region(stripe.samples, stripe.rows, stripe.columns, chunk)


@dataclass(frozen=True, slots=True)
class LayerSite:
    """A layer with what decides its blocks."""

    layer: Layer
    segment: Segment
    batch: int
    spilled: frozenset[str]
    free: int
    capacity: int
    machine: Machine
    quads: int

    @property
    def target(self) -> FeatureMap:
        """The output map."""
        return self.segment.maps[self.layer.output]

    @property
    def striped(self) -> bool:
        """True when any of the layer's maps lives in DRAM."""
        return any(name in self.spilled for name in (*self.layer.inputs, self.layer.output))


def plan_blocks(site: LayerSite) -> BlockPlan | Misfit:
    """The block plan of one layer."""
    if not site.striped:
        return _resident_plan(site)
    return _striped_plan(site, _channels(site, site.batch, site.target.rows))


def _channels(site: LayerSite, samples: int, rows: int) -> int:
    """Output channels of one block that spans so many samples and rows."""
    target = site.target
    repeats = -(-site.batch // samples) * -(-target.rows // rows)
    pixels = samples * rows * target.columns
    source = site.segment.maps[site.layer.inputs[0]]
    choice = ChannelSite(site.layer, source, target, pixels, repeats, site.machine, site.quads)
    budget = min(site.free // PARAMETERS_IN_FLIGHT, site.capacity // PARAMETER_SHARE)
    return channel_block(choice, max(budget, 1))


def _resident_plan(site: LayerSite) -> BlockPlan:
    target = site.target
    samples, rows = site.batch, target.rows
    if _at_border(site) and not isinstance(site.layer.kernel, Copy):
        if site.batch >= BORDER_BLOCKS:
            samples = -(-site.batch // BORDER_BLOCKS)
        elif target.rows > 1:
            samples, rows = 1, max(1, -(-target.rows // BORDER_BLOCKS))
    return BlockPlan(samples, rows, target.columns, _channels(site, samples, rows), channels_outer=False)


def _at_border(site: LayerSite) -> bool:
    """The layer's transfers from or to the network's border are large enough to be worth overlapping."""
    borders = [name for name in site.layer.inputs if name in site.segment.inputs]
    borders += [site.layer.output] if site.layer.output in site.segment.outputs else []
    worth = site.capacity // 1024
    return any(map_bytes(site.segment.maps[name], site.batch, site.machine) > worth for name in borders)


def _striped_plan(site: LayerSite, channels: int) -> BlockPlan | Misfit:
    target = site.target
    everything = site.machine.align(parameter_bytes(site.layer, target.channels))
    if isinstance(site.layer.kernel, Copy):
        return _best_fit(site, channels, everything)
    if everything <= site.free // 3:
        plan = _best_fit(site, target.channels, everything)
        if isinstance(plan, BlockPlan):
            return plan
    plan: BlockPlan | Misfit = Misfit(site.layer.name, everything, site.free, (), ())
    for width in _narrower(channels, min(site.machine.lanes, target.channels), site):
        parameters = site.machine.align(parameter_bytes(site.layer, width))
        plan = _best_fit(site, width, parameters)
        if isinstance(plan, BlockPlan):
            return plan
    return plan


def _narrower(channels: int, unit: int, site: LayerSite) -> list[int]:
    """Channel block sizes to try, largest first."""
    kernel = site.layer.kernel
    if isinstance(kernel, Convolution) and kernel.groups > 1:
        unit = max(1, site.target.channels // kernel.groups)
        unit = unit * max(1, site.machine.lanes // unit) if kernel.is_depthwise else unit
    sizes = [channels]
    while sizes[-1] > unit:
        sizes.append(max(unit, sizes[-1] // 2 // unit * unit))
    if isinstance(kernel, Convolution) and kernel.groups == 1:
        sizes += parts_of_vector(unit)
    return sizes


def _best_fit(site: LayerSite, channels: int, parameters: int) -> BlockPlan | Misfit:
    """The largest stripe of which two fit beside the parameters, else of which one does."""
    demand = 0
    for copies in (2, 1):
        for samples, rows, columns in _stripe_sizes(site):
            demand = parameters + copies * stripe_bytes(site, samples, rows, columns, channels)
            if demand <= site.free:
                outer = channels < site.target.channels
                return BlockPlan(samples, rows, columns, channels, channels_outer=outer)
    return Misfit(
        site.layer.name,
        demand,
        site.free,
        (("parameters", parameters), ("stripe", demand - parameters)),
        ("use more quads", "reduce the resolution"),
    )


def _stripe_sizes(site: LayerSite) -> Iterator[tuple[int, int, int]]:
    """Stripes from large to small: some whole samples, then fewer rows, then parts of one row."""
    target = site.target
    for samples in _shares(site.batch):
        if samples * 2 <= site.batch >= BORDER_BLOCKS:
            yield (samples, target.rows, target.columns)
    most = max(1, -(-target.rows // BORDER_BLOCKS))
    yield from ((1, rows, target.columns) for rows in _shares(target.rows) if rows <= most)
    yield from ((1, 1, columns) for columns in _shares(target.columns) if columns < target.columns)


def _shares(size: int) -> list[int]:
    """The sizes that cut ``size`` into 1, 2, 3 ... nearly equal parts, largest first."""
    return sorted({-(-size // parts) for parts in range(1, size + 1)}, reverse=True)


def stripe_bytes(site: LayerSite, samples: int, rows: int, columns: int, channels: int) -> int:
    """On-chip bytes of one stripe of every spilled map; for a window, the tallest of the possible stripes."""
    target, total = site.target, 0
    row = min(max(0, (target.rows - rows) // 2), target.rows - rows)
    column = min(max(0, (target.columns - columns) // 2), target.columns - columns)
    block = Region((0, samples), (row, row + rows), (column, column + columns), (0, channels))
    if site.layer.output in site.spilled:
        total += bytes_of(target, block, site.machine)
    for index, name in enumerate(site.layer.inputs):
        if name in site.spilled:
            source = site.segment.maps[name]
            total += bytes_of(source, input_region(site.layer, index, source, target, block), site.machine)
    return total

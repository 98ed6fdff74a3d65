"""Depth first: neighbouring layers computed stripe by stripe, so that the maps between them never reach DRAM.

In: a segment and the maps that would spill. Out: `Group`s of layers, each with the height of its stripes.

::

    before: conv -> (spilled) -> conv -> (spilled) -> pool      each map crosses DRAM twice
    after:  for each stripe of the pool's rows: the rows of both convolutions that it needs, then the stripe

A stripe computes the rows at its border again (the halo), so a group is worth it when the DRAM time that it saves
exceeds the compute time that it repeats. Checks: nothing but the last layer's map leaves a group; every layer of it
can compute any range of rows, and the stripes compute all rows; all its parameters, the tallest stripe of every map
inside and two of every spilled map fit at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sima_compiler.ir.layers import Convolution, FeatureMap, Layer, Pooling, Segment
from sima_compiler.machine.cost import ceil_div
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.geometry import Region, bytes_of, map_bytes, splits
from sima_compiler.stages.tiling.liveness import live_layers
from sima_compiler.stages.tiling.parameters import parameter_bytes
from sima_compiler.stages.tiling.reach import input_region

#: Parts into which one sample of the last map is cut by rows, from coarse to fine; the first that fits is taken.
PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)


@dataclass(frozen=True, slots=True)
class Group:
    """Layers ``first`` to ``last`` (inclusive) in stripes of ``rows`` rows of the last one's map; ``inside`` are the
    maps that exist only stripe by stripe.
    """

    first: int
    last: int
    rows: int
    inside: frozenset[str]

    def stripes(self, segment: Segment, batch: int) -> Iterator[Region]:
        """The last map in stripes, sample by sample."""
        target = segment.maps[segment.layers[self.last].output]
        for sample in range(batch):
            for rows in splits(target.rows, self.rows):
                yield Region((sample, sample + 1), rows, (0, target.columns), (0, target.channels))

    def regions(self, segment: Segment, stripe: Region) -> dict[str, Region]:
        """What each layer of the group must compute for a stripe of the last one."""
        needed = {segment.layers[self.last].output: stripe}
        for layer in reversed(segment.layers[self.first : self.last + 1]):
            target = segment.maps[layer.output]
            for index, name in enumerate(layer.inputs):
                if name in self.inside:
                    region = input_region(layer, index, segment.maps[name], target, needed[layer.output])
                    needed[name] = _union(needed.get(name), region, segment.maps[name])
        return needed


@dataclass(frozen=True, slots=True)
class FusionSite:
    """What decides about groups: the segment, the maps that would spill, the bytes that resident maps leave free."""

    segment: Segment
    spilled: frozenset[str]
    free: tuple[int, ...]
    machine: Machine
    quads: int
    longest: int


def choose_groups(site: FusionSite) -> tuple[Group, ...]:
    """Groups that do not meet, in order, each the most profitable that begins at its first layer."""
    groups: list[Group] = []
    index = 0
    while index < len(site.segment.layers):
        found = _best_from(site, index) if site.segment.layers[index].output in site.spilled else None
        if found is not None:
            groups.append(found)
            index = found.last
        index += 1
    return tuple(groups)


def _best_from(site: FusionSite, first: int) -> Group | None:
    best: tuple[int, Group] | None = None
    for last in range(first + 1, min(first + site.longest, len(site.segment.layers))):
        inside = _inside(site.segment, first, last)
        if inside is None or not all(stripable(layer) for layer in site.segment.layers[first : last + 1]):
            continue
        group = _fitting(site, first, last, inside)
        gain = 0 if group is None else _gain(site, group)
        if group is not None and gain > 0 and (best is None or gain > best[0]):
            best = (gain, group)
    return None if best is None else best[1]


def _inside(segment: Segment, first: int, last: int) -> frozenset[str] | None:
    """Maps made and used up between two layers; None when another than the last one's leaves."""
    lives = live_layers(segment)
    made = [layer.output for layer in segment.layers[first:last]]
    if any(lives[name][1] > last or name in segment.outputs for name in made):
        return None
    return frozenset(made)


def stripable(layer: Layer) -> bool:
    """Whether a range of output rows needs less than all input rows, and no parameters of its own."""
    kernel = layer.kernel
    if isinstance(kernel, Pooling):
        return not kernel.is_global
    return not (isinstance(kernel, Convolution) and kernel.binary is not None and kernel.binary.values is not None)


def _fitting(site: FusionSite, first: int, last: int, inside: frozenset[str]) -> Group | None:
    """The group with the tallest stripes that fit."""
    segment = site.segment
    rows = segment.maps[segment.layers[last].output].rows
    parameters = sum(
        site.machine.align(parameter_bytes(layer, segment.maps[layer.output].channels))
        for layer in segment.layers[first : last + 1]
    )
    for parts in PARTS:
        if parts > rows:
            break
        group = Group(first, last, ceil_div(rows, parts), inside)
        if parameters + _stripe_bytes(site, group) <= min(site.free[first : last + 1]) and _complete(segment, group):
            return group
    return None


def _complete(segment: Segment, group: Group) -> bool:
    """Whether the stripes compute every row of every map inside, and each of them some: a stride beyond its window
    leaves rows unread, and a stripe of padding reads none.
    """
    ends = dict.fromkeys(group.inside, 0)
    for stripe in group.stripes(segment, 1):
        for name, region in group.regions(segment, stripe).items():
            if name in ends:
                if region.rows[0] > ends[name] or region.rows[0] >= region.rows[1]:
                    return False
                ends[name] = max(ends[name], region.rows[1])
    return all(end == segment.maps[name].rows for name, end in ends.items())


def _stripe_bytes(site: FusionSite, group: Group) -> int:
    """Bytes of one stripe from the middle: maps inside once each, stripes of spilled maps twice."""
    segment, machine = site.segment, site.machine
    stripes = list(group.stripes(segment, 1))
    regions = group.regions(segment, stripes[len(stripes) // 2])
    total = sum(bytes_of(segment.maps[name], regions[name], machine) for name in group.inside)
    last = segment.layers[group.last].output
    if last in site.spilled:
        total += 2 * bytes_of(segment.maps[last], regions[last], machine)
    for layer in segment.layers[group.first : group.last + 1]:
        for index, name in enumerate(layer.inputs):
            if name in site.spilled and name not in group.inside:
                source, target = segment.maps[name], segment.maps[layer.output]
                region = input_region(layer, index, source, target, regions[layer.output])
                total += 2 * bytes_of(source, region, machine)
    return total


def _gain(site: FusionSite, group: Group) -> int:
    """DRAM cycles saved for one sample, less the compute cycles repeated."""
    segment, machine = site.segment, site.machine
    crossings = [
        map_bytes(segment.maps[name], 1, machine)
        for layer in segment.layers[group.first : group.last + 1]
        for name in (*layer.inputs, layer.output)
        if name in group.inside and name in site.spilled
    ]
    return sum(crossings) // machine.dram_bytes_per_cycle - _repeated(site, group)


def _repeated(site: FusionSite, group: Group) -> int:
    """Compute cycles of the rows that stripes compute more than once, for one sample."""
    segment = site.segment
    done = dict.fromkeys(group.inside, 0)
    for stripe in group.stripes(segment, 1):
        regions = group.regions(segment, stripe)
        for name in group.inside:
            done[name] += regions[name].shape[1]
    work = {layer.output: _cycles_per_row(site, layer) for layer in segment.layers[group.first : group.last]}
    return round(sum((done[name] - segment.maps[name].rows) * work[name] for name in group.inside))


def _cycles_per_row(site: FusionSite, layer: Layer) -> float:
    target, machine = site.segment.maps[layer.output], site.machine
    if isinstance(layer.kernel, Convolution) and not layer.kernel.is_depthwise:
        return target.columns * layer.kernel.weights.size / machine.macs_per_cycle(site.quads)
    window = layer.kernel.window if isinstance(layer.kernel, Convolution | Pooling) else None
    cells = 1 if window is None else window.kernel[0] * window.kernel[1]
    return target.columns * ceil_div(target.channels, machine.lanes) * cells / machine.tiles(site.quads)


def _union(one: Region | None, other: Region, feature_map: FeatureMap) -> Region:
    """The smallest range of whole rows over both."""
    rows = other.rows if one is None else (min(one.rows[0], other.rows[0]), max(one.rows[1], other.rows[1]))
    return Region(other.samples, rows, (0, feature_map.columns), (0, feature_map.channels))

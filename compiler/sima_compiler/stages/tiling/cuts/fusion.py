"""Depth first: neighbouring layers computed stripe by stripe, so that the maps between them never reach DRAM.

In: a segment and the maps that would spill. Out: `Group`s of layers, each with the frames of its stripes.

::

    before: conv -> (spilled) -> conv -> (spilled) -> pool      each map crosses DRAM twice
    after:  for each stripe of the pool's rows: the rows of both convolutions that it still needs, then the stripe

A map that a layer behind the group needs too leaves it row by row: to its place on chip, or to DRAM without coming back
for the layers of the group. Groups are chosen together, so that the sum of the cycles that they save is largest.
Checks: every layer of a group can compute any range of rows; all its parameters, the tallest frame of every map and two
stripes of every spilled input fit at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sima_compiler.ir.layers import Layer, Segment
from sima_compiler.machine.cost import ceil_div
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.geometry import Region, bytes_of, map_bytes
from sima_compiler.stages.tiling.block.parameters import parameter_bytes
from sima_compiler.stages.tiling.block.reach import stripable
from sima_compiler.stages.tiling.cuts.rolling import Frames, roll
from sima_compiler.stages.tiling.cuts.row_costs import RowCosts
from sima_compiler.stages.tiling.cuts.row_reach import RowReach
from sima_compiler.stages.tiling.maps.liveness import live_layers
from sima_compiler.stages.tiling.maps.residency import Residency
from sima_compiler.stages.tiling.maps.storage import Storage

#: Parts into which one sample of the last map is cut by rows.
PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
#: A cycle that another hides counts as this share of one.
HIDDEN = 1 / 8
#: So does a cycle of what can be loaded ahead into the place of a map that is resident no more.
GIVEN = 1 / 16
#: A group should take this share of the bytes that are free; the rest is for what is loaded ahead meanwhile.
SHARE = 7 / 8


@dataclass(frozen=True, slots=True)
class Group:
    """Layers ``first`` to ``last`` (inclusive) in stripes of the last one's map, with the ``frames`` of every stripe of
    one sample; ``inside`` are the maps that exist only there.
    """

    first: int
    last: int
    inside: frozenset[str]
    frames: tuple[Frames, ...]


@dataclass(frozen=True, slots=True)
class FusionSite:
    """What decides about groups: the segment, the maps that would spill, who shares whose place, the on-chip bytes."""

    segment: Segment
    batch: int
    spilled: frozenset[str]
    storage: Storage
    capacity: int
    machine: Machine
    quads: int
    longest: int
    costs: RowCosts = field(init=False)
    reach: RowReach = field(init=False)
    alive: tuple[frozenset[str], ...] = field(init=False)
    roots: tuple[frozenset[str], ...] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.segment.layers)
        object.__setattr__(self, "costs", RowCosts(self.segment, self.machine, self.quads))
        object.__setattr__(self, "reach", RowReach(self.segment))
        object.__setattr__(self, "alive", _alive(live_layers(self.segment), count))
        object.__setattr__(self, "roots", _alive(self.storage.lives(self.segment), count))

    def room(self, first: int, last: int, inside: Collection[str]) -> int:
        """Bytes for a group: what is left by every resident map that lives at any of its layers, because all of them
        live from its first stripe to its last, without those that will exist only inside.
        """
        storage = self.storage.fused(self.segment, self.segment.layers[first : last + 1], inside)
        span = slice(first, last + 1)
        apart = frozenset[str]().union(*self.alive[span]) - self.spilled - frozenset(inside)
        roots = frozenset[str]().union(*self.roots[span]) - self.spilled - frozenset(inside)
        roots |= {storage.place(name).root for name in apart}
        return self.capacity - sum(map_bytes(self.segment.maps[root], self.batch, self.machine) for root in roots)


def _alive(lives: Mapping[str, tuple[int, int]], count: int) -> tuple[frozenset[str], ...]:
    """What lives at each of so many layers."""
    found: list[set[str]] = [set() for _ in range(count)]
    for name, (low, high) in lives.items():
        for index in range(low, high + 1):
            found[index].add(name)
    return tuple(map(frozenset, found))


def choose_groups(site: FusionSite) -> tuple[Group, ...]:
    """Groups that do not meet, in order; their gains add up to the most."""
    count = len(site.segment.layers)
    best: list[tuple[float, tuple[Group, ...]]] = [(0.0, ())] * (count + 1)
    for index in range(count):
        best[index + 1] = max(best[index], best[index + 1], key=lambda entry: entry[0])
        for gain, group in _from(site, index):
            total = best[index][0] + gain
            if total > best[group.last + 1][0]:
                best[group.last + 1] = (total, (*best[index][1], group))
    return best[count][1]


def with_groups(residency: Residency, groups: Sequence[Group], segment: Segment) -> Residency:
    """The decision with layers fused: the maps inside leave DRAM, and places are shared as a group allows."""
    storage = residency.storage
    for group in groups:
        storage = storage.fused(segment, segment.layers[group.first : group.last + 1], group.inside)
    inside = frozenset[str]().union(*(group.inside for group in groups))
    return Residency(residency.spilled - inside, storage, residency.free)


def _from(site: FusionSite, first: int) -> Iterator[tuple[float, Group]]:
    """Every group that begins at a layer and saves time, with the cycles that it saves."""
    segment, lives = site.segment, live_layers(site.segment)
    parameters = _parameters(site, first)
    for last in range(first + 1, min(first + site.longest, len(segment.layers))):
        layers = segment.layers[first : last + 1]
        parameters += _parameters(site, last)
        if not stripable(layers[0]) or not stripable(layers[-1]):
            return
        made = {layer.output for layer in layers[:-1]}
        if not any(name in site.spilled for layer in layers for name in layer.inputs if name in made):
            continue
        inside = frozenset(name for name in made if lives[name][1] <= last and name not in segment.outputs)
        room = site.room(first, last, inside)
        found = _best(site, first, last, inside, int(room * SHARE) - parameters)
        found = found or _best(site, first, last, inside, room - parameters)
        given = sum(_dram_cycles(site, name) for name in inside if name not in site.spilled)
        gain = 0.0 if found is None else _apart(site, layers) - found[0] + GIVEN * given
        if found is not None and gain > 0:
            yield gain, found[1]


def _parameters(site: FusionSite, index: int) -> int:
    layer = site.segment.layers[index]
    return site.machine.align(parameter_bytes(layer, site.segment.maps[layer.output].channels))


def _best(site: FusionSite, first: int, last: int, inside: frozenset[str], room: int) -> tuple[float, Group] | None:
    """The fastest stripes that fit and their cycles: from tall to low ones, until lower ones take longer."""
    layers = site.segment.layers[first : last + 1]
    rows = site.segment.maps[layers[-1].output].rows
    best: tuple[float, Group] | None = None
    for height in sorted({ceil_div(rows, parts) for parts in PARTS if parts <= rows}, reverse=True):
        frames = roll(site.reach, layers, height) if room > 0 else None
        if frames is None:
            break
        group = Group(first, last, inside, frames)
        if _bytes(site, group) > room:
            continue
        time = _together(site, group)
        if best is not None and time >= best[0]:
            break
        best = time, group
    return best


def _bytes(site: FusionSite, group: Group) -> int:
    """Bytes of the busiest stripe."""
    frames = group.frames
    telling = {0, 1, 2, len(frames) // 2, len(frames) - 2, len(frames) - 1}
    return max(_stripe_bytes(site, group, frames[number]) for number in telling if 0 <= number < len(frames))


def _stripe_bytes(site: FusionSite, group: Group, frames: Frames) -> int:
    """Every frame once, the largest of which rows are carried over twice; what comes from DRAM or goes there twice."""
    total = copied = 0
    for layer in site.segment.layers[group.first : group.last + 1]:
        name, frame = layer.output, frames[layer.output]
        if name in group.inside or name in site.spilled:
            size = _row_bytes(site, name) * (frame.rows[1] - frame.rows[0])
            total += size if name in group.inside else 2 * size
            copied = max(copied, size if frame.carried else 0)
        for source, (low, high) in site.reach.read(layer, (frame.fresh, frame.rows[1])):
            if source in site.spilled and source not in frames:
                total += 2 * _row_bytes(site, source) * max(0, high - low)
    return total + copied


def _row_bytes(site: FusionSite, name: str) -> int:
    found = site.segment.maps[name]
    return bytes_of(found, Region((0, 1), (0, 1), (0, found.columns), (0, found.channels)), site.machine)


def _apart(site: FusionSite, layers: Sequence[Layer]) -> float:
    """Cycles of one sample, layer by layer: each takes its compute or its DRAM time, whichever is longer."""
    cycles = 0.0
    for layer in layers:
        crossing = {name for name in (*layer.inputs, layer.output) if name in site.spilled}
        cycles += _time(site.costs.whole(layer), sum(_dram_cycles(site, name) for name in crossing))
    return cycles


def _together(site: FusionSite, group: Group) -> float:
    """Cycles of one sample in stripes: compute or DRAM time, and the DRAM time of one stripe that nothing hides."""
    layers = site.segment.layers[group.first : group.last + 1]
    made = {layer.output for layer in layers}
    compute, moved = 0.0, 0.0
    for layer in layers:
        crossing = {name for name in layer.inputs if name in site.spilled and name not in made}
        crossing |= {layer.output} & site.spilled - group.inside
        moved += sum(_dram_cycles(site, name) for name in crossing)
        compute += site.costs.rolled(layer, [frames[layer.output] for frames in group.frames])
    return _time(compute, moved) + moved / len(group.frames)


def _time(compute: float, moved: float) -> float:
    """The longer of the two, and a little of the other: what is hidden here is in the way of something else."""
    return max(compute, moved) + HIDDEN * min(compute, moved)


def _dram_cycles(site: FusionSite, name: str) -> float:
    return map_bytes(site.segment.maps[name], 1, site.machine) / site.machine.dram_bytes_per_cycle

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
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.geometry import map_bytes
from sima_compiler.stages.tiling.block.reach import stripable
from sima_compiler.stages.tiling.cuts.rolling import Frames
from sima_compiler.stages.tiling.cuts.stripe_costs import StripeCosts, Stripes
from sima_compiler.stages.tiling.maps.residency import Residency
from sima_compiler.stages.tiling.maps.storage import Storage, concatenation_parts

#: A cycle that another hides counts as this share of one.
HIDDEN = 1 / 8
#: So does a cycle of what can be loaded ahead into the place of a map that is resident no more. Little hangs on it: a
#: U-Net of 512 x 512 takes 2,752,924 cycles so, and 2,751,708 with 0.
FREED = 1 / 16
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
class _Choice:
    """A group that could be, the height of its stripes, and the cycles that it saves."""

    first: int
    last: int
    height: int
    gain: float


@dataclass(frozen=True, slots=True)
class FusionProblem:
    """What decides about groups: the maps that would spill, who shares whose place, the on-chip bytes; ``stripes`` are
    those of the segment, for any problem.
    """

    stripes: StripeCosts
    batch: int
    spilled: frozenset[str]
    storage: Storage
    capacity: int
    longest: int
    alive: tuple[frozenset[str], ...] = field(init=False)
    roots: tuple[frozenset[str], ...] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.segment.layers)
        object.__setattr__(self, "alive", _alive(self.stripes.lives, count))
        object.__setattr__(self, "roots", _alive(self.storage.lives(self.segment), count))

    @property
    def segment(self) -> Segment:
        """The segment whose layers are grouped."""
        return self.stripes.segment

    @property
    def machine(self) -> Machine:
        """The machine that runs them."""
        return self.stripes.machine

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


def choose_groups(problem: FusionProblem) -> tuple[Group, ...]:
    """Groups that do not meet, in order; their gains add up to the most."""
    count = len(problem.segment.layers)
    best: list[tuple[float, tuple[_Choice, ...]]] = [(0.0, ())] * (count + 1)
    for index in range(count):
        best[index + 1] = max(best[index], best[index + 1], key=lambda entry: entry[0])
        for choice in _from(problem, index):
            total = best[index][0] + choice.gain
            if total > best[choice.last + 1][0]:
                best[choice.last + 1] = (total, (*best[index][1], choice))
    return tuple(_group(problem.stripes, choice) for choice in best[count][1])


def _group(stripes: StripeCosts, choice: _Choice) -> Group:
    first, last = choice.first, choice.last
    frames = stripes.frames(first, last, choice.height)
    assert frames is not None
    return Group(first, last, stripes.inside(first, last), frames)


def with_groups(residency: Residency, groups: Sequence[Group], segment: Segment, machine: Machine) -> Residency:
    """The decision with layers fused: the maps inside leave DRAM, and places are shared as a group allows. There, parts
    of a concatenation are written straight into its rows, whatever the whole of it would have taken.
    """
    storage = residency.storage
    for group in groups:
        storage = storage.fused(segment, segment.layers[group.first : group.last + 1], group.inside)
    inside = frozenset[str]().union(*(group.inside for group in groups))
    if inside:
        storage = storage.joined(concatenation_parts(segment, machine), [group.inside for group in groups])
    return Residency(residency.spilled - inside, storage, residency.free)


def _from(problem: FusionProblem, first: int) -> Iterator[_Choice]:
    """Every group that begins at a layer and saves time, with the cycles that it saves."""
    segment, stripes = problem.segment, problem.stripes
    parameters = stripes.parameters(first)
    for last in range(first + 1, min(first + problem.longest, len(segment.layers))):
        layers = stripes.layers(first, last)
        parameters += stripes.parameters(last)
        if not stripable(layers[0]) or not stripable(layers[-1]):
            return
        made = {layer.output for layer in layers[:-1]}
        if not any(name in problem.spilled for layer in layers for name in layer.inputs if name in made):
            continue
        inside = stripes.inside(first, last)
        room = problem.room(first, last, inside)
        found = _best(problem, first, last, inside, int(room * SHARE) - parameters)
        found = found or _best(problem, first, last, inside, room - parameters)
        freed = sum(problem.stripes.dram_cycles(name) for name in inside if name not in problem.spilled)
        gain = 0.0 if found is None else _apart(problem, layers) - found[0] + FREED * freed
        if found is not None and gain > 0:
            yield _Choice(first, last, found[1], gain)


def _best(problem: FusionProblem, first: int, last: int, inside: frozenset[str], room: int) -> tuple[float, int] | None:
    """The fastest stripes that fit, as their cycles and height: from tall to low ones, until lower ones take longer."""
    best: tuple[float, int] | None = None
    for height in problem.stripes.heights(last):
        stripes = problem.stripes.stripes(first, last, height) if room > 0 else None
        if stripes is None:
            break
        if stripes.busiest(problem.spilled) > room:
            continue
        time = _together(problem, first, last, inside, stripes)
        if best is not None and time >= best[0]:
            break
        best = time, height
    return best


def _apart(problem: FusionProblem, layers: Sequence[Layer]) -> float:
    """Cycles of one sample, layer by layer: each takes its compute or its DRAM time, whichever is longer."""
    cycles = 0.0
    for layer in layers:
        crossing = {name for name in (*layer.inputs, layer.output) if name in problem.spilled}
        cycles += _time(problem.stripes.costs.whole(layer), sum(problem.stripes.dram_cycles(name) for name in crossing))
    return cycles


def _together(problem: FusionProblem, first: int, last: int, inside: frozenset[str], stripes: Stripes) -> float:
    """Cycles of one sample in stripes: compute or DRAM time, and the DRAM time of one stripe that nothing hides."""
    layers = problem.stripes.layers(first, last)
    made = {layer.output for layer in layers}
    moved = 0.0
    for layer in layers:
        crossing = {name for name in layer.inputs if name in problem.spilled and name not in made}
        crossing |= {layer.output} & problem.spilled - inside
        moved += sum(problem.stripes.dram_cycles(name) for name in crossing)
    return _time(stripes.compute, moved) + moved / stripes.count


def _time(compute: float, moved: float) -> float:
    """The longer of the two, and a little of the other: what is hidden here is in the way of something else."""
    return max(compute, moved) + HIDDEN * min(compute, moved)

"""What stripes of neighbouring layers take, whatever the batch, the memory and the maps that are spilled.

In: a segment and a machine. Out: for layers ``first`` to ``last`` and a height of stripes their number, the cycles of
one sample's compute, and the bytes of the busiest stripe. Always holds: what was worked out once is remembered, as few
numbers per group and height. One negotiation asks for the same stripes for every batch size, share of the memory and
longest group: ResNet-50 asked for 32 rolled each of them 30 times.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from sima_compiler.ir.layers import Layer, Segment
from sima_compiler.machine.cost import ceil_div
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.geometry import Region, bytes_of, map_bytes
from sima_compiler.stages.tiling.block.parameters import parameter_bytes
from sima_compiler.stages.tiling.cuts.rolling import Frames, roll
from sima_compiler.stages.tiling.cuts.row_costs import RowCosts
from sima_compiler.stages.tiling.cuts.row_reach import RowReach
from sima_compiler.stages.tiling.maps.liveness import live_layers, maps_inside

#: Parts into which one sample of the last map is cut by rows.
PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)

#: Groups and heights that are remembered at once, about 50 MB: ResNet-50 has 4,000. When they are full, all are
#: forgotten, since a plan asks for them in the order of the layers.
MOST_KNOWN = 65_536


@dataclass(frozen=True, slots=True)
class StripeBytes:
    """Bytes of one stripe: ``own`` of the maps inside the group, and of its largest frame that is carried over
    (``copied``), which exists twice; ``crossing`` is what a map (its name) takes and copies where it is spilled.
    """

    own: int
    copied: int
    crossing: tuple[tuple[str, int, int], ...]

    def total(self, spilled: Collection[str]) -> int:
        """All of them, for these spilled maps."""
        taken, copied = self.own, self.copied
        for name, size, again in self.crossing:
            if name in spilled:
                taken += size
                copied = max(copied, again)
        return taken + copied


@dataclass(frozen=True, slots=True)
class Stripes:
    """One sample of a group in ``count`` stripes; ``compute`` in cycles; ``telling`` are the stripes that may be the
    busiest.
    """

    count: int
    compute: int
    telling: tuple[StripeBytes, ...]

    def busiest(self, spilled: Collection[str]) -> int:
        """Bytes of the busiest stripe."""
        return max(stripe.total(spilled) for stripe in self.telling)


@dataclass(frozen=True, slots=True)
class StripeCosts:
    """Remembers what it has worked out for one segment on one machine."""

    segment: Segment
    machine: Machine
    quads: int
    costs: RowCosts = field(init=False)
    reach: RowReach = field(init=False)
    lives: dict[str, tuple[int, int]] = field(init=False)
    known: dict[tuple[int, int, int], Stripes | None] = field(
        default_factory=dict[tuple[int, int, int], Stripes | None]
    )
    constants: dict[int, int] = field(default_factory=dict[int, int])
    crossings: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        object.__setattr__(self, "costs", RowCosts(self.segment, self.machine, self.quads))
        object.__setattr__(self, "reach", RowReach(self.segment))
        object.__setattr__(self, "lives", dict(live_layers(self.segment)))

    def layers(self, first: int, last: int) -> Sequence[Layer]:
        """The layers of a group."""
        return self.segment.layers[first : last + 1]

    def inside(self, first: int, last: int) -> frozenset[str]:
        """The maps that exist only in stripes: made for layers of the group alone."""
        return maps_inside(self.segment, self.lives, first, last)

    def heights(self, last: int) -> list[int]:
        """The heights that are tried, from tall to low."""
        rows = self.segment.maps[self.segment.layers[last].output].rows
        return sorted({ceil_div(rows, parts) for parts in PARTS if parts <= rows}, reverse=True)

    def frames(self, first: int, last: int, height: int) -> tuple[Frames, ...] | None:
        """The frames of every stripe, or None where stripes of that height cannot roll."""
        return roll(self.reach, self.layers(first, last), height)

    def stripes(self, first: int, last: int, height: int) -> Stripes | None:
        """What they take, or None where stripes of that height cannot roll."""
        key = (first, last, height)
        if key not in self.known:
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            frames = self.frames(first, last, height)
            self.known[key] = None if frames is None else self._stripes(first, last, frames)
        return self.known[key]

    def parameters(self, index: int) -> int:
        """On-chip bytes of a layer's constants."""
        if index not in self.constants:
            layer = self.segment.layers[index]
            size = parameter_bytes(layer, self.segment.maps[layer.output].channels)
            self.constants[index] = self.machine.align(size)
        return self.constants[index]

    def dram_cycles(self, name: str) -> float:
        """Cycles that one sample of a map takes to cross the DRAM's port."""
        if name not in self.crossings:
            size = map_bytes(self.segment.maps[name], 1, self.machine)
            self.crossings[name] = size / self.machine.dram_bytes_per_cycle
        return self.crossings[name]

    def _stripes(self, first: int, last: int, frames: tuple[Frames, ...]) -> Stripes:
        layers, inside = self.layers(first, last), self.inside(first, last)
        compute = sum(self.costs.rolled(layer, [stripe[layer.output] for stripe in frames]) for layer in layers)
        numbers = {0, 1, 2, len(frames) // 2, len(frames) - 2, len(frames) - 1}
        telling = {self._bytes(layers, inside, frames[number]) for number in numbers if 0 <= number < len(frames)}
        return Stripes(len(frames), compute, tuple(telling))

    def _bytes(self, layers: Sequence[Layer], inside: frozenset[str], frames: Frames) -> StripeBytes:
        """Every frame once, the largest that is carried over twice, and twice what comes from DRAM or goes there."""
        own = copied = 0
        crossing: list[tuple[str, int, int]] = []
        for layer in layers:
            name, frame = layer.output, frames[layer.output]
            size = self._row_bytes(name) * (frame.rows[1] - frame.rows[0])
            again = size if frame.carried else 0
            if name in inside:
                own, copied = own + size, max(copied, again)
            else:
                crossing.append((name, 2 * size, again))
            crossing += self._read(layer, frames)
        return StripeBytes(own, copied, tuple(crossing))

    def _read(self, layer: Layer, frames: Frames) -> Iterator[tuple[str, int, int]]:
        frame = frames[layer.output]
        for source, (low, high) in self.reach.read(layer, (frame.fresh, frame.rows[1])):
            if source not in frames and high > low:
                yield source, 2 * self._row_bytes(source) * (high - low), 0

    def _row_bytes(self, name: str) -> int:
        found = self.segment.maps[name]
        return bytes_of(found, Region((0, 1), (0, 1), (0, found.columns), (0, found.channels)), self.machine)

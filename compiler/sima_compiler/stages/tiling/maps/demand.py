"""What must lie on chip at a layer in every plan: the proof that a batch size does not fit.

In: a segment, the maps that may be spilled, the longest group of fused layers. Out: for a batch size, a layer whose
least demand exceeds the capacity. A layer runs alone, or inside a group of fused layers; each way of running it needs
the maps that live meanwhile, without those that exist only stripe by stripe. The least over all ways counts. Maps that
could share one place are counted as the largest of them. Always holds: the demand never falls when the batch grows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sima_compiler.ir.layers import Segment
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.geometry import map_bytes
from sima_compiler.stages.tiling.block.least import working_bytes
from sima_compiler.stages.tiling.block.reach import stripable
from sima_compiler.stages.tiling.maps.liveness import live_layers, maps_inside
from sima_compiler.stages.tiling.maps.storage import any_sharing

#: Maps that live together, by the place that they could share.
Places = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Demand:
    """Least bytes at one layer and the largest map of every place, largest first."""

    layer: int
    bytes: int
    maps: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class DemandTable:
    """Per layer the ways to run it: bytes besides maps, and the maps that live meanwhile."""

    segment: Segment
    machine: Machine
    ways: tuple[tuple[tuple[int, Places], ...], ...]

    @staticmethod
    def of(segment: Segment, allowed: Collection[str], machine: Machine, longest: int) -> DemandTable:
        """The table for plans that spill nothing but ``allowed`` and fuse at most ``longest`` layers."""
        lives, shared = live_layers(segment), any_sharing(segment, machine)
        roots = {name: shared.place(name).root for name in lives if name not in allowed}
        spans = list(_spans(segment, lives, longest))
        alive = _alive(roots, lives, len(segment.layers))
        ways: list[list[tuple[int, Places]]] = [[] for _ in segment.layers]
        for index, layer in enumerate(segment.layers):
            places = _places(roots, alive[index : index + 1], ())
            ways[index].append((working_bytes(segment, layer, allowed, machine, 0), places))
        for first, last, inside in spans:
            places = _places(roots, alive[first : last + 1], inside)
            for index in range(first, last + 1):
                ways[index].append((0, places))
        return DemandTable(segment, machine, tuple(tuple(found) for found in ways))

    def at(self, layer: int, batch: int) -> Demand:
        """The least demand of a layer."""
        sizes = {name: map_bytes(found, batch, self.machine) for name, found in self.segment.maps.items()}
        return self._at(layer, sizes)

    def worst(self, batch: int) -> Demand:
        """The layer with the largest least demand."""
        sizes = {name: map_bytes(found, batch, self.machine) for name, found in self.segment.maps.items()}
        return max((self._at(index, sizes) for index in range(len(self.ways))), key=lambda found: found.bytes)

    def _at(self, layer: int, sizes: Mapping[str, int]) -> Demand:
        found = [(extra, [max((sizes[name], name) for name in place) for place in places])
                 for extra, places in self.ways[layer]]  # fmt: skip
        extra, largest = min(found, key=lambda way: way[0] + sum(size for size, _ in way[1]))
        maps = tuple((name, size) for size, name in sorted(largest, reverse=True))
        return Demand(layer, extra + sum(size for _, size in maps), maps)


def _spans(
    segment: Segment, lives: Mapping[str, tuple[int, int]], longest: int
) -> Iterator[tuple[int, int, frozenset[str]]]:
    """(first, last, maps inside) of everything that could be a group; a superset of what is ever chosen."""
    for first, layer in enumerate(segment.layers):
        if not stripable(layer):
            continue
        for last in range(first + 1, min(first + longest, len(segment.layers))):
            if not stripable(segment.layers[last]):
                break
            yield first, last, maps_inside(segment, lives, first, last)


def _alive(roots: Mapping[str, str], lives: Mapping[str, tuple[int, int]], layers: int) -> list[list[str]]:
    """The maps that live at each layer."""
    found: list[list[str]] = [[] for _ in range(layers)]
    for name in roots:
        first, last = lives[name]
        for index in range(first, last + 1):
            found[index].append(name)
    return found


def _places(roots: Mapping[str, str], alive: Sequence[Sequence[str]], inside: Collection[str]) -> Places:
    """Maps that live in a span of layers, without those inside, by the place that they could share."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for names in alive for name in names):
        if name not in inside:
            found.setdefault(roots[name], []).append(name)
    return tuple(tuple(names) for names in found.values())

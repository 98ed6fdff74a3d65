"""Which feature maps stay on chip and which live in DRAM between their layers.

In: a segment, the batch, the on-chip capacity. Out: the set of spilled maps, or a `Misfit`. Before: every map is
resident. While some layer's live maps and working set exceed the capacity, one of its live maps is spilled. Preferred
are maps that have a home in DRAM anyway (the network's inputs and outputs), then maps that the layer itself does not
touch, then the smallest that frees enough.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.layers import Layer, Segment
from sima_compiler.ir.tiles import Misfit
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.geometry import bytes_of, map_bytes, whole
from sima_compiler.stages.tiling.block.least import working_bytes
from sima_compiler.stages.tiling.maps.storage import Storage, concatenation_parts, in_place


@dataclass(frozen=True, slots=True)
class Residency:
    """The decision: spilled maps, who shares whose place, and per layer the bytes that resident maps leave free. Where
    layers run stripe by stripe (`cuts.fusion`), a map inside their group is neither spilled nor resident.
    """

    spilled: frozenset[str]
    storage: Storage
    free: tuple[int, ...]


def choose_residency(segment: Segment, batch: int, capacity: int, machine: Machine) -> Residency | Misfit:
    """Spills maps until every layer fits; see the module's text for the order."""
    sizes = {name: map_bytes(feature_map, batch, machine) for name, feature_map in segment.maps.items()}
    storage = _shared(segment, sizes, capacity, machine)
    spilled: set[str] = set()
    live = _live_bytes(segment, storage, sizes, spilled)
    index = 0
    while index < len(segment.layers):
        layer = segment.layers[index]
        excess = int(live[index]) + working_bytes(segment, layer, spilled, machine, capacity) - capacity
        if excess <= 0:
            index += 1
            continue
        lives = storage.lives(segment)
        resident = [name for name, (first, last) in lives.items() if first <= index <= last and name not in spilled]
        if not resident:
            return _misfit(layer, excess, capacity, segment, machine)
        victim = _victim(resident, excess, segment, layer, sizes)
        if any(place.root == victim for place in storage.places.values()):
            storage = storage.without(victim)
        else:
            spilled.add(victim)
        live = _live_bytes(segment, storage, sizes, spilled)
        index = 0
    return Residency(frozenset(spilled), storage, tuple(capacity - int(size) for size in live))


def _shared(segment: Segment, sizes: Mapping[str, int], capacity: int, machine: Machine) -> Storage:
    """Everything in place, and each part of a concatenation that does not raise the peak above the capacity."""
    storage = in_place(segment)
    live, lives = _live_bytes(segment, storage, sizes, set()), storage.lives(segment)
    peak = max(capacity // 2, int(live.max(initial=0)))
    places = dict(storage.places)
    for name, place in concatenation_parts(segment, machine):
        root = Storage(places).place(place.root).root
        if name in places or name == root:
            continue
        first, last = min(lives[name][0], lives[root][0]), max(lives[name][1], lives[root][1])
        window = live[first : last + 1].copy()
        for moved, size in ((name, sizes[name]), (root, sizes[root])):
            window[lives[moved][0] - first : lives[moved][1] - first + 1] -= size
        window += sizes[root]
        if int(window.max()) <= peak:
            live[first : last + 1] = window
            lives[root] = (first, last)
            del lives[name]
            places[name] = place
    return Storage(places)


def _live_bytes(
    segment: Segment, storage: Storage, sizes: Mapping[str, int], spilled: Collection[str]
) -> npt.NDArray[np.int64]:
    """Bytes of resident maps at every layer."""
    delta = np.zeros(len(segment.layers) + 1, np.int64)
    for root, (first, last) in storage.lives(segment).items():
        if root not in spilled:
            delta[first] += sizes[root]
            delta[last + 1] -= sizes[root]
    return np.cumsum(delta)[:-1]


def _victim(resident: list[str], excess: int, segment: Segment, layer: Layer, sizes: Mapping[str, int]) -> str:
    homes = {*segment.inputs, *segment.outputs}
    touched = {*layer.inputs, layer.output}

    def rank(name: str) -> tuple[bool, bool, bool, int, str]:
        enough = sizes[name] >= excess
        return (name not in homes, not enough, name in touched, sizes[name] if enough else -sizes[name], name)

    return min(resident, key=rank)


def _misfit(layer: Layer, excess: int, capacity: int, segment: Segment, machine: Machine) -> Misfit:
    names = (*layer.inputs, layer.output)
    contributors = tuple((name, bytes_of(segment.maps[name], whole(segment.maps[name], 1), machine)) for name in names)
    return Misfit(layer.name, capacity + excess, capacity, contributors)

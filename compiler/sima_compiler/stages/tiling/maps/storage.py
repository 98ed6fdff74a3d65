"""Which feature maps share one place on chip: results in place, and parts of a concatenation.

In: a segment. Out: a `Storage` that names, for each map, the map whose buffer it lives in (its root) and the
channel at which it begins there.

::

    before: skip -> conv2d_add(x, skip) -> y        after: y takes over the bytes of skip, element by element
    before: a, b -> concatenate -> z                after: a and b are written straight into z's channels

Checks. In place: the operand has the result's shape and layout, is read by no later layer, and is read only where
the same element is written. Parts: a whole map that one move puts at a multiple of the lanes, as it is; nothing takes
over bytes that another map in the same place still needs.
A network input or output keeps a place of its own, and so does a map that is spilled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sima_compiler.ir.kernels import Reach, facts
from sima_compiler.ir.layers import Broadcast, Copy, FeatureMap, Layer, Segment
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.copies import coordinate_move
from sima_compiler.stages.tiling.maps.liveness import live_layers


@dataclass(frozen=True, slots=True)
class Place:
    """Where a map lives: the map whose buffer it is, and the first channel in it."""

    root: str
    channel: int = 0


@dataclass(frozen=True, slots=True)
class Storage:
    """Places of the maps that share; any other map is its own root."""

    places: Mapping[str, Place]

    def place(self, name: str) -> Place:
        """The map's place, nested places resolved."""
        channel = 0
        while name in self.places:
            found = self.places[name]
            channel += found.channel
            name = found.root
        return Place(name, channel)

    def without(self, root: str) -> Storage:
        """The storage in which nothing lives in the buffer of ``root`` but itself."""
        return Storage({name: place for name, place in self.places.items() if self.place(name).root != root})

    def apart(self, inside: Collection[str]) -> Storage:
        """The storage in which the maps ``inside`` share places among themselves only."""
        kept = {name: place for name, place in self.places.items() if (name in inside) == (place.root in inside)}
        return Storage(kept)

    def fused(self, segment: Segment, layers: Sequence[Layer], inside: Collection[str]) -> Storage:
        """The storage with ``layers`` as one group: the maps ``inside`` share no place with a map outside, and none
        that leaves takes over bytes of which another of the layers still needs earlier rows.
        """
        storage = self.apart(inside)
        clashing = {layer.output for layer in layers if layer.output not in inside}
        clashing = {name for name in clashing & storage.places.keys() if _clashes(name, storage, layers, segment)}
        return Storage({name: place for name, place in storage.places.items() if name not in clashing})

    def joined(self, parts: Iterable[tuple[str, Place]], insides: Sequence[Collection[str]]) -> Storage:
        """The storage with those parts of concatenations, too, that lie with the whole of it inside one group."""
        found = dict(self.places)
        for name, place in parts:
            if name not in found and any(name in inside and place.root in inside for inside in insides):
                found[name] = place
        return Storage(found)

    def overlap(self, segment: Segment, one: str, other: str) -> bool:
        """Whether two maps have a channel of the same buffer in common."""
        first, second = self.place(one), self.place(other)
        if first.root != second.root:
            return False
        ends = first.channel + segment.maps[one].channels, second.channel + segment.maps[other].channels
        return first.channel < ends[1] and second.channel < ends[0]

    def lives(self, segment: Segment) -> dict[str, tuple[int, int]]:
        """First and last layer of every root: from its first member's to its last member's."""
        spans: dict[str, tuple[int, int]] = {}
        for name, (first, last) in live_layers(segment).items():
            root = self.place(name).root
            low, high = spans.get(root, (first, last))
            spans[root] = (min(low, first), max(high, last))
        return spans


def _clashes(name: str, storage: Storage, layers: Sequence[Layer], segment: Segment) -> bool:
    """Whether a map that leaves a group lies on bytes that another of its layers reads or makes."""
    others = [layer for layer in layers if layer.output != name]
    near = {other for layer in others for other in (*layer.inputs, layer.output) if other != name}
    return any(storage.overlap(segment, name, other) for other in near)


def in_place(segment: Segment) -> Storage:
    """Every result that can take over an operand's bytes; never needs more memory than separate places."""
    places: dict[str, Place] = {}
    last = {name: high for name, (_, high) in live_layers(segment).items()}
    fixed = {*segment.inputs, *segment.outputs}
    for index, layer in enumerate(segment.layers):
        for name in _candidates(layer):
            free = last[name] == index and not fixed & {name, layer.output}
            if free and _alike(segment.maps[name], segment.maps[layer.output]):
                places[layer.output] = Place(name)
                break
    return Storage(places)


def concatenation_parts(segment: Segment, machine: Machine) -> Iterator[tuple[str, Place]]:
    """Every (map, place) that spares one move of a concatenation, latest producers first within a layer."""
    produced = {layer.output: index for index, layer in enumerate(segment.layers)}
    lives = live_layers(segment)
    accepted = in_place(segment)
    for layer in segment.layers:
        if not isinstance(layer.kernel, Copy) or layer.kernel.fill is not None or layer.output in segment.outputs:
            continue
        if segment.maps[layer.output].channels % machine.lanes:
            continue
        found = dict(_parts(layer, layer.kernel, segment, machine))
        for name in sorted(found, key=lambda part: -produced.get(part, -1)):
            if name not in produced or name in segment.outputs or name in accepted.places:
                continue
            wider = Storage({**accepted.places, name: Place(layer.output, found[name])})
            if _sound(segment, wider, lives, wider.place(name).root):
                accepted = wider
                yield name, Place(layer.output, found[name])


def _sound(segment: Segment, storage: Storage, lives: Mapping[str, tuple[int, int]], root: str) -> bool:
    """Whether no map in the buffer of ``root`` overwrites another that is still to be read."""
    members = [name for name in (root, *storage.places) if storage.place(name).root == root]
    members.sort(key=lambda name: lives[name][0])
    for index, later in enumerate(members):
        born, over = lives[later][0], storage.places.get(later)
        for earlier in members[:index]:
            if not storage.overlap(segment, earlier, later) or _is_inside(storage, lives, earlier, later):
                continue
            direct = over is not None and over.root == earlier
            if lives[earlier][1] > born - (not direct):
                return False
    return True


def _is_inside(storage: Storage, lives: Mapping[str, tuple[int, int]], part: str, whole: str) -> bool:
    """Whether ``part`` is a part of the concatenation ``whole``, or of a part of it: the same values, not new ones."""
    while part in storage.places and lives[storage.places[part].root][0] > lives[part][0]:
        part = storage.places[part].root
        if part == whole:
            return True
    return False


def any_sharing(segment: Segment, machine: Machine) -> Storage:
    """Everything that could share a place, whatever it costs: what no plan can do better than."""
    places = dict(in_place(segment).places)
    for name, place in concatenation_parts(segment, machine):
        places.setdefault(name, place)
    return Storage(places)


def _candidates(layer: Layer) -> tuple[str, ...]:
    """Inputs that are read element by element, each where the result is written."""
    known = facts(layer.kernel)
    found = layer.inputs[:1] if known.reach is Reach.PLACE else ()
    if known.second is None or known.second.operand is None or known.second.broadcast is not Broadcast.NONE:
        return found
    second = known.second.operand
    return (*found, second) if found or second != layer.inputs[0] else ()


def _alike(one: FeatureMap, other: FeatureMap) -> bool:
    shapes = [(found.rows, found.columns, found.channels, found.layout) for found in (one, other)]
    return shapes[0] == shapes[1]


def _parts(layer: Layer, kernel: Copy, segment: Segment, machine: Machine) -> Iterator[tuple[str, int]]:
    """(map, channel) of the moves that put a whole map, once, at whole vectors of channels."""
    target = segment.maps[layer.output]
    names = [move.source for move in kernel.moves]
    for number, move in enumerate(kernel.moves):
        source = segment.maps[move.source]
        if names.count(move.source) > 1 or move.lookup is not None:
            continue
        found = coordinate_move(number, move, source, target)
        same = all(dim.source == dim.target for dim in found.dimensions)
        everything = found.box(target=False) == ((0, source.rows), (0, source.columns), (0, source.channels))
        fits = (source.rows, source.columns) == (target.rows, target.columns)
        channel = found.target[2]
        aligned = channel % machine.lanes == source.channels % machine.lanes == 0
        alike = fits and aligned and source.layout == target.layout
        if alike and same and everything and found.target[:2] == (0, 0):
            yield move.source, channel

"""Which layers of two Views belong together.

In: two tables of layers. Out: pairs of row numbers, each row once; None stands for a layer that the other file lacks.
Layers that come from the same node of the source model belong together, whatever they are called: counters in names
shift with every layer that is added. Where sources are not recorded, or none is shared, structure decides: the two
sequences are aligned by what their layers compute, and names settle the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from sima_compiler.view.palette import operator_of
from sima_compiler.view.records import Layer

Pair = tuple[int | None, int | None]

#: Sequences longer than this are paired by name alone: aligning takes time with the square of their length, and at
#: 3,000 layers of one operator each it was measured in seconds.
LONGEST_ALIGNMENT = 3000


def aligned(before: Sequence[Layer], after: Sequence[Layer]) -> tuple[Pair, ...]:
    """Every layer of both, in the order of ``after``; a layer that is gone follows the one that it followed."""
    partners = _by_source(before, after)
    partners |= _by_structure(*_without_partner(before, after, partners))
    return _in_order(len(before), len(after), partners)


def _by_source(before: Sequence[Layer], after: Sequence[Layer]) -> dict[int, int]:
    """Who shares the most source nodes; among equals those of one operator or kind, then the earliest."""
    places: dict[str, list[int]] = defaultdict(list)
    for row, layer in enumerate(after):
        for source in dict.fromkeys(layer.sources):
            places[source].append(row)
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for row, layer in enumerate(before):
        for source in dict.fromkeys(layer.sources):
            for other in places.get(source, ()):
                shared[row, other] += 1
    return _greedy(sorted(shared, key=lambda pair: _preference(before[pair[0]], after[pair[1]], shared[pair], pair)))


def _preference(one: Layer, other: Layer, shared: int, pair: tuple[int, int]) -> tuple[object, ...]:
    """Small is better. Layers of one node (a Softmax takes several) have equal sources: their order pairs them."""
    return (
        -shared,
        len({*one.sources, *other.sources}),
        _operator(one) != _operator(other),
        one.family != other.family,
        pair,
    )


def _greedy(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    taken: set[int] = set()
    for row, other in pairs:
        if row not in found and other not in taken:
            found[row] = other
            taken.add(other)
    return found


@dataclass(frozen=True, slots=True)
class _Free:
    """A layer without a partner; ``gap`` is the paired row of ``after`` that it follows, so that no pair crosses."""

    row: int
    gap: int
    layer: Layer


Rows = Sequence[_Free]


def _without_partner(before: Sequence[Layer], after: Sequence[Layer], partners: dict[int, int]) -> tuple[Rows, Rows]:
    """What structure may pair: no layer whose source node the other file knows; there it is part of another layer."""
    known_before = {source for layer in before for source in layer.sources}
    known_after = {source for layer in after for source in layer.sources}
    own = {other: other for other in partners.values()}
    return _free(before, partners, known_after), _free(after, own, known_before)


def _free(layers: Sequence[Layer], gaps: dict[int, int], known: set[str]) -> list[_Free]:
    found: list[_Free] = []
    gap = -1
    for row, layer in enumerate(layers):
        gap = gaps.get(row, gap)
        if row not in gaps and known.isdisjoint(layer.sources):
            found.append(_Free(row, gap, layer))
    return found


def _by_structure(rest: Rows, others: Rows) -> dict[int, int]:
    """From what says most about a layer to what says least, each time between the pairs that are found."""
    if not rest or not others:
        return {}
    is_long = max(len(rest), len(others)) > LONGEST_ALIGNMENT
    if is_long or [one.layer.name for one in rest] == [one.layer.name for one in others]:
        return _by_name(rest, others)
    anchors = [(0, 0)]
    keys = (_unchanged, _shape) if _has_sources(rest) and _has_sources(others) else (_unchanged, _shape, _operator)
    for key in keys:
        anchors = _refined(rest, others, anchors, key)
    found = {rest[one - 1].row: others[other - 1].row for one, other in anchors[1:]}
    taken = set(found.values())
    return found | _by_name(
        [one for one in rest if one.row not in found], [one for one in others if one.row not in taken]
    )


def _has_sources(rows: Rows) -> bool:
    return any(one.layer.sources for one in rows)


def _refined(
    rest: Rows, others: Rows, anchors: Sequence[tuple[int, int]], key: Callable[[Layer], Hashable]
) -> list[tuple[int, int]]:
    """More pairs between the anchors (positions counted from 1; the first anchor is the front)."""
    found: list[tuple[int, int]] = []
    ends = [*anchors[1:], (len(rest) + 1, len(others) + 1)]
    for (one, other), (end, other_end) in zip(anchors, ends, strict=True):
        found.append((one, other))
        mine = [(free.gap, key(free.layer)) for free in rest[one : end - 1]]
        theirs = [(free.gap, key(free.layer)) for free in others[other : other_end - 1]]
        for block in SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks():
            found += [(one + block.a + step + 1, other + block.b + step + 1) for step in range(block.size)]
    return found


def _by_name(rest: Rows, others: Rows) -> dict[int, int]:
    """Equal names in their order; a name may stand several times."""
    places: dict[tuple[int, str], list[int]] = defaultdict(list)
    for free in reversed(others):
        places[free.gap, free.layer.name].append(free.row)
    keys = ((free.row, (free.gap, free.layer.name)) for free in rest)
    return {row: places[key].pop() for row, key in keys if places.get(key)}


def _in_order(count: int, other_count: int, partners: dict[int, int]) -> tuple[Pair, ...]:
    followers: dict[int | None, list[int]] = defaultdict(list)
    place: int | None = None
    for row in range(count):
        place = partners.get(row, place)
        if row not in partners:
            followers[place].append(row)
    partner_of = {other: row for row, other in partners.items()}
    pairs: list[Pair] = [(row, None) for row in followers[None]]
    for other in range(other_count):
        pairs.append((partner_of.get(other), other))
        pairs += [(row, None) for row in followers[other]]
    return tuple(pairs)


def _operator(layer: Layer) -> Hashable:
    return layer.segment, layer.operator or operator_of(layer.name)


def _shape(layer: Layer) -> Hashable:
    return _operator(layer), layer.input_shapes, layer.output_shape, layer.weight_bytes


def _unchanged(layer: Layer) -> Hashable:
    return _shape(layer), layer.macs, layer.compute_cycles

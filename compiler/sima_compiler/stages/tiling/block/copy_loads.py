"""What one output block of a copy brings on chip: boxes of its sources, each with the parts of moves that read it.

In: the moves of a layer, an output block, the on-chip bytes that one box may take. Out: `CopyLoad`s.

::

    before: one box around everything that the block reads      a transpose: most of the map for a few bytes
    after:  one box per part of a move, smaller than the limit; boxes that would move no less apart are one

Always holds: each element of the block that a move writes is in exactly one part, and the part's sources are in its
load's box; a box is larger than the limit only where it is a single vector.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sima_compiler.ir.layers import FeatureMap, Layout
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.copies import AXES, CoordinateMove, narrowed, restricted
from sima_compiler.stages.tiling.block.geometry import Range, Region, bytes_of

#: Boxes that are looked at for a new part to join, latest first.
NEIGHBOURS = 4


@dataclass(frozen=True, slots=True)
class CopySources:
    """Where a copy reads: its source maps by name, those of them that lie in DRAM, the most bytes of one box."""

    maps: Mapping[str, FeatureMap]
    spilled: Collection[str]
    limit: int
    machine: Machine


@dataclass(frozen=True, slots=True)
class CopyLoad:
    """A box of the map ``source`` and the parts of moves that read nothing else."""

    source: str
    region: Region
    parts: tuple[CoordinateMove, ...]


def copy_loads(moves: Sequence[CoordinateMove], sources: CopySources, block: Region) -> list[CopyLoad]:
    """The loads of one block in the order of their first moves; a source on chip has one, of everything."""
    found: dict[str, list[CopyLoad]] = {}
    for move in moves:
        loads = found.setdefault(move.name, [])
        for part in restricted(move, block.rows, block.columns, block.channels):
            if move.name not in sources.spilled:
                _join(loads, part, block, sources, always=True)
                continue
            for piece in _within_limit(part, block, sources):
                _join(loads, piece, block, sources, always=False)
    return [load for loads in found.values() for load in loads]


def _join(loads: list[CopyLoad], part: CoordinateMove, block: Region, sources: CopySources, *, always: bool) -> None:
    """Adds a part to a load that grows by no more than the part's own box, or as a load of its own."""
    source = sources.maps[part.name]
    region = _source_region(part, block, sources)
    for index in range(len(loads) - 1, max(-1, len(loads) - 1 - NEIGHBOURS), -1):
        load = loads[index]
        union = _union(load.region, region)
        apart = bytes_of(source, load.region, sources.machine) + bytes_of(source, region, sources.machine)
        if always or bytes_of(source, union, sources.machine) <= min(apart, sources.limit):
            loads[index] = replace(load, region=union, parts=(*load.parts, part))
            return
    loads.append(CopyLoad(part.name, region, (part,)))


def _within_limit(part: CoordinateMove, block: Region, sources: CopySources) -> Iterator[CoordinateMove]:
    """The part in pieces whose boxes keep to the limit, cut along the dimension that shrinks the box most."""
    source, machine = sources.maps[part.name], sources.machine
    if not part.dimensions or bytes_of(source, _source_region(part, block, sources), machine) <= sources.limit:
        yield part
        return

    def bytes_after(index: int, steps: int) -> int:
        return bytes_of(source, _source_region(narrowed(part, index, (0, steps)), block, sources), machine)

    sizes = [dim.size for dim in part.dimensions]
    index = min(range(len(sizes)), key=lambda found: bytes_after(found, -(-sizes[found] // 2)))
    steps = -(-sizes[index] // 2)
    while steps > 1 and bytes_after(index, steps) > sources.limit:
        steps = -(-steps // 2)
    for start in range(0, sizes[index], steps):
        yield from _within_limit(narrowed(part, index, (start, min(start + steps, sizes[index]))), block, sources)


def _source_region(part: CoordinateMove, block: Region, sources: CopySources) -> Region:
    """The box that a part reads, in whole vectors of channels where these take no more room than the channels."""
    source, lanes = sources.maps[part.name], sources.machine.lanes
    rows, columns, channels = part.box(target=False)
    low, high = channels[0] // lanes * lanes, -(-channels[1] // lanes) * lanes
    free = high - low == sources.machine.align(channels[1] - channels[0])
    if part.name in sources.spilled and free and (source.layout is not Layout.HWC or source.channels <= lanes):
        channels = (low, min(source.channels, high))
    return Region(block.samples, rows, columns, channels)


def _union(one: Region, other: Region) -> Region:
    mine, yours = (one.rows, one.columns, one.channels), (other.rows, other.columns, other.channels)
    ranges: list[Range] = [(min(mine[a][0], yours[a][0]), max(mine[a][1], yours[a][1])) for a in AXES]
    return Region(one.samples, *ranges)

"""How a copy whose maps do not all stay on chip is cut: a search over boxes of its target map.

In: a `LayerProblem`. Out: a `BlockPlan` with the most bytes that one load of a source may take, or a `Misfit`. A few
sizes per axis are combined: those that cut it into 1, 2, 4 ... parts, and those at which a move begins again, so
that a block holds whole runs of a reshape. Boxes that fit are judged by the transfers and commands of one block from
the middle of the map. Always holds: a plan exists wherever a vector of each map and one table fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from sima_compiler.errors import InternalError
from sima_compiler.ir.layers import Copy, FeatureMap
from sima_compiler.ir.tiles import Misfit
from sima_compiler.machine.cost import box_cycles, ceil_div, compute_cycles, vector_cycles
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.copies import CoordinateMove, coordinate_moves
from sima_compiler.stages.tiling.block.copy_loads import CopyLoad, CopySources, copy_loads
from sima_compiler.stages.tiling.block.geometry import Held, Region, bytes_of, strides_of, transfer_box, whole
from sima_compiler.stages.tiling.block.kernels import gathers
from sima_compiler.stages.tiling.block.parameters import keeps_tables, table_bytes
from sima_compiler.stages.tiling.cuts.plans import BlockPlan, LayerProblem

#: Shares of the free bytes that the block of the target may take, largest first.
TARGET_SHARES = (2, 4, 8, 16, 64)
#: Blocks that are judged per share, largest first.
JUDGED = 8


@dataclass(frozen=True, slots=True)
class _Place:
    """All that decides about a copy's blocks, hashable: plans for several groupings ask again and again."""

    moves: tuple[CoordinateMove, ...]
    sources: tuple[FeatureMap, ...]
    target: FeatureMap
    spilled: frozenset[str]
    fills: bool
    tables: int
    batch: int
    free: int
    machine: Machine
    quads: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A block size, its bytes on chip, the limit of a load, and whether two of them fit."""

    region: Region
    limit: int
    twice: bool


def plan_copy(problem: LayerProblem) -> BlockPlan | Misfit:
    """The plan that is fastest by estimate; ties go to the larger block.

    Raises:
        InternalError: the layer is no copy.
    """
    kernel, target = problem.layer.kernel, problem.target
    if not isinstance(kernel, Copy):
        raise InternalError(f"tile: {problem.layer.name} is no copy")
    names = (*problem.layer.inputs, problem.layer.output)
    sources = tuple(problem.segment.maps[name] for name in problem.layer.inputs)
    spilled = problem.spilled & {*names}
    moves = coordinate_moves(kernel, problem.segment.maps, target)
    place = _Place(
        moves=moves,
        sources=sources,
        target=target,
        spilled=spilled,
        fills=kernel.fill is not None,
        tables=problem.machine.align(table_bytes(kernel, problem.capacity)),
        batch=problem.batch,
        free=problem.free,
        machine=problem.machine,
        quads=problem.quads,
    )
    found = _best(place)
    if found is not None:
        return replace(found, keeps_tables=keeps_tables(kernel, problem.capacity))
    least = problem.machine.lanes * min(2, len(spilled)) + place.tables
    contributors = tuple((name, problem.machine.lanes) for name in names if name in spilled)
    return Misfit(problem.layer.name, least, problem.free, contributors)


@lru_cache(maxsize=256)
def _best(place: _Place) -> BlockPlan | None:
    judged = {candidate: _time(place, candidate) for candidate in _candidates(place)}
    if not judged:
        return None
    best = min(judged, key=lambda candidate: judged[candidate])
    sizes = best.region.shape
    return BlockPlan(*sizes, load_limit=best.limit)


def _candidates(place: _Place) -> Iterator[_Candidate]:
    """Blocks that fit: per share of the free bytes, the largest of them."""
    fitting = sorted(_blocks(place), reverse=True)
    for share in TARGET_SHARES:
        taken = [(size, shape) for size, shape in fitting if size * share <= place.free][:JUDGED]
        yield from (found for _, shape in taken if (found := _candidate(place, shape)) is not None)
    yield from (found for _, shape in fitting[-1:] if (found := _candidate(place, shape)) is not None)


def _candidate(place: _Place, shape: tuple[int, int, int, int]) -> _Candidate | None:
    """The block with what it leaves for a load; two blocks and two loads at a time where that leaves enough."""
    target, machine = place.target, place.machine
    region = _middle(place, shape)
    held = bytes_of(target, region, machine) if target.name in place.spilled else 0
    loads = any(source.name in place.spilled for source in place.sources)
    for twice in (True, False):
        share = place.free // 2 if twice else place.free
        limit = (share - held - place.tables) // machine.lanes * machine.lanes
        if limit >= (machine.lanes * (8 if twice else 1) if loads else 0):
            return _Candidate(region, limit, twice)
    return None


def _blocks(place: _Place) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """(bytes, shape) of every block: some samples, or boxes of one."""
    target, machine = place.target, place.machine
    everything = (target.rows, target.columns, target.channels)
    shapes = {(samples, *everything) for samples in _halves(place.batch)}
    shapes |= {(1, *box) for box in product(_sizes(place, 0), _sizes(place, 1), _sizes(place, 2))}
    for shape in shapes:
        yield bytes_of(target, _middle(place, shape), machine), shape


def _sizes(place: _Place, axis: int) -> list[int]:
    """Sizes along one axis: even parts, and whole numbers of every stride at which a move steps."""
    target, lanes = place.target, place.machine.lanes
    size = (target.rows, target.columns, target.channels)[axis]
    found = set(_halves(size))
    for move in place.moves:
        for dim in move.dimensions:
            if 1 < dim.target[axis] < size:
                found |= {dim.target[axis] * steps for steps in _halves(dim.size)}
    if axis == 2 and size > lanes:
        found = {-(-part // lanes) * lanes for part in found}
    return sorted({min(size, part) for part in found})


def _halves(size: int) -> list[int]:
    """The sizes that cut ``size`` into 1, 2, 4 ... parts."""
    return sorted({ceil_div(size, 1 << power) for power in range(size.bit_length() + 1)})


def _middle(place: _Place, shape: tuple[int, int, int, int]) -> Region:
    """The block of this shape in the middle of those that the map is cut into."""
    target = place.target
    ranges = [(0, shape[0])]
    for size, limit in zip(shape[1:], (target.rows, target.columns, target.channels), strict=True):
        start = (ceil_div(limit, size) // 2) * size
        start = start if start + size <= limit else max(0, start - size)
        ranges.append((start, min(limit, start + size)))
    return Region(*ranges)


def _time(place: _Place, candidate: _Candidate) -> tuple[int, int]:
    """(estimated cycles of all blocks, their number)."""
    machine, target, region = place.machine, place.target, candidate.region
    limits = (place.batch, target.rows, target.columns, target.channels)
    count = 1
    for size, limit in zip(region.shape, limits, strict=True):
        count *= ceil_div(limit, size)
    sources = {source.name: source for source in place.sources}
    loads = copy_loads(place.moves, CopySources(sources, place.spilled, candidate.limit, machine), region)
    dma = _store_cycles(place, region)
    compute = _fill_cycles(place, region) if place.fills else 0
    latency = machine.dma_latency_cycles // machine.dma_outstanding
    for load in loads:
        if load.source in place.spilled:
            dma += _load_cycles(place, sources[load.source], load.region) + latency
        compute += _gather_cycles(place, load, sources[load.source], region)
    if candidate.twice:
        return count * max(dma, compute) + dma, count
    return count * (dma + compute + machine.dma_latency_cycles), count


def _fill_cycles(place: _Place, region: Region) -> int:
    samples, rows, columns, channels = region.shape
    vectors = samples * rows * columns * ceil_div(channels, place.machine.lanes)
    return vector_cycles(vectors, 1, place.machine, place.quads)


def _store_cycles(place: _Place, region: Region) -> int:
    return _load_cycles(place, place.target, region) if place.target.name in place.spilled else 0


def _load_cycles(place: _Place, feature_map: FeatureMap, region: Region) -> int:
    """DRAM time of a region, either way."""
    dram = strides_of(feature_map, whole(feature_map, place.batch), place.machine)
    return box_cycles(transfer_box(_held(place, feature_map, region), region, dram), place.machine)


def _gather_cycles(place: _Place, load: CopyLoad, source: FeatureMap, region: Region) -> int:
    held, target = _held(place, source, load.region), _held(place, place.target, region)
    commands = [
        command
        for part in load.parts
        for command in gathers(layer=0, part=part, samples=region.samples, source=held, target=target, table=None)
    ]
    return sum(compute_cycles(command, place.machine, place.quads) for command in commands)


def _held(place: _Place, feature_map: FeatureMap, region: Region) -> Held:
    return Held(0, feature_map, region, strides_of(feature_map, region, place.machine), 0)

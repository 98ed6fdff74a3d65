"""The contents page: the stages in order, each verified and timed.

::

    Graph --legalize--> LayerGraph --partition--> LayerGraph of segments         once per model: `lower` Segment
    --tile--> Tiling --prefetch--> Tiling --allocate--> MemoryPlan --schedule--> Schedule    once per batch size: `plan`
    Schedule --encode--> bytes                                                    once: `assemble`

A plan that does not fit is data (`Misfit`), because batch negotiation asks many questions whose answer may be no.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType
from typing import Any, TypeVar

from sima_compiler.ir.graph import Graph
from sima_compiler.ir.layers import LayerGraph, Layout, Segment
from sima_compiler.ir.program import Constants, LoadConstants
from sima_compiler.ir.schedule import Schedule
from sima_compiler.ir.tiles import MemoryPlan, Misfit, Overflow, Tiling
from sima_compiler.ir.verify import verify_graph, verify_layers
from sima_compiler.ir.verify_mappings import TileShape, verify_mappings
from sima_compiler.ir.verify_plan import verify_memory, verify_schedule, verify_tiling
from sima_compiler.lm.compression import Compressor
from sima_compiler.machine.cost import box_cycles
from sima_compiler.machine.description import Machine
from sima_compiler.machine.runs import durations
from sima_compiler.machine.starts import entries
from sima_compiler.stages.allocate import AllocateOptions, allocate
from sima_compiler.stages.encode import encode
from sima_compiler.stages.legalize import legalize
from sima_compiler.stages.partition import partition
from sima_compiler.stages.prefetch import PrefetchOptions, prefetch
from sima_compiler.stages.schedule import schedule
from sima_compiler.stages.tile import TileOptions, sample_by_sample, tile
from sima_compiler.stages.tiling.cuts.stripe_costs import StripeCosts

logger = logging.getLogger(__name__)

#: Shares of on-chip memory that prefetching may fill, all or nothing; the first that can be allocated is taken.
PREFETCH_SHARES = (1.0, 0.0)
#: Shares of on-chip memory to plan with when gaps between buffers leave too little.
PLANNING_SHARES = (1.0, 0.9, 0.8, 0.65, 0.5, 0.35)
#: Longest groups of fused layers that are tried; without spilled maps none is formed and the first plan stands.
FUSION_LENGTHS = (12, 6, 3, 0)

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Target:
    """What to plan for; ``exact`` lets OR-Tools place the buffers (an extra)."""

    machine: Machine
    quads: int
    compress: bool
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch size that fits: its memory plan and its schedule."""

    memory: MemoryPlan
    schedule: Schedule


class ConstantStore:
    """Constants as DRAM stores them, remembered by content: candidates of the batch size share most blocks."""

    def __init__(self, *, compress: bool) -> None:
        self._compress = compress
        self._compressor = Compressor()
        self._known: dict[bytes, bytes] = {}

    def stored(self, constants: Constants) -> bytes:
        """The stored form of one block."""
        if not self._compress:
            return constants.data
        found = self._known.get(constants.data)
        if found is None:
            found = self._known[constants.data] = self._compressor.compress(constants.data)
        return found

    def least_bytes(self, raw: bytes) -> int:
        """The smaller of the raw and the compressed size, whichever of the two is stored."""
        return min(len(raw), self._compressor.stored_bytes(raw))


def lower(
    graph: Graph,
    machine: Machine,
    *,
    place: int = 0,
    first: int = 0,
    plain: Collection[str] = (),
    layouts: Mapping[str, Layout] = MappingProxyType({}),
) -> LayerGraph:
    """One segment of the network, its number ``place``, as layers that count from ``first``.

    Outputs that are ``plain`` are stored as an input of the MLA would be; inputs and outputs have the ``layouts`` in
    DRAM that were asked for.

    Raises:
        UnsupportedError: a node that no kernel covers.
    """
    verify_graph(graph)
    layers = _timed("legalize", lambda: legalize(graph, machine, plain, layouts), verify_layers)
    return _timed(
        "partition",
        lambda: partition(layers, machine, place, first),
        lambda found: verify_layers(found, first),
    )


def plan(
    segment: Segment,
    target: Target,
    batch: int,
    constants: ConstantStore,
    allowed: Collection[str] | None = None,
    stripes: StripeCosts | None = None,
) -> Plan | Misfit:
    """The best plan for one batch size, or why there is none.

    With ``allowed``, a plan that spills other maps than those is given only where there is no plan without.
    ``stripes`` are shared by the plans of a segment for one machine.
    """
    stripes = stripes or StripeCosts(segment, target.machine, target.quads)
    found = keeping_plan(
        segment=segment, target=target, batch=batch, constants=constants, allowed=allowed, stripes=stripes
    )
    if not isinstance(found, Overflow):
        return found
    repeat = sample_by_sample(segment, target.machine, quads=target.quads, batch=batch)
    refusal: Misfit | None = None
    for repeats, longest in product([True, False] if repeat else [False], FUSION_LENGTHS):
        spilling, _ = _plan(segment, target, constants, TileOptions(target.quads, batch, 0, longest, repeats), stripes)
        if isinstance(spilling, Plan):
            return spilling
        refusal = refusal or (spilling if isinstance(spilling, Misfit) else None)
    assert refusal is not None
    return refusal


def keeping_plan(
    segment: Segment,
    target: Target,
    batch: int,
    constants: ConstantStore,
    allowed: Collection[str] | None,
    stripes: StripeCosts,
) -> Plan | Misfit | Overflow:
    """The best plan that spills no maps but ``allowed``, or what every other spills; nothing is written for that.

    While maps do not fit on chip, fusing layers trades DRAM time for smaller blocks and for memory; several longest
    groups are scheduled and the fastest plan wins.
    """
    repeat = sample_by_sample(segment, target.machine, quads=target.quads, batch=batch)
    limits = None if allowed is None else frozenset(allowed)
    options = TileOptions(target.quads, batch, 0, repeat=repeat, allowed=limits)
    found = _fastest(segment, target, constants, options, stripes)
    if isinstance(found, Misfit) and repeat:
        found = _fastest(segment, target, constants, replace(options, repeat=False), stripes)
    return found


def _fastest(
    segment: Segment, target: Target, constants: ConstantStore, wanted: TileOptions, stripes: StripeCosts
) -> Plan | Misfit | Overflow:
    """The fastest plan over all longest groups; shorter ones are not asked where the longest forms none."""
    best: Plan | None = None
    refusal: Misfit | None = None
    spilling: Overflow | None = None
    for longest in FUSION_LENGTHS:
        found, fused = _plan(segment, target, constants, replace(wanted, longest_group=longest), stripes)
        if isinstance(found, Overflow):
            spilling = spilling or found
        elif isinstance(found, Misfit):
            refusal = refusal or found
        elif best is None or found.schedule.runtime < best.schedule.runtime:
            best = found
        if not fused:
            break
    found = best or spilling or refusal
    assert found is not None
    return found


def _plan(
    segment: Segment, target: Target, constants: ConstantStore, wanted: TileOptions, stripes: StripeCosts
) -> tuple[Plan | Misfit | Overflow, bool]:
    """The plan for these options; less and less memory is planned with until addresses are found. And whether any
    layers were fused on the way.
    """
    limit = target.machine.sram_bytes(target.quads)
    refusal: Misfit | None = None
    fused = False
    for share in PLANNING_SHARES:
        options = replace(wanted, capacity=int(limit * share))
        tiling = _timed(
            "tile",
            lambda options=options: tile(segment, target.machine, options, stripes),
            lambda found: _verify(found, segment, target) if isinstance(found, Tiling) else None,
        )
        if isinstance(tiling, Misfit):
            return refusal or tiling, fused
        if isinstance(tiling, Overflow):
            return tiling, fused or tiling.fuses
        fused = fused or bool(tiling.fused)
        stored = [constants.stored(block) for block in tiling.constants]
        memory = _allocated(tiling, [len(block) for block in stored], target, limit)
        if isinstance(memory, MemoryPlan):
            return Plan(memory, _scheduled(memory, stored, target)), fused
        refusal = refusal or memory
    assert refusal is not None
    return refusal, fused


def _verify(tiling: Tiling, segment: Segment, target: Target) -> None:
    machine = target.machine
    verify_tiling(tiling, segment)
    rows = machine.tiles(target.quads) // machine.tile_row
    verify_mappings(tiling, TileShape(rows=rows, row_tiles=machine.tile_row, lanes=machine.lanes))


def least_cycles_per_sample(
    segment: Segment, target: Target, allowed: Collection[str], stripes: StripeCosts
) -> int | None:
    """Cycles below which no sample stays while samples follow one another, whatever the batch; None where every such
    plan spills more than ``allowed``.

    Every sample repeats the compute commands and the transfers of maps of one sample's tiling; neither placing nor
    prefetching changes them.
    """
    limit = target.machine.sram_bytes(target.quads)
    least: int | None = None
    for longest in FUSION_LENGTHS:
        for share in PLANNING_SHARES:
            options = TileOptions(target.quads, 1, int(limit * share), longest, repeat=True, allowed=frozenset(allowed))
            one = tile(segment, target.machine, options, stripes)
            if isinstance(one, Tiling):
                cycles = _cycles_of_sample(one, target)
                least = cycles if least is None else min(least, cycles)
    return least


def _cycles_of_sample(one: Tiling, target: Target) -> int:
    """The longer of the compute of a sample and its maps' time on the DRAM."""
    machine = target.machine
    entered = entries(one.steps, one.transfers, one.tensors, one.constants)
    compute = sum(durations(one.steps, entered, machine, target.quads))
    moved = sum(box_cycles(each.box, machine) for each in one.transfers if not isinstance(each, LoadConstants))
    return max(compute, moved)


def assemble(found: Plan) -> bytes:
    """The `.lm` of a plan."""
    return _timed("encode", lambda: encode(found.schedule))


def _allocated(tiling: Tiling, stored: list[int], target: Target, limit: int) -> MemoryPlan | Misfit:
    """Addresses with as much prefetching as memory allows: loads ahead of their need give way, or else all of them."""
    memory: MemoryPlan | Misfit | None = None
    needed = tuple(buffer.first for buffer in tiling.buffers)
    for share in PREFETCH_SHARES:
        options = PrefetchOptions(target.quads, int(limit * share))
        ahead = _timed("prefetch", lambda options=options: prefetch(tiling, stored, target.machine, options))
        memory = _timed(
            "allocate",
            lambda ahead=ahead: allocate(ahead, limit, AllocateOptions(needed, target.exact)),
            lambda found: verify_memory(found) if isinstance(found, MemoryPlan) else None,
        )
        if isinstance(memory, MemoryPlan):
            return memory
    assert memory is not None
    return memory


def _scheduled(memory: MemoryPlan, stored: list[bytes], target: Target) -> Schedule:
    return _timed(
        "schedule",
        lambda: schedule(memory, stored, target.machine, quads=target.quads, compressed=target.compress),
        verify_schedule,
    )


def _timed(stage: str, run: Callable[[], Record], verify: Callable[[Record], Any] | None = None) -> Record:
    """Runs a stage and the check of what it hands over; logs both times."""
    started = time.perf_counter()
    record = run()
    done = time.perf_counter()
    if verify is not None:
        verify(record)
    logger.debug("%s: %.3f s, verified in %.3f s", stage, done - started, time.perf_counter() - done)
    return record

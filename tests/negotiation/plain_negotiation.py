"""The rules of batch negotiation, told once more as a loop over every size.

In: what planning gives for each size. Out: what must be true of each size, and which is built. Written from the rules
alone, apart from `sima_compiler.negotiate`:

- batch 1 decides which maps may lie in DRAM; inputs, and outputs that no layer reads, lie there anyway;
- a size is feasible when its plan spills nothing else and takes at most 1 % more cycles per sample than the best
  smaller feasible size that was planned;
- planned are the powers of two, the largest size that is not proven impossible, and then sizes from the largest down
  until one is feasible;
- the largest feasible size is built; what was not planned is estimated between its planned neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from sima_compiler.ir.layers import Segment
from sima_compiler.ir.tiles import Misfit
from sima_compiler.pipeline import ConstantStore, Plan, Target, plan

#: One percent, exactly.
MOST = Fraction(101, 100)


@dataclass(frozen=True, slots=True)
class Size:
    """What planning a size gives. ``cycles`` are None where no plan exists; ``spilled``: bytes of the layers' maps that
    lie in DRAM; ``extra``: those of them that batch 1 keeps on chip; ``slowest``: the layers that take longest.
    """

    cycles: int | None
    peak: int | None
    spilled: Mapping[str, int]
    extra: Mapping[str, int]
    slowest: tuple[str, ...]


def planned_sizes(segment: Segment, target: Target, desired: int) -> dict[int, Size]:
    """Every size up to the one asked for, planned without any short cut."""
    store = ConstantStore(compress=target.compress)
    first = plan(segment, target, 1, store)
    assert not isinstance(first, Misfit)
    home = {*segment.inputs, *(set(segment.outputs) - {name for layer in segment.layers for name in layer.inputs})}
    may = frozenset({*home, *first.memory.tiling.spilled})
    sizes = {1: _size(first, segment, home, may)}
    for batch in range(2, desired + 1):
        sizes[batch] = _size(plan(segment, target, batch, store, may), segment, home, may)
    return sizes


def feasible_sizes(sizes: Mapping[int, Size], tried: Collection[int]) -> set[int]:
    """The feasible ones of those that were planned."""
    found: dict[int, Fraction] = {}
    for batch in sorted(tried):
        size = sizes[batch]
        if size.cycles is None or size.extra:
            continue
        each = Fraction(size.cycles, batch)
        if not found or each <= MOST * min(found.values()):
            found[batch] = each
    return set(found)


def negotiated(sizes: Mapping[int, Size], impossible: Collection[int] = ()) -> tuple[set[int], set[int]]:
    """Which sizes are planned, and which of these are feasible; ``impossible`` ones are refused without a plan."""
    possible = [batch for batch in sizes if batch not in impossible]
    tried = {batch for batch in possible if batch.bit_count() == 1} | {max(possible)}
    built = max(feasible_sizes(sizes, tried))
    for batch in sorted((batch for batch in possible if batch > built and batch not in tried), reverse=True):
        tried.add(batch)
        if batch in feasible_sizes(sizes, tried):
            break
    return tried, feasible_sizes(sizes, tried)


def between(cycles: Mapping[int, int], batch: int) -> Fraction:
    """Cycles on the straight line between the nearest smaller and larger size that has any."""
    low = max(other for other in cycles if other < batch)
    high = min(other for other in cycles if other > batch)
    return cycles[low] + Fraction((cycles[high] - cycles[low]) * (batch - low), high - low)


def _size(planned: Plan | Misfit, segment: Segment, home: set[str], may: frozenset[str]) -> Size:
    if isinstance(planned, Misfit):
        return Size(cycles=None, peak=None, spilled={}, extra={}, slowest=())
    tiling, times = planned.memory.tiling, planned.schedule.layers
    bytes_of = {tensor.name: tensor.bytes for tensor in tiling.tensors}
    spilled = {name: bytes_of[name] for name in tiling.spilled if name not in home}
    longest = max(layer.runtime for layer in times)
    slowest = [layer.name for layer, time in zip(segment.layers, times, strict=True) if time.runtime == longest]
    return Size(
        cycles=planned.schedule.runtime,
        peak=planned.memory.peak,
        spilled=spilled,
        extra={name: size for name, size in spilled.items() if name not in may},
        slowest=tuple(slowest),
    )

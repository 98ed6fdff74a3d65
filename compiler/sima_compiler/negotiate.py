"""Batch negotiation: the largest batch, up to the one asked for, that is worth building, and why not a larger one.

In: a segment, what to plan for, the desired size. Out: the chosen plan and a row per candidate. A candidate is feasible
when it spills no map to DRAM that batch 1 keeps on chip, and when its scheduled cycles per sample are at most 1 % above
those of the best smaller feasible one that was scheduled. Scheduled are the powers of two, the largest size, and every
size above the one that is built; what lies between them is estimated and taken to be feasible. Inputs, and outputs
that no layer reads, are in DRAM anyway: they are not spilled. Two kinds of candidates are refused without a schedule,
because no plan could help: where the maps that a layer needs exceed the on-chip memory however it is run, and where
samples must follow one another and each would take too long.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sima_compiler.errors import DoesNotFitError, InternalError
from sima_compiler.ir.layers import Segment
from sima_compiler.ir.tiles import Misfit, Overflow
from sima_compiler.pipeline import (
    FUSION_LENGTHS,
    ConstantStore,
    Plan,
    Target,
    keeping_plan,
    least_cycles_per_sample,
    plan,
)
from sima_compiler.stages.tile import sample_by_sample
from sima_compiler.stages.tiling.cuts.stripe_costs import StripeCosts
from sima_compiler.stages.tiling.maps.demand import DemandTable

#: A larger batch may cost this much more per sample than the best smaller one.
TOLERANCE = 1.01


@dataclass(frozen=True, slots=True)
class PlannedLever:
    """A change of the compile, or with ``what_if`` of machine or network, and what negotiating with it gave.

    ``feasible``: the desired size is; ``cycles_per_sample`` are those of the largest size, None where nothing fits or
    could be planned: ``reason`` says why.
    """

    text: str
    feasible: bool
    largest_batch_size: int | None
    cycles_per_sample: float | None
    what_if: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One batch size: whether it is feasible, how that was found out, and what limits it.

    ``status`` is ``scheduled``, ``estimated`` (from scheduled neighbours; taken to be feasible below the built size,
    known to spill above it) or ``does_not_fit``. ``cycles`` are of one run.
    """

    batch_size: int
    feasible: bool
    status: str
    cycles: int | None
    peak_on_chip_bytes: int | None
    spilled: tuple[str, ...]
    limiting_layer: str
    limiting_tensors: tuple[tuple[str, int], ...]
    reason: str
    levers: tuple[PlannedLever, ...] = ()


@dataclass(frozen=True, slots=True)
class Negotiation:
    """The outcome: the plan to build, its size, the sentence that explains it, and every candidate in order of size."""

    desired: int
    actual: int
    plan: Plan
    reason: str
    candidates: tuple[Candidate, ...]


@dataclass(slots=True)
class _Search:
    """The running state of one negotiation: maps ``at_home`` in DRAM, those that are ``allowed`` to lie there too."""

    segment: Segment
    target: Target
    store: ConstantStore
    stripes: StripeCosts
    at_home: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    plans: dict[int, Plan] = field(default_factory=dict)
    rows: dict[int, Candidate] = field(default_factory=dict)
    overflows: dict[int, Overflow] = field(default_factory=dict)
    repeated: list[int] = field(default_factory=list)


def negotiate(
    segment: Segment, target: Target, desired: int, store: ConstantStore, advance: Callable[[int, int], None]
) -> Negotiation:
    """The largest feasible batch up to ``desired``; ``advance(done, total)`` is called per candidate.

    Raises:
        DoesNotFitError: not even one sample fits.
    """
    stripes = StripeCosts(segment, target.machine, target.quads)
    search = _Search(segment, target, store, stripes, _at_home(segment))
    _start(search)
    fitting = _fitting(search, desired)
    _schedule_some(search, fitting, advance)
    if search.repeated and not _refuse_repeated(search):
        fitting = sorted({*fitting, *search.repeated})
        _schedule_some(search, fitting, advance)
    _schedule_between(search, fitting, _actual(search))
    actual = _actual(search)
    _estimate(search, fitting)
    rows = tuple(search.rows[size] for size in sorted(search.rows))
    return Negotiation(desired, actual, search.plans[actual], _sentence(desired, actual, search.rows), rows)


def _actual(search: _Search) -> int:
    """The largest size that is known to be feasible."""
    return max(size for size, row in search.rows.items() if row.feasible)


def _schedule_some(search: _Search, fitting: Sequence[int], advance: Callable[[int, int], None]) -> None:
    """Plans and rows for the powers of two and the largest size."""
    sizes = _to_schedule(fitting)
    for done, size in enumerate(sizes):
        advance(done, len(sizes))
        if size not in search.rows:
            _try_keeping(search, size)
    advance(len(sizes), len(sizes))
    _judge(search, fitting)


def _refuse_repeated(search: _Search) -> bool:
    """Whether one sample after the other is proven to be no use for any size; the sizes get their rows then."""
    smaller = [row for size, row in search.rows.items() if row.feasible and size < min(search.repeated)]
    best = min(smaller, key=_each)
    least = least_cycles_per_sample(search.segment, search.target, search.allowed, search.stripes)
    if least is not None and least <= _each(best) * TOLERANCE:
        return False
    why = "more maps would spill to DRAM" if least is None else (
        f"each takes at least {least:,} cycles, {100 * (least / _each(best) - 1):.1f} % more than in batch "
        f"{best.batch_size}"
    )  # fmt: skip
    reason = f"the maps of all samples together do not fit on chip; one sample after the other, {why}"
    for size in search.repeated:
        search.rows[size] = Candidate(size, False, "does_not_fit", None, None, (), "", (), reason)
    return True


def _each(row: Candidate) -> float:
    """Cycles per sample of a row that has them."""
    return (row.cycles or 0) / row.batch_size


def _start(search: _Search) -> None:
    """Batch 1 decides which maps may be spilled."""
    first = plan(search.segment, search.target, 1, search.store, None, search.stripes)
    if isinstance(first, Misfit):
        raise DoesNotFitError(
            f"{search.segment.name}: one sample does not fit: {first.sentence()}",
            hint=_what_would_fit(search),
        )
    search.plans[1] = first
    search.allowed = frozenset(first.memory.tiling.spilled) | search.at_home


def _what_would_fit(search: _Search) -> str:
    """Whether more quads are enough for one sample, which is planned for rather than supposed."""
    machine, quads = search.target.machine, search.target.quads
    if quads == machine.quads:
        return f"these are all quads of {machine.name}: the maps of that layer must become smaller"
    whole = replace(search.target, quads=machine.quads)
    if isinstance(plan(search.segment, whole, 1, search.store), Misfit):
        return (
            f"nor does it fit all {machine.quads} quads of {machine.name}: the maps of that layer must become smaller"
        )
    return f"it fits {machine.quads} quads: --quads {machine.quads}, quads={machine.quads}"


def _at_home(segment: Segment) -> frozenset[str]:
    """The maps that are in DRAM whatever the plan: inputs, and outputs that no layer reads."""
    read = {name for layer in segment.layers for name in layer.inputs}
    return frozenset(segment.inputs) | frozenset(segment.outputs) - read


def _spilled(search: _Search, found: Plan) -> tuple[str, ...]:
    return tuple(name for name in found.memory.tiling.spilled if name not in search.at_home)


def _fitting(search: _Search, desired: int) -> list[int]:
    """Sizes that are not proven impossible; the others get their row at once. Sizes of which one sample must follow
    the other are set apart.
    """
    if desired == 1:
        return [1]
    segment, machine, quads = search.segment, search.target.machine, search.target.quads
    together = []
    for size in range(2, desired + 1):
        repeats = sample_by_sample(segment, machine, quads=quads, batch=size)
        (search.repeated if repeats else together).append(size)
    table = DemandTable.of(segment, search.allowed, machine, max(FUSION_LENGTHS))
    # the demand never falls when the batch grows: one size tells all smaller or all larger ones
    fitting = bisect_left(together, True, key=lambda size: _proof(search, table, size) is not None)
    layer: int | None = None
    names = [layer.name for layer in segment.layers]
    for size in together[fitting:]:
        misfit = _proof(search, table, size, layer)
        if misfit is None:
            raise InternalError(f"batch {size} needs less memory than batch {together[fitting]}")
        search.rows[size] = _refused(size, misfit)
        layer = names.index(misfit.where)
    return [1, *together[:fitting]]


def _proof(search: _Search, table: DemandTable, batch: int, layer: int | None = None) -> Misfit | None:
    """A layer (the worst, or the given one) that in every plan needs more on-chip bytes than exist."""
    capacity = search.target.machine.sram_bytes(search.target.quads)
    found = table.worst(batch) if layer is None else table.at(layer, batch)
    if found.bytes <= capacity:
        return None
    return Misfit(search.segment.layers[found.layer].name, found.bytes, capacity, found.maps)


def _to_schedule(fitting: Sequence[int]) -> list[int]:
    """The largest size and every power of two below it."""
    return sorted({fitting[-1]} | {size for size in fitting if size & (size - 1) == 0})


def _try(search: _Search, size: int) -> None:
    """A plan of the size: one that spills where there is no other."""
    found = search.plans.get(size)
    if found is None:
        found = plan(search.segment, search.target, size, search.store, search.allowed, search.stripes)
    if isinstance(found, Misfit):
        search.rows[size] = _refused(size, found)
        return
    extra = sorted(set(found.memory.tiling.spilled) - search.allowed)
    if extra:
        search.rows[size] = _spills(search, size, found, extra)
    else:
        search.plans[size] = found


def _try_keeping(search: _Search, size: int) -> None:
    """The same, but a size that would spill is not planned: what it spills says that it is not feasible."""
    if size in search.plans:
        return
    found = keeping_plan(search.segment, search.target, size, search.store, search.allowed, search.stripes)
    if isinstance(found, Misfit):
        search.rows[size] = _refused(size, found)
    elif isinstance(found, Overflow):
        search.overflows[size] = found
    else:
        search.plans[size] = found


def _judge(search: _Search, sizes: Sequence[int]) -> None:
    """Rows of all planned sizes, from small to large, against the best smaller feasible one."""
    best: tuple[float, int] | None = None
    for size in sorted(size for size in sizes if size in search.plans):
        each = search.plans[size].schedule.runtime / size
        feasible = best is None or each <= best[0] * TOLERANCE
        search.rows[size] = _scheduled(search, size, feasible=feasible, best=best)
        if feasible and (best is None or each < best[0]):
            best = (each, size)


def _schedule_between(search: _Search, fitting: Sequence[int], actual: int) -> None:
    """Sizes above the built one that were thinned out may still be feasible: from the largest down, until one is. The
    smallest above it that would spill is planned whatever it spills: its row is what people ask about.
    """
    for size in reversed(_untried(search, fitting, actual)):
        _try_keeping(search, size)
        if size in search.plans:
            _judge(search, fitting)
            if search.rows[size].feasible:
                break
    spilling = min((size for size in search.overflows if size > _actual(search)), default=None)
    if spilling is not None:
        del search.overflows[spilling]
        _try(search, spilling)


def _untried(search: _Search, fitting: Sequence[int], above: int) -> list[int]:
    """Larger sizes of which nothing is known yet."""
    return [size for size in fitting if size > above and size not in search.rows and size not in search.overflows]


def _estimate(search: _Search, fitting: Sequence[int]) -> None:
    """Sizes that were thinned out lie between two scheduled ones; cycles per sample are interpolated."""
    known = {row.batch_size: row.cycles for row in search.rows.values() if row.status == "scheduled" and row.cycles}
    for size in fitting:
        if size in search.overflows:
            search.rows[size] = _would_spill(search, size)
        elif size not in search.rows:
            low = max(other for other in known if other < size)
            high = min((other for other in known if other > size), default=low)
            share = (size - low) / (high - low) if high > low else 0.0
            cycles = round(known[low] + (known[high] - known[low]) * share)
            reason = f"estimated between the schedules for {low} and {high}"
            search.rows[size] = Candidate(size, True, "estimated", cycles, None, (), "", (), reason)


def _scheduled(search: _Search, size: int, *, feasible: bool, best: tuple[float, int] | None) -> Candidate:
    found = search.plans[size]
    layers = found.schedule.layers
    slowest = max(range(len(layers)), key=lambda index: layers[index].runtime)
    each = found.schedule.runtime / size
    if feasible:
        reason = f"{each:,.0f} cycles per sample"
    else:
        assert best is not None
        reason = f"{each:,.0f} cycles per sample, {100 * (each / best[0] - 1):.1f} % more than batch {best[1]} needs"
    return Candidate(
        size,
        feasible,
        "scheduled",
        found.schedule.runtime,
        found.memory.peak,
        _spilled(search, found),
        search.segment.layers[slowest].name,
        (),
        reason,
    )


def _spills(search: _Search, size: int, found: Plan, extra: Sequence[str]) -> Candidate:
    tensors = {tensor.name: tensor.bytes for tensor in found.memory.tiling.tensors}
    listed = tuple((name, tensors.get(name, 0)) for name in extra)
    return Candidate(
        size,
        False,
        "scheduled",
        found.schedule.runtime,
        found.memory.peak,
        _spilled(search, found),
        "",
        listed,
        f"{_spill_sentence(listed)}; {found.schedule.runtime / size:,.0f} cycles per sample",
    )


def _would_spill(search: _Search, size: int) -> Candidate:
    """The row of a size that was not planned: it is not feasible, whatever its samples would cost."""
    over = search.overflows[size]
    listed = tuple((name, count) for name, count in over.spilled if name not in search.allowed)
    away = tuple(name for name, _ in over.spilled if name not in search.at_home)
    return Candidate(
        batch_size=size,
        feasible=False,
        status="does_not_fit",
        cycles=None,
        peak_on_chip_bytes=None,
        spilled=away,
        limiting_layer="",
        limiting_tensors=listed,
        reason=_spill_sentence(listed),
    )


def _spill_sentence(listed: Sequence[tuple[str, int]]) -> str:
    names = ", ".join(name for name, _ in listed[:3])
    return (
        f"{names}{' and others' if len(listed) > 3 else ''} would spill to DRAM, "
        f"{sum(count for _, count in listed):,} bytes that batch 1 keeps on chip"
    )


def _refused(size: int, misfit: Misfit) -> Candidate:
    return Candidate(
        size,
        False,
        "does_not_fit",
        None,
        None,
        (),
        misfit.where,
        misfit.contributors[:4],
        misfit.sentence(),
    )


def _sentence(desired: int, actual: int, rows: dict[int, Candidate]) -> str:
    if actual == desired:
        return f"batch {desired} fits and is built"
    following = rows.get(actual + 1)
    why = f"; batch {actual + 1} is not: {following.reason}" if following is not None else ""
    return f"batch {actual} is the largest feasible size up to {desired}{why}"

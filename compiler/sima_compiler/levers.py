"""What would help a batch size: each lever is planned with, and says what that gave.

In: the network, what it was compiled for, and the batch that was asked for. Out: a `PlannedLever` for everything that
can be changed. Every one costs a negotiation of its own, so that they are computed on request only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sima_compiler.errors import DoesNotFitError
from sima_compiler.ir.graph import Graph
from sima_compiler.machine.description import LIMITS
from sima_compiler.negotiate import Negotiation, PlannedLever, negotiate
from sima_compiler.pipeline import ConstantStore, Target, lower

#: On-chip memory of the machine that is only supposed. Twice is the step that answers "is it the memory?": where it
#: changes nothing, something else limits the batch.
MEMORY_FACTOR = 2


def planned_levers(
    graph: Graph, target: Target, desired: int, advance: Callable[[int, int], None]
) -> tuple[PlannedLever, ...]:
    """Every lever with what it gave; ``advance(done, total)`` is called per lever."""
    trials = list(_trials(target))
    found: list[PlannedLever] = []
    for done, (text, changed, what_if) in enumerate(trials):
        advance(done, len(trials))
        found.append(_planned(graph, changed, desired, text, what_if=what_if))
    advance(len(trials), len(trials))
    return tuple(found)


def with_levers(found: Negotiation, levers: tuple[PlannedLever, ...]) -> Negotiation:
    """The same outcome; the row of the size that was asked for says what would help it."""
    rows = (replace(row, levers=levers) if row.batch_size == found.desired else row for row in found.candidates)
    return replace(found, candidates=tuple(rows))


def _trials(target: Target) -> Iterator[tuple[str, Target, bool]]:
    """Text, what to plan for, and whether it is another machine."""
    machine, quads = target.machine, target.quads
    if quads < machine.quads:
        yield f"{machine.quads} quads instead of {quads}", replace(target, quads=machine.quads), False
    if not target.compress:
        yield "compressed weights", replace(target, compress=True), False
    per_quad = machine.sram_bytes_per_quad * MEMORY_FACTOR
    if per_quad <= LIMITS["sram_bytes_per_quad"][1]:
        larger = replace(machine, sram_bytes_per_quad=per_quad)
        more, own = larger.sram_bytes(quads), machine.sram_bytes(quads)
        yield f"a machine with {more:,} bytes on chip instead of {own:,}", replace(target, machine=larger), True


def _planned(graph: Graph, target: Target, desired: int, text: str, *, what_if: bool) -> PlannedLever:
    (segment,) = lower(graph, target.machine).segments
    store = ConstantStore(compress=target.compress)
    try:
        found = negotiate(segment, target, desired, store, lambda _done, _total: None)
    except DoesNotFitError:
        return PlannedLever(text, feasible=False, largest_batch_size=None, cycles_per_sample=None, what_if=what_if)
    each = round(found.plan.schedule.runtime / found.actual, 3)
    return PlannedLever(text, found.actual == desired, found.actual, each, what_if)

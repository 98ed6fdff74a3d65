"""What would help a batch size: each lever is planned with, and says what that gave.

In: the network, what it was compiled for, and the batch that was asked for. Out: a `PlannedLever` for everything that
can be changed; one that cannot says why. Every one costs a negotiation of its own, so that they are computed on
request only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sima_compiler.agreement import agree
from sima_compiler.errors import DoesNotFitError, UnsupportedError
from sima_compiler.ir.another_size import FixedSize, smaller
from sima_compiler.ir.graph import Graph
from sima_compiler.machine.description import LIMITS
from sima_compiler.negotiate import Negotiation, PlannedLever
from sima_compiler.pipeline import ConstantStore, Target, lower

#: On-chip memory of the machine that is only supposed. Twice is the step that answers "is it the memory?": where it
#: changes nothing, something else limits the batch.
MEMORY_FACTOR = 2


@dataclass(frozen=True, slots=True)
class _Trial:
    """What to plan, and for what; ``reason`` says why nothing can be. ``what_if``: another machine or network."""

    text: str
    graphs: tuple[Graph, ...]
    target: Target
    what_if: bool = False
    reason: str = ""


def planned_levers(
    graphs: Sequence[Graph], target: Target, desired: int, advance: Callable[[int, int], None]
) -> tuple[PlannedLever, ...]:
    """Every lever with what it gave for all MLA segments; ``advance(done, total)`` is called per lever."""
    trials = [*_trials(tuple(graphs), target), _smaller_input(tuple(graphs), target)]
    found: list[PlannedLever] = []
    for done, trial in enumerate(trials):
        advance(done, len(trials))
        found.append(_planned(trial, desired))
    advance(len(trials), len(trials))
    return tuple(found)


def with_levers(found: Negotiation, levers: tuple[PlannedLever, ...]) -> Negotiation:
    """The same outcome; the row of the size that was asked for says what would help it."""
    rows = (replace(row, levers=levers) if row.batch_size == found.desired else row for row in found.candidates)
    return replace(found, candidates=tuple(rows))


def _trials(graphs: tuple[Graph, ...], target: Target) -> Iterator[_Trial]:
    """The same network: compiled differently, or for a machine that is only supposed."""
    machine, quads = target.machine, target.quads
    if quads < machine.quads:
        yield _Trial(f"{machine.quads} quads instead of {quads}", graphs, replace(target, quads=machine.quads))
    if not target.compress:
        yield _Trial("compressed weights", graphs, replace(target, compress=True))
    per_quad = machine.sram_bytes_per_quad * MEMORY_FACTOR
    if per_quad <= LIMITS["sram_bytes_per_quad"][1]:
        larger = replace(machine, sram_bytes_per_quad=per_quad)
        more, own = larger.sram_bytes(quads), machine.sram_bytes(quads)
        text = f"a machine with {more:,} bytes on chip instead of {own:,}"
        yield _Trial(text, graphs, replace(target, machine=larger), what_if=True)


def _smaller_input(graphs: tuple[Graph, ...], target: Target) -> _Trial:
    """The same layers on smaller maps: another network to export, so that it is a what-if too."""
    found = smaller(graphs[0]) if len(graphs) == 1 else FixedSize(f"the MLA has {len(graphs)} segments")
    if isinstance(found, FixedSize):
        return _Trial(
            "an input of half the rows and columns",
            graphs,
            target,
            what_if=True,
            reason=f"cannot be planned: {found.reason}",
        )
    small, before, after = found
    text = f"an input of {after.rows} x {after.columns} instead of {before.rows} x {before.columns}"
    return _Trial(text, (small,), target, what_if=True)


def _planned(trial: _Trial, desired: int) -> PlannedLever:
    """What negotiating gives; a lever that cannot be planned says why."""
    none = PlannedLever(trial.text, feasible=False, largest_batch_size=None, cycles_per_sample=None,
                        what_if=trial.what_if, reason=trial.reason)  # fmt: skip
    if trial.reason:
        return none
    try:
        segments = [lower(graph, trial.target.machine).segments[0] for graph in trial.graphs]
        store = ConstantStore(compress=trial.target.compress)
        found = agree(segments, trial.target, desired, store, lambda _done, _total: None)
    except (DoesNotFitError, UnsupportedError) as error:
        return replace(none, reason=error.message)
    actual = found.whole.actual
    return PlannedLever(trial.text, actual == desired, actual, round(found.runtime / actual, 3), trial.what_if)

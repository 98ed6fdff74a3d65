"""A View short enough to be kept inside a notebook: the costliest rows, and sentences that say what is not there.

In: a `View`. Out: a `View` with at most so many layers, lanes' events and buffers. Always holds: totals, causes and the
peak are those of the whole network; every table that lost rows is named in ``left_out`` with what was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sima_compiler.archive.report_records import BatchCandidate, MemoryBuffer, Placement
from sima_compiler.errors import OptionError
from sima_compiler.view import units
from sima_compiler.view.records import Event, FileRow, Layer, Link, Plugin, View
from sima_compiler.view.tables import Table

#: Layers that a saved output holds.
MOST_LAYERS = 2000
#: Events and buffers: so many, and so many more for each layer. A buffer takes 26 bytes of a saved output, a layer 450
#: in all: ResNet-50 at batch 8 has 56 layers and 252 buffers, of which those below a few KiB are not drawn
#: anyway; a U-Net that runs in hundreds of stripes has 24 layers and 750.
MOST_EVENTS = (140, 4)
MOST_BUFFERS = (40, 2)
#: Rows of the batch negotiation.
MOST_CANDIDATES = 64
_SEE_ALL = "the report written with --html holds all"

Row = TypeVar("Row")


def saved_view(view: View) -> View:
    """The View for a saved output; itself where it is short enough."""
    layers = _costliest(view.layers, MOST_LAYERS)
    kept = {layer.id for layer in layers}
    whole = len(layers) == len(view.layers)
    most = MOST_EVENTS[0] + MOST_EVENTS[1] * len(layers)
    events = merged_events([event for event in view.events if whole or event.layer in kept], most)
    events = _longest(events, most)
    memory = _largest(view.memory_map, MOST_BUFFERS[0] + MOST_BUFFERS[1] * len(layers))
    candidates = _telling(view)
    sentences = [
        _layers_sentence(view, layers),
        _sentence(
            len(view.events) - len(events), len(view.events), "stretches of work are joined with others or left out"
        ),
        _sentence(len(view.memory_map) - len(memory), len(view.memory_map), "smaller buffers are left out of the map"),
        _sentence(len(view.candidates) - len(candidates), len(view.candidates), "batch sizes are not listed"),
    ]
    left_out = tuple(sentence for sentence in sentences if sentence)
    if not left_out:
        return view
    return replace(
        view,
        layers=layers,
        events=Table.of(Event, events),
        memory_map=memory,
        candidates=candidates,
        placements=view.placements if whole else _placements(view.placements, layers),
        left_out=left_out,
    )


def explorer_view(view: View) -> View:
    """What the explorer shows of a View: the static form beside it has candidates, files and pipeline."""
    empty: dict[str, Any] = {
        "candidates": Table.of(BatchCandidate, ()),
        "placements": Table.of(Placement, ()),
        "files": Table.of(FileRow, ()),
        "plugins": Table.of(Plugin, ()),
        "links": Table.of(Link, ()),
    }
    return replace(view, palette=replace(view.palette, roles=(), statuses=(), processors=()), **empty)


def first_layers(view: View, count: int, *, longest: bool = False) -> View:
    """The View with the first ``count`` layers of the schedule, or the costliest, and a sentence about the rest.

    Raises:
        OptionError: ``count`` is below 1.
    """
    if count < 1:
        raise OptionError(f"{count} layers: must be at least 1")
    if count >= len(view.layers):
        return view
    layers = _costliest(view.layers, count) if longest else _rows(view.layers, np.arange(count))
    kept = {layer.id for layer in layers}
    rest = units.count(int(_cycles(view.layers).sum() - _cycles(layers).sum()))
    lost = units.count(len(view.layers) - len(layers))
    return replace(
        view,
        layers=layers,
        events=Table.of(Event, [event for event in view.events if event.layer in kept]),
        left_out=(f"{lost} of {units.count(len(view.layers))} layers are not asked for, {rest} cycles together.",),
    )


def merged_events(events: Sequence[Event], most: int) -> list[Event]:
    """Fewer events: neighbours of one engine and layer become one across ever larger gaps, until at most ``most`` are
    left or none can be joined.
    """
    found, gap = list(events), 1
    longest = max((event.end_cycle for event in events), default=0)
    while len(found) > most and gap <= longest:
        found = _joined(found, gap)
        gap *= 2
    return found


def _longest(events: list[Event], most: int) -> list[Event]:
    """Where transfers of many layers take turns, joining is not enough: the longest stay, in their own order."""
    lengths = np.array([event.end_cycle - event.start_cycle for event in events], np.int64)
    kept = np.sort(np.argsort(-lengths, kind="stable")[:most])
    return [events[index] for index in kept.tolist()]


def _joined(events: Sequence[Event], gap: int) -> list[Event]:
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if last is None or (last.engine, last.layer) != (event.engine, event.layer):
            joined.append(event)
        elif event.start_cycle - last.end_cycle - 1 <= gap:
            joined[-1] = replace(last, end_cycle=max(last.end_cycle, event.end_cycle))
        else:
            joined.append(event)
    return joined


def _costliest(layers: Table[Layer], most: int) -> Table[Layer]:
    """The layers that take most cycles, in their own order."""
    if len(layers) <= most:
        return layers
    return _rows(layers, np.sort(np.argsort(-_cycles(layers), kind="stable")[:most]))


def _largest(buffers: Table[MemoryBuffer], most: int) -> Table[MemoryBuffer]:
    if len(buffers) <= most:
        return buffers
    sizes = buffers.columns["bytes"].values
    ends = buffers.columns["address"].values + sizes
    at_peak = ends == ends.max()  # what makes the peak stays, however small it is
    order = np.lexsort((-sizes, ~at_peak))
    return _rows(buffers, np.sort(order[:most]))


def _telling(view: View) -> Table[BatchCandidate]:
    """At most `MOST_CANDIDATES` batch sizes: those around the built one, and others at even distances."""
    count, rows = len(view.candidates), view.candidates
    if count <= MOST_CANDIDATES:
        return rows
    sizes = rows.columns["batch_size"].values
    near = np.argsort(np.abs(sizes - (view.batch.actual_batch_size or 1)), kind="stable")[: MOST_CANDIDATES // 2]
    even = np.linspace(0, count - 1, MOST_CANDIDATES - len(near)).round().astype(np.int64)
    return _rows(rows, np.unique(np.concatenate([near, even])))


def _placements(placements: Table[Placement], layers: Table[Layer]) -> Table[Placement]:
    """Those of the layers that are kept."""
    kept = {source for layer in layers for source in layer.sources}
    return Table.of(Placement, [row for row in placements if row.node in kept])


def _rows(table: Table[Row], chosen: npt.NDArray[Any]) -> Table[Row]:
    return Table.of(table.row, [table[index] for index in chosen.tolist()])


def _cycles(layers: Table[Layer]) -> npt.NDArray[Any]:
    """Cycles of every layer, with stalls where they are recorded; 0 where none are."""
    column = layers.columns.get("runtime_cycles") or layers.columns.get("compute_cycles")
    return np.zeros(len(layers), np.int64) if column is None else np.maximum(column.values, 0)


def _layers_sentence(view: View, kept: Table[Layer]) -> str:
    if len(kept) == len(view.layers):
        return ""
    rest = int(_cycles(view.layers).sum() - _cycles(kept).sum())
    lost, count = units.count(len(view.layers) - len(kept)), units.count(len(view.layers))
    return f"{lost} of {count} layers are not in this output, {units.count(rest)} cycles together; {_SEE_ALL}."


def _sentence(lost: int, count: int, what: str) -> str:
    return f"{units.count(lost)} of {units.count(count)} {what}; {_SEE_ALL}." if lost else ""

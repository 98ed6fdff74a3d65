"""A View short enough to be kept inside a notebook, and sentences that say what is not there.

In: a `View` and `Limits`. Out: a `View` with at most so many layers, events, buffers, rows and letters. Always holds:
totals, causes and the peak are those of the whole network; every table that lost rows is named in ``left_out`` with
what was lost. How many bytes come of it depends on names, so `sima_compiler.view.fitting` picks the limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sima_compiler.archive.report_records import BatchCandidate, MemoryBuffer, Placement
from sima_compiler.errors import OptionError
from sima_compiler.view import units
from sima_compiler.view.folding import folded
from sima_compiler.view.records import Event, FileRow, Label, Layer, Link, Palette, Plugin, View
from sima_compiler.view.shortening import Lengths, shortened
from sima_compiler.view.tables import Column, Table

#: Layers that a saved output holds.
MOST_LAYERS = 2000
_SEE_ALL = "the report written with --html holds all"

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a View may hold besides its layers; a pair is so many, and so many more for each layer.

    A buffer takes 26 bytes of a saved output, a layer 450 in all: ResNet-50 at batch 8 has 56 layers and 252 buffers,
    of which those below a few KiB are not drawn anyway; a U-Net that runs in hundreds of stripes has 24 layers and 750.
    ``rows``: of every other table, batch sizes that say the same being one, and of every list of sentences. ``lengths``
    of texts and of the lists inside a row, None for any. ``plain``: whether the plain form says all that the HTML
    beside it says; else it has the facts alone.
    """

    events: tuple[int, int] = (140, 4)
    buffers: tuple[int, int] = (40, 2)
    rows: int = 512
    lengths: Lengths | None = None
    plain: bool = True


def saved_view(view: View, limits: Limits | None = None) -> View:
    """The View for a saved output; itself where it is short enough."""
    most = limits or Limits()
    layers = _costliest(view.layers, MOST_LAYERS)
    whole = len(layers) == len(view.layers)
    events = _events(view, layers, most)
    memory = _largest(view.memory_map, _most(most.buffers, layers))
    candidates = _telling(view, most.rows)
    rows, lost = _other_rows(view, most.rows)
    sentences = [
        _layers_sentence(view, layers),
        _sentence(
            len(view.events) - len(events), len(view.events), "stretches of work are joined with others or left out"
        ),
        _sentence(len(view.memory_map) - len(memory), len(view.memory_map), "smaller buffers are left out of the map"),
        _not_listed([_of(len(view.candidates) - len(candidates), len(view.candidates), "batch sizes"), *lost]),
    ]
    kept = replace(
        view,
        layers=layers,
        events=Table.of(Event, events) if len(events) < len(view.events) else view.events,
        memory_map=memory,
        candidates=candidates,
        placements=rows["placements"] if whole else _placements(rows["placements"], layers),
        **{name: value for name, value in rows.items() if name != "placements"},
    )
    kept, told = _with_lengths(kept, most.lengths)
    left_out = tuple(sentence for sentence in (*sentences, told) if sentence)
    return replace(kept, left_out=left_out) if left_out else view


def _most(limit: tuple[int, int], layers: Table[Layer]) -> int:
    return limit[0] + limit[1] * len(layers)


def _events(view: View, layers: Table[Layer], limits: Limits) -> list[Event]:
    """The longest stretches of the layers that are kept, neighbours joined where there are too many."""
    kept = {layer.id for layer in layers}
    most = _most(limits.events, layers)
    events = [event for event in view.events if len(layers) == len(view.layers) or event.layer in kept]
    return _longest(merged_events(events, most), most)


#: Tables and lists of sentences that are cut alike: the first rows stay. Name of the field -> what its rows are.
_LISTED = {
    "files": "files",
    "plugins": "plugins",
    "links": "links between plugins",
    "placements": "placements",
    "findings": "pieces of advice",
    "warnings": "warnings",
    "left_to_host": "operators left to the host",
    "not_recorded": "notes on what is not recorded",
}


def _other_rows(view: View, most: int) -> tuple[dict[str, Any], list[str]]:
    """The first rows of every other table, and what was lost of each."""
    rows: dict[str, Any] = {}
    for name in _LISTED:
        value: Any = getattr(view, name)
        rows[name] = value if len(value) <= most else _first(value, most)
    plugins = len(rows["plugins"])
    if plugins < len(view.plugins):
        ends = [link for link in view.links if max(link.source or 0, link.target or 0) < plugins]
        rows["links"] = Table.of(Link, ends[:most])
    lost = [
        _of(count - len(rows[name]), count, what)
        for name, what in _LISTED.items()
        if (count := len(getattr(view, name)))
    ]
    return rows, lost


def _first(rows: Any, most: int) -> Any:
    if not isinstance(rows, Table):
        return rows[:most]
    if rows.row is Placement:  # those on the MLA are not shown
        return Table.of(Placement, sorted(rows, key=lambda row: row.processor == "MLA")[:most])
    return _rows(rows, np.arange(most))


def _with_lengths(view: View, lengths: Lengths | None) -> tuple[View, str]:
    """Texts and lists as short as ``lengths`` says, and the sentence that says so."""
    short = view if lengths is None else shortened(view, lengths)
    if short is view or lengths is None:
        return view, ""
    return (
        short,
        f"Names longer than {units.count(lengths.letters)} letters, long sentences and lists are cut; {_SEE_ALL}.",
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
    return replace(
        view,
        palette=_used(view),
        path="",
        wordings={key: text for key, text in view.wordings.items() if key not in _unsaid(view)},
        batch=replace(view.batch, reason="", sentence="", why_not_more="", why_not_faster="", would_help=()),
        left_to_host=(),
        host_sentence="",
        warnings=(),
        **empty,
    )


def _unsaid(view: View) -> set[str]:
    """Wordings that the explorer of this View has no place for."""
    there = {"no_stats": view.layers, "no_memory_map": view.memory_map, "no_events": view.events}
    return _WORDS_OF_OTHERS | {key for key, rows in there.items() if rows}


def _used(view: View) -> Palette:
    """The labels that something in the explorer has; causes stay, for cycles follow their order."""

    def known(labels: tuple[Label, ...], column: Column | None) -> tuple[Label, ...]:
        texts = set() if column is None else set(column.texts)
        return tuple(label for label in labels if label.key in texts)

    layers, found = view.layers.columns, view.palette
    return replace(
        found,
        families=known(found.families, layers.get("family")),
        bounds=known(found.bounds, layers.get("bound_by")),
        buffers=known(found.buffers, view.memory_map.columns.get("kind")),
        roles=(),
        statuses=(),
        processors=(),
    )


#: Wordings of the static form, and of the views of batch sizes and archives.
_WORDS_OF_OTHERS = {
    *("clock_assumed", "cycles_run", "cycles_static", "levers_not_planned", "no_candidates", "run", "unknown_batch"),
}


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


def _telling(view: View, most: int) -> Table[BatchCandidate]:
    """All batch sizes, or those of at most so many rows: around the built one, and others at even distances."""
    groups = folded(view)
    count, rows = len(groups), view.candidates
    if count <= most:
        return rows
    firsts = np.array([group.first.batch_size for group in groups])
    near = np.argsort(np.abs(firsts - (view.batch.actual_batch_size or 1)), kind="stable")[: (most + 1) // 2]
    even = np.linspace(0, count - 1, most - len(near)).round().astype(np.int64)
    kept = [groups[index] for index in np.unique(np.concatenate([near, even])).tolist()]
    sizes = {size for group in kept for size in range(group.first.batch_size, group.last.batch_size + 1)}
    return Table.of(BatchCandidate, [row for row in rows if row.batch_size in sizes])


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
    return f"{_of(lost, count, what)}; {_SEE_ALL}." if lost else ""


def _not_listed(parts: Sequence[str]) -> str:
    found = [part for part in parts if part]
    return f"Not listed: {', '.join(found)}; {_SEE_ALL}." if found else ""


def _of(lost: int, count: int, what: str) -> str:
    return f"{units.count(lost)} of {units.count(count)} {what}" if lost else ""

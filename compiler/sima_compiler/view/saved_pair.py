"""A comparison short enough to be kept inside a notebook: the costliest layers of both sides, in matching rows.

In: a `Comparison`. Out: a `Comparison`. Always holds: totals, files and notes are those of the whole networks; where
rows are left out, ``left_out`` of the Views counts all of them; ``before_row`` and ``after_row`` are rows of the
shortened Views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sima_compiler.archive.report_records import BatchCandidate, MemoryBuffer, Placement
from sima_compiler.view import units
from sima_compiler.view.compare import Comparison, LayerChange
from sima_compiler.view.compare_text import layers_sentence
from sima_compiler.view.records import Event, FileRow, Layer, Link, Plugin, View
from sima_compiler.view.saved import MOST_LAYERS, Limits
from sima_compiler.view.shortening import shortened
from sima_compiler.view.tables import Table


def saved_comparison(found: Comparison, limits: Limits | None = None) -> Comparison:
    """The comparison for a saved output: tables that it does not show are empty."""
    most = limits or Limits()
    order = sorted(range(len(found.layers)), key=lambda index: -_weight(found.layers[index]))
    kept = [found.layers[index] for index in sorted(order[:MOST_LAYERS])]
    lost = len(found.layers) - len(kept)
    sentence = f"{layers_sentence(found)}; the {units.count(lost)} with the fewest cycles are not in this output."
    files = len(found.files) - most.rows
    others_lost = f"{units.count(files)} of {units.count(len(found.files))} files are not listed."
    left_out = (*((sentence,) if lost else ()), *((others_lost,) if files > 0 else ()))
    rows = [row.before_row for row in kept if row.before_row is not None]
    others = [row.after_row for row in kept if row.after_row is not None]
    places, other_places = _places(rows), _places(others)
    layers = tuple(
        replace(row, before_row=places.get(row.before_row), after_row=other_places.get(row.after_row)) for row in kept
    )
    before = _shortened(found.before, sorted(rows), left_out)
    after = _shortened(found.after, sorted(others), left_out)
    kept = replace(found, before=before, after=after, layers=layers, files=found.files[: most.rows])
    return kept if most.lengths is None else shortened(kept, most.lengths)


def _weight(row: LayerChange) -> int:
    return max(row.before or 0, row.after or 0)


def _places(rows: Sequence[int]) -> dict[int | None, int]:
    """Row of the whole View -> row of the shortened one."""
    return {row: place for place, row in enumerate(sorted(rows))}


def _shortened(view: View, rows: Sequence[int], left_out: tuple[str, ...]) -> View:
    empty: dict[str, Any] = {
        "events": Table.of(Event, ()),
        "memory_map": Table.of(MemoryBuffer, ()),
        "candidates": Table.of(BatchCandidate, ()),
        "placements": Table.of(Placement, ()),
        "files": Table.of(FileRow, ()),
        "findings": (),
        "plugins": Table.of(Plugin, ()),
        "links": Table.of(Link, ()),
    }
    layers = view.layers if len(rows) == len(view.layers) else Table.of(Layer, [view.layers[row] for row in rows])
    return replace(view, layers=layers, left_out=left_out, **empty)

"""What a notebook keeps: the costliest layers, whole totals, and a sentence for everything that is not there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sima_compiler import MlaStats
from sima_compiler.archive.report_records import BatchCandidate, MemoryBuffer
from sima_compiler.view.folding import folded
from sima_compiler.view.reading import view_of_path, view_of_stats
from sima_compiler.view.records import Event, FileRow
from sima_compiler.view.saved import (
    MOST_LAYERS,
    Limits,
    explorer_view,
    merged_events,
    saved_view,
)
from sima_compiler.view.tables import Table

VIEWS = Path(__file__).parents[2] / "labextension" / "src" / "views"
#: Those that are given more than `explorer_view` leaves.
OTHER_VIEWS = {"summary", "batch", "report_parts"}
SAMPLE = Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_mpk.tar.gz"


def test_a_short_view_stays_as_it_is() -> None:
    view = view_of_path(SAMPLE)
    assert saved_view(view) is view


def test_the_costliest_layers_stay_and_the_rest_is_counted() -> None:
    lengths = np.arange(1, MOST_LAYERS + 51)
    ends = np.cumsum(lengths) - 1
    names = [f"MLA_0/conv_{index}" for index in range(len(lengths))]
    view = view_of_stats(MlaStats.from_columns(np.arange(1, len(lengths) + 1), names, ends - lengths + 1, ends))
    saved = saved_view(view)
    assert [layer.id for layer in saved.layers] == list(range(51, MOST_LAYERS + 51))
    assert saved.totals == view.totals
    (sentence,) = saved.left_out
    assert re.search(r"50 of 2,050 layers .* 1,275 cycles together", sentence)


def test_the_map_keeps_its_peak() -> None:
    most = Limits().buffers[0] + 4 * Limits().buffers[1]
    rows = [MemoryBuffer(f"b{i}", "activation", 0, 100 + i, "MLA_0", 0, 0) for i in range(most)]
    peak = MemoryBuffer("peak", "activation", 10_000, 1, "MLA_0", 0, 0)
    saved = saved_view(replace(view_of_path(SAMPLE), memory_map=Table.of(MemoryBuffer, [peak, *rows])))
    assert len(saved.memory_map) == most
    assert saved.memory_map[0] == peak
    assert "b0" not in {row.name for row in saved.memory_map}
    assert saved.left_out == (
        f"1 of {most + 1} smaller buffers are left out of the map; the report written with --html holds all.",
    )


def test_a_thousand_batch_sizes_keep_the_built_one_and_its_neighbours() -> None:
    rows = [BatchCandidate(size, size <= 300, limiting_layer=f"conv_{size}") for size in range(1, 1001)]
    view = view_of_path(SAMPLE)
    batch = replace(view.batch, actual_batch_size=300)
    view = replace(view, batch=batch, candidates=Table.of(BatchCandidate, rows))
    saved = saved_view(view, Limits(rows=64))
    sizes = [row.batch_size for row in saved.candidates]
    assert len(sizes) <= 64
    assert {1, 299, 300, 301, 1000} <= set(sizes)
    assert sizes == sorted(sizes)
    assert saved.left_out == (
        f"Not listed: {1000 - len(sizes)} of 1,000 batch sizes; the report written with --html holds all.",
    )


def test_batch_sizes_that_say_the_same_are_one_row_of_the_limit() -> None:
    """Rows left out in between would tear "301 to 1000" into hundreds of rows."""
    rows = [BatchCandidate(size, size <= 300, reason=f"{size} cycles") for size in range(1, 1001)]
    view = view_of_path(SAMPLE)
    batch = replace(view.batch, actual_batch_size=300)
    rows_of_others = {"files": Table.of(FileRow, ()), "not_recorded": (), "findings": ()}
    view = replace(view, batch=batch, candidates=Table.of(BatchCandidate, rows), **rows_of_others)
    assert len(saved_view(view, Limits(rows=3)).candidates) == 1000
    assert [row.sizes for row in folded(view)] == ["1 to 299", "300", "301 to 1000"]
    kept = saved_view(view, Limits(rows=2))
    assert [row.sizes for row in folded(kept)] == ["1 to 299", "300"]


def test_what_the_explorer_does_not_show_does_not_travel_with_it() -> None:
    view = view_of_path(SAMPLE)
    short = explorer_view(view)
    assert (short.layers, short.events, short.memory_map) == (view.layers, view.events, view.memory_map)
    assert (short.totals, short.findings, short.not_recorded) == (view.totals, view.findings, view.not_recorded)
    assert short.wordings.items() <= view.wordings.items()
    explorer = "".join(path.read_text("utf-8") for path in VIEWS.glob("*.ts*") if path.stem not in OTHER_VIEWS)
    said = set(re.findall(r'wordings\["(\w+)"\]', explorer))
    assert said - {"no_stats", "no_memory_map", "no_events"} <= set(short.wordings)
    assert said <= set(explorer_view(view_of_stats(MlaStats.from_columns([], [], [], []))).wordings)
    assert not any(map(len, (short.candidates, short.files, short.plugins, short.links, short.placements)))


EVENTS = st.lists(st.tuples(st.sampled_from(["compute", "dma_in"]), st.integers(1, 2), st.integers(0, 9)), max_size=60)


@given(EVENTS, st.integers(1, 20))
def test_merged_events_cover_the_same_cycles_and_more(steps: list[tuple[str, int, int]], most: int) -> None:
    clock, events = 0, list[Event]()
    for engine, layer, gap in sorted(steps, key=lambda step: step[0]):
        events.append(Event(engine, layer, clock + gap, clock + gap + 1))
        clock += gap + 2
    merged = merged_events(events, most)
    owners = [(event.engine, event.layer) for event in events]
    runs = sum(before != after for before, after in zip([None, *owners], owners, strict=False))
    assert len(merged) <= max(most, runs)
    for event in events:
        assert any(
            (m.engine, m.layer) == (event.engine, event.layer)
            and m.start_cycle <= event.start_cycle
            and event.end_cycle <= m.end_cycle
            for m in merged
        )


def test_many_events_become_few() -> None:
    view = view_of_path(SAMPLE)
    events = [Event("dma_in", 1, 10 * index, 10 * index + 4) for index in range(5000)]
    saved = saved_view(replace(view, events=Table.of(Event, events)))
    assert len(saved.events) <= Limits().events[0] + Limits().events[1] * len(view.layers)
    assert (saved.events[0].start_cycle, saved.events[-1].end_cycle) == (0, 49_994)
    assert len(saved.left_out) == 1


def test_of_layers_that_take_turns_the_longest_stretches_stay() -> None:
    view = view_of_path(SAMPLE)
    most = Limits().events[0] + Limits().events[1] * len(view.layers)
    turns = [Event("dma_in", 1 + index % 2, 10 * index, 10 * index + index % 7) for index in range(most + 100)]
    saved = saved_view(replace(view, events=Table.of(Event, turns)))
    assert len(saved.events) == most
    assert min(event.end_cycle - event.start_cycle for event in saved.events) >= 1
    assert [event.start_cycle for event in saved.events] == sorted(event.start_cycle for event in saved.events)

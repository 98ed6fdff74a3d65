"""A saved output of any network takes at most 60 kB and 450 bytes for each layer, and says what it lacks."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sima_compiler import Archive
from sima_compiler.archive.report_records import (
    BatchCandidate,
    Lever,
    LimitingTensor,
    MemoryBuffer,
    Placement,
    TensorBytes,
)
from sima_compiler.view import view_of_path
from sima_compiler.view.compare import compare_views
from sima_compiler.view.fitting import LEVELS, saved_bytes
from sima_compiler.view.folding import answered
from sima_compiler.view.html.layers import layers_html
from sima_compiler.view.page import output_forms
from sima_compiler.view.records import Event, FileRow, Finding, Layer, Link, Plugin, Port, View
from sima_compiler.view.saved import saved_view
from sima_compiler.view.shortening import Lengths, short_text, shortened
from sima_compiler.view.tables import Table
from sima_nb import ArchiveTree, BatchNegotiation, Comparison, StatsExplorer, Summary
from sima_nb.widgets.base import ViewWidget

SAMPLE = Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_mpk.tar.gz"
ARCHIVE = Archive.open(SAMPLE)
WIDGETS: tuple[type[ViewWidget], ...] = (StatsExplorer, ArchiveTree, BatchNegotiation)


def in_a_notebook(forms: Any) -> int:
    """Bytes that an output takes in a notebook's file, without the file's own layout."""
    return len(json.dumps(forms, ensure_ascii=False).encode())


def crowded(layers: int, rows: int, letters: int, seed: int = 0) -> View:
    """A View with so many layers and rows of every kind, no two alike, named by letters that do not compress."""
    random_ = random.Random(seed)

    def name() -> str:
        return "".join(random_.choices('abcdefghijklmnopqrstuvwxyz0123456789/_.<&"é', k=letters))

    view = view_of_path(SAMPLE)
    found = [
        replace(view.layers[index % len(view.layers)], id=index + 1, name=name(), start_cycle=100 * index,
                end_cycle=100 * index + 99, sources=tuple(name() for _ in range(index % 9 + 1)), inputs=(name(),),
                output=name(), placement=name())
        for index in range(layers)
    ]  # fmt: skip
    candidates = [
        BatchCandidate(size, size < rows // 2, "scheduled", 1000 * size, 100, 99.0 / size, 1e6 / size, name(),
                       tuple(LimitingTensor(name(), size) for _ in range(size % 7)), (name(),), f"needs {name()}",
                       (Lever(name()),))
        for size in range(1, rows + 1)
    ]  # fmt: skip
    ports = [Port(name(), size) for size in range(rows % 30)]
    view = replace(
        view,
        name=name(), path=name(),
        layers=Table.of(Layer, found),
        segments=tuple(replace(part, spilled=(TensorBytes(name(), 9),) * rows) for part in view.segments),
        events=Table.of(Event, [Event("dma_in", 1 + at % layers, 9 * at, 9 * at + at % 7) for at in range(20 * rows)]),
        memory_map=Table.of(MemoryBuffer, [MemoryBuffer(name(), "activation", 99 * at, 9, "MLA_0", at, at + 3)
                                           for at in range(3 * rows)]),
        candidates=Table.of(BatchCandidate, candidates),
        placements=Table.of(Placement, [Placement(name(), "A65", name()) for _ in range(rows)]),
        files=Table.of(FileRow, [FileRow(name(), 10 * at, "other") for at in range(rows)]),
        plugins=Table.of(Plugin, [Plugin(at, name(), "EV74", name(), inputs=tuple(ports)) for at in range(rows)]),
        links=Table.of(Link, [Link(name(), at, None if at == rows - 1 else at + 1) for at in range(rows)]),
        findings=tuple(Finding("spills", name(), f"It is {name()}.", name(), 9, layers=(1,)) for _ in range(rows)),
        warnings=tuple(f"beware of {name()}" for _ in range(rows)),
        left_to_host=tuple(name() for _ in range(rows)),
        host_sentence=f"Left to the host: {name()}",
        not_recorded=tuple(name() for _ in range(rows)),
    )  # fmt: skip
    return replace(view, batch=answered(view))


def all_forms(view: View) -> list[Any]:
    pair = compare_views(view, replace(view, name="other"))
    return [
        output_forms(view),
        *(kind(Summary(ARCHIVE, view))._repr_mimebundle_()[0] for kind in WIDGETS),
        Comparison(pair.before, pair.after)._repr_mimebundle_()[0],
    ]


CROWDS = [(1, 1, 5000), (1, 150, 3), (4, 64, 30), (17, 100, 200), (16, 8, 5000)]


@pytest.mark.parametrize(("layers", "rows", "letters"), CROWDS)
def test_no_output_is_longer_than_its_layers_allow(layers: int, rows: int, letters: int) -> None:
    for forms in all_forms(crowded(layers, rows, letters)):
        size = in_a_notebook(forms)
        assert size <= 60_000 + 450 * min(layers, 2000), list(forms)
        assert saved_bytes(forms) >= size, "what is measured is what is written"


def test_two_thousand_layers_with_long_names_fit() -> None:
    forms, _ = StatsExplorer(crowded(2010, 8, 60))._repr_mimebundle_()
    assert in_a_notebook(forms) <= 60_000 + 450 * 2000
    assert forms["text/html"].count("<tr>") > 2000


def test_what_is_lost_is_said_and_what_fits_is_whole() -> None:
    whole = view_of_path(SAMPLE)
    assert output_forms(whole)["text/html"].count("Not listed") == 0
    html = output_forms(crowded(4, 150, 30))["text/html"]
    for what in ("batch sizes", "files", "plugins", "pieces of advice", "warnings", "placements"):
        assert re.search(f"Not listed: [^<]* of 150 {what}[^<]*; the report written with --html holds all", html)
    assert "letters, long sentences and lists are cut" in html


def test_later_levels_hold_no_more() -> None:
    view = crowded(20, 100, 40)
    sizes = [saved_bytes({"": str(saved_view(view, limits).layers[0])}) for limits in LEVELS]
    rows = [len(saved_view(view, limits).files) for limits in LEVELS]
    assert (sizes, rows) == (sorted(sizes, reverse=True), sorted(rows, reverse=True))


def test_links_name_plugins_that_are_there() -> None:
    for limits in LEVELS:
        kept = saved_view(crowded(4, 100, 5), limits)
        assert all(max(link.source or 0, link.target or 0) < len(kept.plugins) for link in kept.links)


@given(st.text(max_size=40), st.integers(3, 30))
def test_a_short_text_keeps_both_ends(text: str, letters: int) -> None:
    short = short_text(text, letters)
    assert len(short) == min(len(text), letters)
    if short != text:
        before, after = short.split("…", 1) if text.count("…") == 0 else (short[0], short[-1])
        assert text.startswith(before)
        assert text.endswith(after)


def test_shortening_leaves_what_is_short_and_counts_what_is_not() -> None:
    view = view_of_path(SAMPLE)
    assert shortened(view, Lengths(1000, 64)) is view
    layer = replace(view.layers[0], sources=tuple(f"node_{index}" for index in range(500)))
    (short,) = shortened(Table.of(Layer, [layer]), Lengths(60, 2))
    assert short == replace(layer, sources=("node_0", "node_1", "and 498 more"))
    assert "node_0, node_1, and 498 more" in layers_html(replace(view, layers=Table.of(Layer, [short])))
    noted = shortened(replace(view, warnings=("w" * 50,) * 100), Lengths(20, 2))
    assert (len(noted.warnings), noted.warnings[-1]) == (13, "and 88 more")
    assert shortened(view, Lengths(4, 1)).palette is view.palette

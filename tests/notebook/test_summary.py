"""The summary in its three forms: values, text, HTML; also of archives that other compilers wrote."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sima_compiler import Archive, MlaStats, OutputError
from sima_compiler.archive.report_records import BatchCandidate, Lever, LimitingTensor
from sima_compiler.view.details import layer_share
from sima_compiler.view.html.gantt import MAX_ROWS
from sima_compiler.view.html.summary import summary_html
from sima_compiler.view.reading import view_of, view_of_stats
from sima_compiler.view.records import Batch, FileRow, Layer, Link, Plugin, Totals, View, ViewMachine
from sima_compiler.view.tables import Table
from sima_compiler.view.text import view_text
from sima_nb import Summary, write_html
from sima_nb.display import figure_bundle
from tests.support.archives import mpk_document, stats_text, vendor_archive, write_archive

VOID = {"meta", "input", "br"}
ALLOWED = {
    *("html", "head", "meta", "title", "body", "main", "style", "div", "header", "section", "figure", "figcaption"),
    *("h3", "h4", "p", "span", "code", "b", "small", "dl", "dt", "dd", "ul", "li", "input", "label"),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "g", "rect", "text"),
}
EVIL = "\"><img src=x onerror=alert(1)><script>alert(2)</script>'&amp;"


class Page(HTMLParser):
    """Checks nesting and keeps tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.titles: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.titles += [value or "" for name, value in attrs if name == "title"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes the wrong element"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.words)


def hostile_view() -> View:
    """A View whose every text that comes out of a file is markup."""
    limiting = (LimitingTensor(EVIL, 3, EVIL),)
    rows = (
        BatchCandidate(b, b < 3, EVIL, 9, 9, 1.0, 2.0, EVIL, limiting, (EVIL,), EVIL, (Lever(EVIL),)) for b in (1, 2, 4)
    )
    layer = Layer(
        id=1, name=EVIL, family=EVIL, operator=EVIL, segment=EVIL, processor=EVIL, start_cycle=0, end_cycle=9,
        compute_cycles=10, bound_by=EVIL, sources=(EVIL,), inputs=(EVIL,), output=EVIL, placement=EVIL,
    )  # fmt: skip
    empty = view_of_stats(MlaStats.from_columns([], [], [], []))
    causes = tuple(5 if cause.key in ("compute", "weights", "input") else 0 for cause in empty.palette.causes)
    return replace(
        empty,
        kind="archive",
        name=EVIL,
        path=f"/tmp/{EVIL}",
        machine=ViewMachine(EVIL, 1000.0, clock_assumed=False),
        batch=Batch(4, 2, EVIL, EVIL),
        totals=Totals(1, 15, 10, 5, 15, 8, EVIL, 9, 8 / 15, 9, causes, 15.0, 1.0, None, (EVIL,), EVIL),
        layers=Table.of(Layer, [layer]),
        candidates=Table.of(BatchCandidate, rows),
        files=Table.of(FileRow, [FileRow(EVIL, 3, EVIL)]),
        plugins=Table.of(Plugin, [Plugin(1, EVIL, EVIL, EVIL)]),
        links=Table.of(Link, [Link(EVIL, None, 0)]),
        left_to_host=(EVIL,),
        host_sentence=EVIL,
        warnings=(EVIL,),
    )


def test_the_html_is_well_formed_and_says_what_the_values_say(small_archive: Archive) -> None:
    summary = Summary.of(small_archive)
    page = Page(summary_html(summary.view, "x"))
    assert page.tags <= ALLOWED
    for number in (summary.runtime_cycles, summary.bound_cycles, *summary.view.totals.cause_cycles):
        assert not number or f"{number:,}" in page.text
    for name in [layer.name.split("/")[1] for layer in summary.layers] + [file.name for file in summary.files]:
        assert name in page.text
    assert summary.reason in page.text


def test_names_never_become_elements_or_attributes() -> None:
    page = Page(summary_html(hostile_view(), "x"))
    assert page.tags <= ALLOWED
    assert not {name for name in page.attributes if name.startswith("on")}
    assert {"src", "href", "action"}.isdisjoint(page.attributes)
    assert page.text.count(EVIL) >= 13, "the names must still be readable"


def test_hostile_names_in_an_archive_are_shown_as_text(tmp_path: Path) -> None:
    layer = "MLA_0/<script>alert(1)</script>"
    files = {
        "x_mpk.json": mpk_document("x", plugin="<img src=x onerror=alert(1)>"),
        "x_<svg onload=alert(1)>_mla_stats.yaml": stats_text([layer]),
    }
    summary = Summary.of(write_archive(tmp_path / "x_mpk.tar.gz", files))
    page = Page(summary._repr_html_())
    assert page.tags <= ALLOWED
    assert "<script>alert(1)</script>" in page.text
    assert any("<script>" in title for title in page.titles)


def test_stalls_and_compute_add_up_where_they_are_shown(small_archive: Archive) -> None:
    summary = Summary.of(small_archive)
    page = Page(summary._repr_html_())
    shown = [int(word.replace(",", "")) for word in page.words if re.fullmatch(r"[\d,]+", word)]
    parts = [cycles for cycles in summary.view.totals.cause_cycles if cycles]
    start = next(i for i in range(len(shown)) if shown[i : i + len(parts)] == parts)
    assert shown[start + len(parts)] == sum(parts) == summary.runtime_cycles


def test_the_report_needs_nothing_from_outside_and_is_reproducible(small_archive: Archive, tmp_path: Path) -> None:
    first = write_html(small_archive, tmp_path / "a.html").read_bytes()
    second = Summary.of(small_archive.path).to_html(tmp_path / "b.html").read_bytes()
    assert first == second
    assert not re.search(rb"url\(|@import|<script[^>]*src=|<link", first)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_a_report_into_a_missing_folder_is_one_clear_error(small_archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        write_html(small_archive, tmp_path / "nowhere" / "a.html")


def test_the_text_form_holds_batch_layers_tree_and_candidates(small_archive: Archive) -> None:
    summary = Summary.of(small_archive)
    text = repr(summary)
    assert f"{summary.desired_batch_size} desired -> {summary.actual_batch_size} actual" in text
    assert f"{summary.runtime_cycles:,} for one run" in text
    assert "Batch sizes" in text
    for word in [file.name for file in summary.files] + [layer.name for layer in summary.layers]:
        assert word in text
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_both_forms_stand_in_the_bundle(small_archive: Archive) -> None:
    bundle = Summary.of(small_archive)._repr_mimebundle_()
    assert sorted(bundle) == ["text/html", "text/plain"]


def test_two_summaries_on_one_page_have_tabs_of_their_own(small_archive: Archive) -> None:
    summary = Summary.of(small_archive)
    names = [set(re.findall(r'name="(sima-[^"]+)"', summary._repr_html_())) for _ in range(2)]
    assert all(len(name) == 1 for name in names)
    assert names[0] != names[1]


def test_an_archive_without_report_shows_what_it_has(tmp_path: Path) -> None:
    summary = Summary.of(vendor_archive(tmp_path, layers=[f"MLA_0/conv2d_add_relu_{i}" for i in range(5)]))
    assert (summary.desired_batch_size, summary.actual_batch_size, summary.compute_cycles) == (4, 3, 500)
    assert summary.runtime_cycles is None
    text = repr(summary)
    assert "1,000 MHz assumed" in text
    assert "compute only" in text
    assert "does not say why" in text
    assert "stalls included" not in text
    assert "with compute" not in text
    assert "no report of the batch sizes" in Page(summary._repr_html_()).text


def test_an_archive_without_statistics_still_opens(tmp_path: Path) -> None:
    summary = Summary.of(write_archive(tmp_path / "x_mpk.tar.gz", {"x_mpk.json": mpk_document("x")}))
    assert len(summary.layers) == 0
    assert "x_mpk.json" in repr(summary)
    assert "no per-layer statistics" in Page(summary._repr_html_()).text


def test_many_layers_are_cut_to_the_longest_and_the_rest_is_counted() -> None:
    count = 2000
    ends = [10 * index + (9 if index % 2 else 4) for index in range(count)]
    starts = range(0, 10 * count, 10)
    stats = MlaStats.from_columns(range(1, count + 1), [f"MLA_0/conv_{i}" for i in range(count)], starts, ends)
    page = summary_html(view_of_stats(stats), "x")
    assert page.count("sima-bar") == MAX_ROWS + page.count(".sima-bar")
    left = sum(layer.cycles for layer in stats.layers) - MAX_ROWS * 10
    assert f"{MAX_ROWS} longest of 2,000" in page
    assert f"{left:,} cycles together" in page


def test_bars_stand_where_the_schedule_says(small_archive: Archive) -> None:
    stats = small_archive.stats
    assert stats is not None
    drawn = re.findall(r'<rect x="([\d.]+)%" y="2" width="([\d.]+)%"', Summary.of(small_archive)._repr_html_())
    total = stats.total_cycles
    assert len(drawn) == len(stats.layers)
    for (left, width), layer in zip(drawn, stats.layers, strict=True):
        assert float(left) == pytest.approx(min(100 * layer.start_cycle / total, 99.75), abs=0.001)
        assert float(width) == pytest.approx(max(100 * layer.cycles / total, 0.25), abs=0.001)


def test_shares_add_up_to_one(small_archive: Archive) -> None:
    view = view_of(small_archive)
    assert sum(layer_share(layer, view) for layer in view.layers) == pytest.approx(1)


def test_the_text_of_hostile_names_is_plain() -> None:
    assert EVIL in view_text(hostile_view())


def test_the_summary_works_without_plotly_and_ipython(small_archive: Archive, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'plotly', 'IPython'}: raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "import sima_nb\n"
        f"summary = sima_nb.Summary.of({str(small_archive.path)!r})\n"
        f"summary.to_html({str(tmp_path / 'r.html')!r})\n"
        "from sima_nb.display import figure_bundle\n"
        "assert figure_bundle(summary.view) == {}\n"
        "assert not {'plotly', 'IPython', 'onnxruntime'} & set(sys.modules)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)
    assert (tmp_path / "r.html").stat().st_size > 5000


def test_a_hundred_thousand_layers_make_a_page_quickly() -> None:
    count = 100_000
    names = [f"MLA_0/conv2d_add_relu_{index}" for index in range(count)]
    starts = range(0, 7 * count, 7)
    stats = MlaStats.from_columns(range(1, count + 1), names, starts, [start + 6 for start in starts])
    started = time.process_time()
    view = view_of_stats(stats)
    page = summary_html(view, "x")
    assert time.process_time() - started < 10
    assert len(page) < 500_000
    assert figure_bundle(view) == {}


def test_what_is_left_to_the_host_is_said_everywhere(tmp_path: Path) -> None:
    report = {"schema_version": "1.0", "cut": ["Softmax 'probabilities' after 'logits'"]}
    files = {"x_mpk.json": mpk_document("x"), "x_compile_report.json": json.dumps(report).encode()}
    summary = Summary.of(write_archive(tmp_path / "x_mpk.tar.gz", files))
    assert summary.left_to_host == ("Softmax 'probabilities' after 'logits'",)
    assert "Softmax 'probabilities' after 'logits'" in repr(summary)
    assert "Softmax 'probabilities' after 'logits'" in Page(summary._repr_html_()).text


def test_a_page_says_once_what_is_left_to_the_host(tmp_path: Path) -> None:
    cut = "Softmax 'probabilities' after 'logits'"
    report = {"schema_version": "1.0", "cut": [cut], "warnings": [f"left to the host: {cut}", "something else"]}
    files = {"x_mpk.json": mpk_document("x"), "x_compile_report.json": json.dumps(report).encode()}
    text = Page(Summary.of(write_archive(tmp_path / "x_mpk.tar.gz", files))._repr_html_()).text
    assert text.count(cut) == 1
    assert "something else" in text

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
from sima_compiler.view import wordings
from sima_compiler.view.details import layer_share
from sima_compiler.view.folding import answered
from sima_compiler.view.html.causes import efficiency_sentence
from sima_compiler.view.html.summary import summary_html
from sima_compiler.view.page import output_html, page_html
from sima_compiler.view.reading import view_of, view_of_stats
from sima_compiler.view.records import Batch, FileRow, Layer, Link, Plugin, Totals, View, ViewMachine
from sima_compiler.view.tables import Table
from sima_compiler.view.text import view_text
from sima_nb import StatsExplorer, Summary, write_html
from tests.support.archives import mpk_document, stats_text, vendor_archive, write_archive

VOID = {"meta", "input", "br"}
#: Elements that HTML lets a page leave open: the next one of their kind closes them.
OPEN = {
    "tr": {"tr", "th", "td"}, "th": {"th", "td"}, "td": {"th", "td"},
    "li": {"li"}, "dd": {"dt", "dd"}, "dt": {"dt", "dd"},
}  # fmt: skip
ALLOWED = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "body",
        "main",
        "style",
        "div",
        "section",
        "h3",
        "h4",
        "h5",
        "p",
        "code",
        "b",
        "i",
    ),
    *("small", "dl", "dt", "dd", "ul", "ol", "li", "table", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
EVIL = "\"><img src=x onerror=alert(1)><script>alert(2)</script>'&amp;"


class Page(HTMLParser):
    """Checks nesting and keeps tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        while self._open and self._open[-1] in OPEN.get(tag, ()):
            self._open.pop()
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        while self._open[-1] in OPEN and tag not in OPEN:
            self._open.pop()
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
    page = Page(summary_html(summary.view))
    assert page.tags <= ALLOWED
    for number in (summary.runtime_cycles, summary.bound_cycles, *summary.view.totals.cause_cycles):
        assert not number or f"{number:,}" in page.text
    for name in [layer.name for layer in summary.layers] + [file.name for file in summary.files]:
        assert name in page.text
    assert summary.reason in page.text


def test_names_never_become_elements_or_attributes() -> None:
    page = Page(summary_html(hostile_view()))
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
    page = Page(summary_html(summary.view))
    assert page.tags <= ALLOWED
    assert "<script>alert(1)</script>" in page.text


def test_stalls_and_compute_add_up_where_they_are_shown(small_archive: Archive) -> None:
    summary = Summary.of(small_archive)
    page = Page(summary_html(summary.view))
    shown = [int(word.replace(",", "")) for word in page.words if re.fullmatch(r"[\d,]+", word)]
    parts = [cycles for cycles in summary.view.totals.cause_cycles if cycles]
    start = next(i for i in range(len(shown)) if shown[i : i + len(parts)] == parts)
    assert shown[start + len(parts)] == sum(parts) == summary.runtime_cycles
    shares = [float(word[:-2]) for word in page.words if re.fullmatch(r"[\d.]+ %", word)]
    at = shares.index(100.0)
    assert sum(round(10 * share) for share in shares[at - len(parts) : at]) == 1000


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
    assert "no report of the batch sizes" in Page(summary_html(summary.view)).text


def test_an_archive_without_statistics_still_opens(tmp_path: Path) -> None:
    summary = Summary.of(write_archive(tmp_path / "x_mpk.tar.gz", {"x_mpk.json": mpk_document("x")}))
    assert len(summary.layers) == 0
    assert "x_mpk.json" in repr(summary)
    assert "no per-layer statistics" in Page(summary_html(summary.view)).text


def test_every_layer_has_a_row_with_its_numbers(small_archive: Archive) -> None:
    """In schedule order; cycles, share and bar are the statistics' own."""
    view = view_of(small_archive)
    stats = small_archive.stats
    assert stats is not None
    total = stats.total_cycles
    rows = rows_of(summary_html(view))
    assert len(rows) == len(stats.layers)
    for row, layer in zip(rows, stats.layers, strict=True):
        assert row["Layer"] == layer.name
        assert row["Compute cycles"] == f"{layer.cycles:,}"
        assert row["Share"] == f"{100 * layer.cycles / total:.1f} %"
        left, width = (float(part) for part in re.findall(r"([\d.e-]+)%", row["Static schedule"]))
        assert left == pytest.approx(min(100 * layer.start_cycle / total, 100 - width), abs=0.05, rel=0.01)
        assert width == pytest.approx(max(100 * layer.cycles / total, 0.3), rel=0.01)


def rows_of(page: str) -> list[dict[str, str]]:
    """Cells of the layers' table by the head of their column."""
    table = re.search(r"<table class=layers>(.*?)</table>", page, re.DOTALL)
    assert table is not None
    heads = re.findall(r"<th scope[^>]*>([^<]*)", table[1].split("</thead>")[0])
    body = table[1].split("<tbody>")[1].split("</tbody>")[0]
    return [dict(zip(heads, re.split(r"<t[hd][^>]*>", row)[1:], strict=True)) for row in body.split("<tr>")[1:]]


def test_what_the_report_records_reaches_its_rows(small_archive: Archive) -> None:
    """Each number beside its own head: a column that moved would show another one."""
    view = view_of(small_archive)
    for row, layer in zip(rows_of(summary_html(view)), view.layers, strict=True):
        assert layer.runtime_cycles is not None
        assert row["Run cycles"] == f"{layer.runtime_cycles:,}"
        assert row["#"] == str(layer.id)
        assert row["Source nodes"].startswith(layer.sources[0])
        if layer.macs and layer.utilization is not None:
            assert row["Use"] == f"{100 * layer.utilization:.1f} %"


def test_batch_rows_say_what_became_of_each_size(small_archive: Archive) -> None:
    """Verdict, numbers and limit of every size; one row where neighbours say the same."""
    view = view_of(small_archive)
    page = Page(summary_html(view))
    for candidate in view.candidates:
        if candidate.status == "scheduled":
            assert f"{candidate.cycles_per_sample:,.0f}" in page.text
    assert "built" in page.text


def long_negotiation() -> View:
    rows = [
        BatchCandidate(
            batch_size=size, feasible=size <= 4, status="scheduled" if size <= 4 else "does_not_fit",
            cycles_per_sample=(100, 90, 80, 81)[size - 1] if size <= 4 else None,
            samples_per_second=1e9 / 80 if size <= 4 else None, peak_on_chip_bytes=size << 20,
            reason="fits" if size <= 4 else f"{size} MiB are needed", limiting_layer="MLA_0/conv2d_3",
        )
        for size in range(1, 21)
    ]  # fmt: skip
    view = replace(hostile_view(), candidates=Table.of(BatchCandidate, rows), batch=Batch(20, 4, "why", "Why."))
    return replace(view, batch=answered(view))


def test_rows_that_say_the_same_are_one_and_a_faster_smaller_size_is_told() -> None:
    text = Page(summary_html(long_negotiation())).text
    assert "5 to 20" in text
    assert text.count("does not fit") == 1
    assert "5.0 MiB to 20.0 MiB" in text
    assert "Batch 3 needs 80 cycles per sample where 4 needs 81: 1.2 % fewer." in text


def test_a_size_that_is_not_feasible_is_never_drawn_as_one() -> None:
    rows = [
        replace(row, samples_per_second=1e6, status="scheduled") if row.batch_size == 5 else row
        for row in long_negotiation().candidates
    ]
    page = summary_html(replace(long_negotiation(), candidates=Table.of(BatchCandidate, rows)))
    (row,) = re.findall(r"<th scope=row class=n>5<.*?(?=<tr)", page)
    assert "rate refused" in row
    assert "not feasible" in row


def test_a_saved_output_holds_the_costliest_layers_and_the_total_of_the_rest() -> None:
    count = 2300
    ends = [10 * index + (9 if index % 2 else 4) for index in range(count)]
    stats = MlaStats.from_columns(
        range(1, count + 1), [f"MLA_0/conv_{i}" for i in range(count)], range(0, 10 * count, 10), ends
    )
    view = view_of_stats(stats)
    saved, whole = output_html(view), page_html(view)
    assert len(rows_of(saved)) == 2000
    assert len(rows_of(whole)) == count
    assert "300 of 2,300 layers are not in this output, 1,500 cycles together" in saved
    assert "--html" in saved
    assert len(saved) <= 60_000 + 450 * 2000


def test_the_bound_is_told_by_what_decides_it(small_archive: Archive) -> None:
    report, view = small_archive.report, view_of(small_archive)
    assert report is not None
    sentences = {"macs": wordings.BOUND_MACS, "dram": wordings.BOUND_DRAM}
    assert [said for said in view.totals.counted if said in sentences.values()] == [sentences[report.bound_by or ""]]
    assert set(report.warnings) <= {*view.warnings, *(f"left to the host: {part}" for part in view.left_to_host)}


def test_a_saved_output_of_a_small_network_is_small(small_archive: Archive) -> None:
    """All forms of it, as the notebook's file holds them."""
    summary = Summary.of(small_archive)
    for bundle in (summary._repr_mimebundle_(), StatsExplorer(summary)._repr_mimebundle_()[0]):
        size = len(json.dumps(bundle, ensure_ascii=False).encode("utf-8"))
        assert size <= 60_000 + 450 * len(summary.layers)
        for lost in ("Not listed", "are cut", "left out"):
            assert lost not in bundle["text/html"], "an ordinary network leaves room for all its rows"
        assert bundle["text/plain"] == view_text(summary.view)


def test_the_efficiency_is_explained_by_its_largest_loss(small_archive: Archive) -> None:
    view = view_of(small_archive)
    sentence = efficiency_sentence(view)
    causes = dict(zip([cause.label for cause in view.palette.causes], view.totals.cause_cycles, strict=True))
    del causes["useful multiply-accumulates"]
    worst = max(causes, key=lambda label: causes[label])
    assert worst in sentence
    assert view.totals.efficiency is not None
    assert f"{100 * view.totals.efficiency:.1f} %" in sentence


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
    page = summary_html(view)
    assert time.process_time() - started < 10
    assert len(page) < 250 * count


def test_what_is_left_to_the_host_is_said_everywhere(tmp_path: Path) -> None:
    report = {"schema_version": "1.0", "cut": ["Softmax 'probabilities' after 'logits'"]}
    files = {"x_mpk.json": mpk_document("x"), "x_compile_report.json": json.dumps(report).encode()}
    summary = Summary.of(write_archive(tmp_path / "x_mpk.tar.gz", files))
    assert summary.left_to_host == ("Softmax 'probabilities' after 'logits'",)
    assert "Softmax 'probabilities' after 'logits'" in repr(summary)
    assert "Softmax 'probabilities' after 'logits'" in Page(summary_html(summary.view)).text


def test_a_page_says_once_what_is_left_to_the_host(tmp_path: Path) -> None:
    cut = "Softmax 'probabilities' after 'logits'"
    report = {"schema_version": "1.0", "cut": [cut], "warnings": [f"left to the host: {cut}", "something else"]}
    files = {"x_mpk.json": mpk_document("x"), "x_compile_report.json": json.dumps(report).encode()}
    text = Page(Summary.of(write_archive(tmp_path / "x_mpk.tar.gz", files))._repr_html_()).text
    assert text.count(cut) == 1
    assert "something else" in text

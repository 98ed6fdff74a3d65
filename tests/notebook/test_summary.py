"""The summary in its three forms: values, text, HTML; also of archives that other compilers wrote."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sima_compiler import Archive, MlaStats, OutputError
from sima_nb import Summary, write_html
from sima_nb.display import figure_bundle
from sima_nb.facts import CandidateFact, Facts, FileFact, LayerFact, PluginFact
from sima_nb.html.gantt import MAX_ROWS
from sima_nb.html.summary import document, summary_html
from sima_nb.reading import layer_facts
from sima_nb.text import summary_text
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


def hostile_facts() -> Facts:
    return Facts(
        name=EVIL,
        path=f"/tmp/{EVIL}",
        desired_batch=4,
        actual_batch=2,
        reason=EVIL,
        machine=EVIL,
        compute_cycles=10,
        runtime_cycles=15,
        bound_cycles=8,
        efficiency=8 / 15,
        stall_cycles={EVIL: 5},
        files=(FileFact(EVIL, 3),),
        plugins=(PluginFact(1, EVIL, EVIL, EVIL),),
        layers=(LayerFact(1, EVIL, "other", 0, 9, 1.0, bound_by=EVIL),),
        candidates=tuple(CandidateFact(b, b < 3, EVIL, 9, 1.0, 2.0, EVIL, EVIL, EVIL) for b in (1, 2, 4)),
        left_to_host=(EVIL,),
        warnings=(EVIL,),
    )


def test_the_html_is_well_formed_and_says_what_the_values_say(small_archive: Archive) -> None:
    summary = Summary.of(small_archive)
    page = Page(document(summary.facts))
    assert page.tags <= ALLOWED
    for number in (summary.runtime_cycles, summary.compute_cycles, summary.bound_cycles):
        assert f"{number:,}" in page.text
    for name in [layer.name.split("/")[1] for layer in summary.layers] + [file.name for file in summary.files]:
        assert name in page.text
    assert summary.reason in page.text


def test_names_never_become_elements_or_attributes() -> None:
    page = Page(document(hostile_facts()))
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
    parts = [summary.compute_cycles, *summary.stall_cycles.values()]
    start = next(i for i in range(len(shown)) if shown[i : i + len(parts)] == parts)
    assert shown[start + len(parts)] == sum(parts) == summary.runtime_cycles


def test_the_report_needs_nothing_from_outside_and_is_reproducible(small_archive: Archive, tmp_path: Path) -> None:
    first = write_html(small_archive, tmp_path / "a.html").read_bytes()
    second = Summary.of(small_archive.path).to_html(tmp_path / "b.html").read_bytes()
    assert first == second
    assert not re.search(rb"https?:|url\(|@import|<script|src=", first)
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
    assert "1000 MHz assumed" in text
    assert "compute only" in text
    assert "does not say why" in text
    assert "stalls" not in text
    assert "no report of the candidates" in Page(summary._repr_html_()).text


def test_an_archive_without_statistics_still_opens(tmp_path: Path) -> None:
    summary = Summary.of(write_archive(tmp_path / "x_mpk.tar.gz", {"x_mpk.json": mpk_document("x")}))
    assert summary.layers == ()
    assert "x_mpk.json" in repr(summary)
    assert "no per-layer statistics" in Page(summary._repr_html_()).text


def test_many_layers_are_cut_to_the_longest_and_the_rest_is_counted() -> None:
    count = 2000
    ends = [10 * index + (9 if index % 2 else 4) for index in range(count)]
    layers = tuple(
        LayerFact(index + 1, f"MLA_0/conv_{index}", "convolution", 10 * index, end, 1 / count)
        for index, end in enumerate(ends)
    )
    page = summary_html(Facts("big", "big_mpk.tar.gz", 1, 1, layers=layers), "x")
    assert page.count("sima-bar") == MAX_ROWS + page.count(".sima-bar")
    left = sum(layer.cycles for layer in layers) - MAX_ROWS * 10
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
    assert sum(layer.share for layer in layer_facts(small_archive.stats)) == pytest.approx(1)


def test_the_text_of_hostile_names_is_plain() -> None:
    assert EVIL in summary_text(hostile_facts())


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
        "assert figure_bundle(summary.facts) == {}\n"
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
    facts = Facts("big", "big_mpk.tar.gz", 1, 1, layers=layer_facts(stats))
    page = document(facts)
    assert time.process_time() - started < 10
    assert len(page) < 500_000
    assert figure_bundle(facts) == {}


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

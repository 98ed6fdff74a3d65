"""The text form says what the archive says: verdicts, reasons, units, totals and the rows that they belong to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from sima_compiler import Archive, MlaStats
from sima_compiler.archive.report_records import BatchCandidate, LimitingTensor
from sima_compiler.view import wordings
from sima_compiler.view.batch_text import batch_text
from sima_compiler.view.columns import to_json
from sima_compiler.view.html.summary import summary_html
from sima_compiler.view.reading import view_of, view_of_stats
from sima_compiler.view.tables import Table
from sima_compiler.view.text import facts_text, gantt_text, tree_text, view_text

ARCHIVE = Archive.open(Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_tiny_mpk.tar.gz")
VIEW = view_of(ARCHIVE)


def test_every_batch_size_has_its_verdict_and_reason() -> None:
    """Batch 12 was built; no larger one is feasible, and from 15 on they do not fit."""
    text = batch_text(VIEW)
    rows = re.findall(r"^  (\d+)(?: to (\d+))? +(.*)$", text, re.MULTILINE)
    of_size = {size: rest for first, last, rest in rows for size in range(int(first), int(last or first) + 1)}
    assert sorted(of_size) == [row.batch_size for row in ARCHIVE.batch.candidates] == list(range(1, 41))
    assert len(rows) < 20
    words = " ".join(text.split())
    for row in ARCHIVE.batch.candidates:
        wanted = "built" if row.batch_size == 12 else "feasible" if row.feasible else "not feasible"
        wanted = "does not fit" if row.status == "does_not_fit" else f"{wanted}, {row.status}"
        assert of_size[row.batch_size].startswith(f"{wanted} "), row
        if row.cycles_per_sample and row.status == "scheduled":
            assert f" {round(row.cycles_per_sample):,} " in of_size[row.batch_size]
        if not row.feasible and row.batch_size <= 15:
            assert row.reason.split("; ")[0] in re.sub(r"\s+", " ", words)


def test_limiting_tensors_are_named_with_their_sizes() -> None:
    tensors = (LimitingTensor("t3", 2048), LimitingTensor("t4"))
    row = BatchCandidate(2, feasible=False, status="scheduled", limiting_layer="MLA_0/conv", limiting_tensors=tensors)
    view = replace(VIEW, candidates=Table.of(BatchCandidate, [row]))
    assert "  limited by MLA_0/conv: t3 (2.0 KiB), t4\n" in batch_text(view)


def test_time_stands_with_its_unit_and_what_it_includes() -> None:
    report, text = ARCHIVE.report, facts_text(VIEW)
    assert report is not None
    assert report.machine is not None
    microseconds = (report.runtime_cycles or 0) / report.machine.clock_mhz
    assert f"{microseconds:.2f} µs at 100 MHz, MLA alone" in text
    assert f"{report.runtime_cycles:,} for one run of the whole batch, stalls included" in text
    assert f"{12e6 / microseconds:,.0f} samples per second" in text
    assert f"{100 * (report.efficiency or 0):.1f} % of the bound ({report.bound_cycles:,} cycles)" in text
    stalls = re.search(r"stalls +(.+) = ([\d,]+); with compute ([\d,]+) = ([\d,]+)", text)
    assert stalls is not None
    parts = {name: int(cycles.replace(",", "")) for name, cycles in re.findall(r"(\w+) ([\d,]+)", stalls[1])}
    assert parts == dict(report.stall_cycles)
    assert int(stalls[4].replace(",", "")) == report.runtime_cycles


def test_each_fact_stands_beside_its_own_label() -> None:
    """A label that names another row's number would pass wherever only the number is looked for."""
    report = ARCHIVE.report
    assert report is not None
    view = replace(VIEW, host_sentence="Left to the host: Softmax.", warnings=("one warning", "another"))
    rows = re.findall(r"^  (\w+) +(.+)$", facts_text(view), re.MULTILINE)
    facts = dict(rows)
    assert [label for label, _ in rows] == [
        *("archive", "batch", "host", "cycles", "latency", "throughput", "efficiency", "stalls", "plugins"),
        *("warning", "warning", "counted", "counted"),
    ]  # fmt: skip
    assert facts["archive"] == VIEW.path
    assert facts["batch"] == "40 desired -> 12 actual"
    assert facts["host"] == view.host_sentence
    assert facts["cycles"].startswith(f"{report.runtime_cycles:,} for one run")
    assert facts["latency"].startswith("58.76 µs at 100 MHz")
    assert facts["throughput"] == "204,221 samples per second"
    assert facts["efficiency"].startswith("34.9 % of the bound (2,053 cycles)")
    assert facts["plugins"] == "5 EV74, 1 MLA"
    assert [text for label, text in rows if label == "warning"] == ["one warning", "another"]


def test_the_bound_with_padding_never_stands_without_what_it_assumes() -> None:
    """In text, page, data and widgets (which show ``counted``); a file that has no such bound says nothing of it."""
    report, assumes = ARCHIVE.report, wordings.PADDED_BOUND_ASSUMES
    assert report is not None
    number = f"The bound with padding, {report.padded_bound_cycles:,} cycles"
    for form in (view_text(VIEW), summary_html(VIEW), " ".join(to_json(VIEW)["view"]["totals"]["counted"])):
        words = " ".join(form.split())
        assert number in words
        assert assumes in words
    bare = view_of_stats(MlaStats.from_columns([1], ["MLA_0/conv2d_0"], [0], [9]))
    assert bare.totals.padded_bound_cycles is None
    assert "bound with padding" not in view_text(bare) + summary_html(bare)


def test_layers_and_files_stand_with_their_own_numbers() -> None:
    stats, lines = ARCHIVE.stats, gantt_text(VIEW).splitlines()
    assert stats is not None
    for layer in stats.layers:
        (line,) = (line for line in lines if layer.name in line)
        assert f" {layer.cycles:,} " in line
        assert line.endswith(f"{100 * layer.cycles / stats.total_cycles:.1f} %")
    tree = tree_text(VIEW)
    for file in ARCHIVE.files:
        (line,) = (line for line in tree.splitlines() if file.name in line)
        size = f"{file.bytes} bytes" if file.bytes < 1024 else f"{file.bytes / 1024:.1f} KiB"
        assert line.endswith(size)

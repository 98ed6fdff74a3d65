"""The text form says what the archive says: verdicts, reasons, units, totals and the rows that they belong to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from sima_compiler import Archive
from sima_compiler.archive.report_records import BatchCandidate, LimitingTensor
from sima_compiler.view.reading import view_of
from sima_compiler.view.tables import Table
from sima_compiler.view.text import batch_text, facts_text, gantt_text, tree_text

ARCHIVE = Archive.open(Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_tiny_mpk.tar.gz")
VIEW = view_of(ARCHIVE)


def test_every_batch_size_has_its_own_verdict() -> None:
    """Batch 12 was built; no larger one is feasible, and some do not fit."""
    lines = batch_text(VIEW).splitlines()[2:]
    assert len(lines) == len(ARCHIVE.batch.candidates) == 40
    for line, row in zip(lines, ARCHIVE.batch.candidates, strict=True):
        number, rest = line.split(maxsplit=1)
        assert int(number) == row.batch_size
        wanted = "built" if row.batch_size == 12 else "feasible" if row.feasible else "not feasible"
        wanted = "does not fit" if row.status == "does_not_fit" else f"{wanted}, {row.status}"
        assert rest.startswith(f"{wanted} "), line
        if row.cycles_per_sample:
            assert f" {round(row.cycles_per_sample):,} " in line
        if not row.feasible and not row.limiting_layer:
            assert row.reason in line


def test_limiting_tensors_are_named_with_their_sizes() -> None:
    tensors = (LimitingTensor("t3", 2048), LimitingTensor("t4"))
    row = BatchCandidate(2, feasible=False, status="scheduled", limiting_layer="MLA_0/conv", limiting_tensors=tensors)
    view = replace(VIEW, candidates=Table.of(BatchCandidate, [row]))
    assert batch_text(view).splitlines()[-1].endswith("MLA_0/conv: t3 (2.0 KiB), t4")


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

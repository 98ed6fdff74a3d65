"""The static report: each number beside its own label, under its own head, in its unit, of its own row."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

from sima_compiler.view import units, wordings
from sima_compiler.view.folding import folded
from sima_compiler.view.html.summary import summary_html
from sima_compiler.view.reading import view_of_path
from sima_compiler.view.records import Finding, Segment

VIEW = view_of_path(Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_tiny_mpk.tar.gz")
PAGE = str(summary_html(VIEW))


def text_of(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", markup)).split())


def table(page: str, label: str) -> list[dict[str, str]]:
    """The rows of the table in the region of that name, each cell by its head."""
    found = re.search(rf'aria-label="?{re.escape(label)}"?><table[^>]*>(.*?)</table>', page, re.DOTALL)
    assert found is not None, label
    head, _, body = found[1].partition("</thead>")
    heads = [text_of(cell) for cell in re.split(r"<th[ >]", head.replace("<thead", ""))[1:]]
    heads = [re.sub(r"^[^>]*>", "", head) for head in heads]
    rows = [re.split(r"<t[hd](?: [^>]*)?>", row)[1:] for row in re.split(r"<tr[^>]*>", body)[1:]]
    return [dict(zip(heads, map(text_of, row), strict=True)) for row in rows]


def test_tiles() -> None:
    totals, clock = VIEW.totals, VIEW.machine.clock_mhz
    tiles = re.findall(r"<dt>([^<]*)<dd><b>([^<]*)</b> <small>([^<]*)</small>", PAGE)
    assert [tuple(map(html.unescape, tile)) for tile in tiles] == [
        ("Batch", "40 → 12", "desired → actual"),
        ("Latency", units.duration(totals.cycles, clock), "for 12 samples, MLA alone"),
        ("Throughput", units.short_rate(totals.samples_per_second or 0), "samples per second, MLA alone"),
        ("Cycles", f"{totals.runtime_cycles:,}", "stalls included"),
        ("Efficiency", units.percent(totals.efficiency or 0), f"of the bound, {totals.bound_cycles:,} cycles"),
        ("Plugins", "6", "5 EV74, 1 MLA"),
    ]


def test_causes() -> None:
    totals = VIEW.totals
    known = [(cause, cycles) for cause, cycles in zip(VIEW.palette.causes, totals.cause_cycles, strict=True) if cycles]
    *rows, last = table(PAGE, "Cycles by cause")
    assert [(row["Cause"], row["Cycles"], row["What it is"]) for row in rows] == [
        (cause.label, f"{cycles:,}", cause.note) for cause, cycles in known
    ]
    for row, (_, cycles) in zip(rows, known, strict=True):
        assert abs(float(row["Share"].removesuffix(" %")) - 100 * cycles / totals.cycles) <= 0.1
    assert (last["Cause"], last["Cycles"], last["Share"]) == ("Runtime", f"{totals.runtime_cycles:,}", "100.0 %")


def test_batch_sizes() -> None:
    rows, wanted = table(PAGE, "Batch sizes"), folded(VIEW)
    assert len(rows) == len(wanted)
    for found, row in zip(rows, wanted, strict=True):
        first, how = row.first, wordings.basis(row.first)
        assert found["Batch"] == row.sizes
        assert found["Verdict"] == (f"{row.verdict}, {how}" if how else row.verdict)
        assert found["Reason"] == (first.reason or units.NOT_RECORDED)
        assert found["Limited by"] == (wordings.limited_by(first) or units.NOT_RECORDED)
        for head, write, value in (
            ("Cycles per sample", units.count, first.cycles_per_sample),
            ("Samples per second", units.short_rate, first.samples_per_second),
            ("Peak on chip", units.size, first.peak_on_chip_bytes),
        ):
            assert found[head].startswith(units.NOT_RECORDED if value is None else write(value)), head


def test_memory_files_and_plugins() -> None:
    segment = Segment("MLA_0", "MLA", peak_bytes=5_000, lower_bound_bytes=4_000, on_chip_bytes=9_000)
    page = str(summary_html(replace(VIEW, segments=(segment,))))
    assert table(page, "Memory") == [
        {
            "Segment": "MLA_0",
            "Peak": "4.9 KiB",
            "Lower bound": "3.9 KiB",
            "On chip": "8.8 KiB",
            "Spilled to DRAM": "nothing",
        }
    ]
    roles = {role.key: role.label for role in VIEW.palette.roles}
    assert [tuple(row.values()) for row in table(PAGE, "Files")] == [
        (file.name, roles[file.role], units.size(file.bytes)) for file in VIEW.files
    ]
    for row, plugin in zip(table(PAGE, "Plugins"), VIEW.plugins, strict=True):
        assert (row["#"], row["Plugin"], row["Runs on"], row["Kernel or file"]) == (
            str(plugin.sequence), plugin.name, plugin.processor, plugin.detail,
        )  # fmt: skip
        for head, ports in (("Reads", plugin.inputs), ("Writes", plugin.outputs)):
            assert all(f"{port.name} ({units.size(port.bytes or 0)})" in row[head] for port in ports)


def test_sentences_and_what_advice_gains() -> None:
    advice = Finding("weights", "Weights decide", "Evidence.", "Do this.", cycles=1_234)
    view = replace(
        VIEW,
        findings=(advice,),
        warnings=("a warning",),
        host_sentence="Left to the host: Softmax.",
        not_recorded=("x",),
    )
    text = text_of(str(summary_html(view)))
    for sentence in (
        "Weights decide (up to 1,234 cycles): Evidence. Do this.", "a warning", view.host_sentence, view.batch.sentence,
        view.batch.why_not_more, *view.batch.would_help, *view.totals.counted, f"{VIEW.machine.quads} quad,"
    ):  # fmt: skip
        assert sentence.rstrip(",") in text, sentence

"""From files to a View: what is there is shown, what is not is not recorded, and a million layers are not too many."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Archive, MlaStats
from sima_compiler.archive.report_records import ReportLayer
from sima_compiler.view.columns import to_binary
from sima_compiler.view.layers import family_cycles, layer_table, longest_layers
from sima_compiler.view.reading import view_of, view_of_path, view_of_stats
from tests.support.archives import mpk_document, vendor_archive, write_archive

SAMPLES = Path(__file__).parents[1] / "archive" / "samples"


def test_a_statistics_file_knows_names_and_static_cycles(tmp_path: Path) -> None:
    path = tmp_path / "net_stage1_mla_stats.yaml"
    stats = MlaStats.from_columns([1, 2], ["MLA_0/conv2d_0", "MLA_0/max_pool2d_1"], [0, 10], [9, 29])
    path.write_text(stats.to_yaml())
    view = view_of_path(path)
    assert (view.kind, view.name, view.report_version) == ("stats", path.name, None)
    assert view.machine.clock_assumed
    assert (view.totals.compute_cycles, view.totals.runtime_cycles, view.totals.cause_cycles) == (30, None, ())
    assert [(x.id, x.family, x.segment, x.start_cycle, x.compute_cycles) for x in view.layers] == [
        (1, "convolution", "MLA_0", 0, 10),
        (2, "pooling", "MLA_0", 10, 20),
    ]
    assert {layer.macs for layer in view.layers} == {None}
    assert {layer.processor for layer in view.layers} == {"MLA"}
    assert view.not_recorded == ("all but names and static cycles of layers: a statistics file holds nothing else",)
    assert family_cycles(view.layers) == {"convolution": 10, "pooling": 20}


def test_overlaps_and_gaps_are_counted_with_a_sentence() -> None:
    view = view_of_stats(MlaStats.from_columns([1, 2], ["a", "b"], [0, 5], [9, 29]))
    assert view.totals.compute_cycles == 30
    assert view.totals.overlaps
    assert view.totals.overlaps in view.totals.counted


def test_layers_of_one_name_stay_two_rows() -> None:
    stats = MlaStats.from_columns([1, 2], ["a", "a"], [0, 10], [9, 29])
    for rows in ((), (ReportLayer(1, "a"),)):
        found = layer_table(stats, rows, (), ())
        assert [(layer.id, layer.start_cycle) for layer in found] == [(1, 0), (2, 10)]


def test_layers_without_length_keep_their_place() -> None:
    view = view_of_stats(MlaStats.from_columns([1, 2], ["a", "b"], [0, 0], [-1, 9]))
    assert [(layer.start_cycle, layer.compute_cycles) for layer in view.layers] == [(0, 0), (0, 10)]
    assert [layer.name for layer in longest_layers(view.layers, 1)] == ["b"]


def test_families_that_were_scheduled_are_counted_even_with_no_cycles() -> None:
    """A layer that nobody scheduled adds no family; one that was, and took no cycle, does."""
    stats = MlaStats.from_columns([1, 2], ["MLA_0/conv2d_0", "MLA_0/max_pool2d_1"], [0, 10], [9, 9])
    found = layer_table(stats, (ReportLayer(3, "MLA_0/add_2", operator="Add"),), (), ())
    assert len(found) == 3
    assert family_cycles(found) == {"convolution": 10, "pooling": 0}


@pytest.mark.parametrize("name", ["report_1_0", "report_1_0_tiny"])
def test_every_number_of_the_report_is_in_the_view_under_the_same_name(name: str) -> None:
    archive = Archive.open(SAMPLES / f"{name}_mpk.tar.gz")
    report, view = archive.report, view_of(archive)
    assert report is not None
    totals = ("runtime_cycles", "bound_cycles", "bound_by", "padded_bound_cycles", "efficiency", "macs", "dram")
    assert {field: getattr(view.totals, field) for field in totals} == {
        field: getattr(report, field) for field in totals
    }
    fields = (
        *("id", "name", "operator", "segment", "runtime_cycles", "macs", "utilization", "bound_by", "weight_bytes"),
        *("parameter_bytes", "stored_parameter_bytes", "input_bytes", "output_bytes", "loaded_bytes", "stored_bytes"),
        "blocks",
    )
    shown = {layer.id: layer for layer in view.layers}
    for row in report.layers:
        assert [getattr(shown[row.id], field) for field in fields] == [getattr(row, field) for field in fields]


def test_another_compilers_archive_shows_what_it_has(tmp_path: Path) -> None:
    view = view_of(Archive.open(vendor_archive(tmp_path)), warnings=["mind this"])
    assert (view.batch.desired_batch_size, view.batch.actual_batch_size) == (4, 3)
    assert [(segment.name, segment.layers) for segment in view.segments] == [("MLA_0", 1)]
    assert len(view.candidates) == len(view.memory_map) == len(view.events) == 0
    assert [(file.name.rsplit("_", 1)[-1], file.role) for file in view.files] == [
        ("mpk.json", "mpk"), ("mla.elf", "mla"), ("stats.yaml", "stats"),
    ]  # fmt: skip
    assert "mind this" in view.warnings


def test_sizes_that_no_browser_holds_are_not_recorded(tmp_path: Path) -> None:
    document = (
        mpk_document("x")
        .decode()
        .replace('"input_nodes": [], "output', f'"input_nodes": [{{"name": "t", "size": {10**30}}}], "output')
    )
    view = view_of(Archive.open(write_archive(tmp_path / "x_mpk.tar.gz", {"x_mpk.json": document.encode()})))
    assert {port.bytes for plugin in view.plugins for port in plugin.inputs} == {None}


def test_a_million_layers_are_a_few_arrays() -> None:
    """At most five times what reading the file takes; here the columns are there already."""
    count = 1_000_000
    names = [f"MLA_0/conv2d_add_relu_{index}" for index in range(count)]
    starts = np.arange(0, 7 * count, 7)
    stats = MlaStats.from_columns(np.arange(1, count + 1), names, starts, starts + 6)
    started = time.process_time()
    head, buffer = to_binary(view_of_stats(stats))
    assert time.process_time() - started < 12
    assert head["tables"]["layers"]["count"] == count
    assert len(buffer) < 40 * count

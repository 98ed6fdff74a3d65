"""Two files side by side: which layers belong together, whatever they are called, and that no cycle is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from sima_compiler import Archive, MlaStats, Model
from sima_compiler.view import comparison_text, units, view_of, view_of_path, view_of_stats
from sima_compiler.view.align import LONGEST_ALIGNMENT, aligned
from sima_compiler.view.compare import Comparison, FileChange, TotalChange, compare_paths, compare_views
from sima_compiler.view.compare_text import file_cells, total_cells
from sima_compiler.view.palette import family
from sima_compiler.view.records import Layer
from tests.networks.float_net import FloatNet
from tests.support.qdq_writer import Style, write_qdq

SAMPLES = Path(__file__).parents[1] / "archive" / "samples"
CASES = json.loads((Path(__file__).parent / "comparison_cases.json").read_text("utf-8"))


def layer(number: int, operator: str, *sources: str, cycles: int = 100, shape: str | None = None) -> Layer:
    name = f"MLA_0/{operator}_{number}"
    return Layer(
        id=number + 1,
        name=name,
        operator=operator,
        family=family(operator),
        sources=sources,
        compute_cycles=cycles,
        output_shape=shape,
    )


def test_layers_of_one_source_node_belong_together_whatever_they_are_called() -> None:
    """A layer in front shifts every counter: by name each would meet its neighbour."""
    before = [layer(0, "conv2d", "a"), layer(1, "conv2d", "b"), layer(2, "conv2d", "c")]
    after = [layer(0, "conv2d", "new"), layer(1, "conv2d", "a"), layer(2, "conv2d", "c")]
    assert aligned(before, after) == ((None, 0), (0, 1), (1, None), (2, 2))


def test_a_layer_that_was_divided_meets_its_main_part_and_nothing_else() -> None:
    before = [layer(0, "conv2d_relu", "conv", "relu"), layer(1, "conv2d", "other")]
    after = [layer(0, "conv2d", "conv"), layer(1, "relu", "relu"), layer(2, "conv2d", "other")]
    assert aligned(before, after) == ((0, 0), (None, 1), (1, 2))
    gone = [layer(0, "relu", "x"), layer(1, "conv2d_relu", "conv", "relu")]
    assert aligned(gone, [layer(0, "relu", "relu"), layer(1, "conv2d", "conv")]) == ((0, None), (None, 0), (1, 1))


def test_several_layers_of_one_node_keep_their_order() -> None:
    parts = [layer(0, "max", "softmax"), layer(1, "exp", "softmax"), layer(2, "exp", "softmax")]
    later = [replace(part, name=f"MLA_0/x_{9 + row}") for row, part in enumerate(parts)]
    assert aligned(parts, later) == ((0, 0), (1, 1), (2, 2))
    assert aligned(parts, later[1:]) == ((0, None), (1, 0), (2, 1))


def test_structure_pairs_what_has_no_source_or_other_names() -> None:
    """Statistics know operators and cycles only; a model with renamed nodes shares no source."""
    before = [layer(0, "conv2d", cycles=10), layer(1, "conv2d", cycles=20), layer(2, "add", cycles=5)]
    after = [
        layer(0, "conv2d", cycles=10),
        layer(1, "conv2d", cycles=7),
        layer(2, "conv2d", cycles=20),
        layer(3, "add", cycles=9),
    ]
    assert aligned(before, after) == ((0, 0), (None, 1), (1, 2), (2, 3))
    renamed = [replace(one, sources=(f"new{row}",)) for row, one in enumerate(before)]
    named = [replace(one, sources=(f"old{row}",)) for row, one in enumerate(before)]
    assert aligned(named, renamed) == ((0, 0), (1, 1), (2, 2))


def test_another_shape_is_another_layer_where_shapes_are_recorded() -> None:
    before = [layer(0, "conv2d", "a", shape="1x8x8x16")]
    after = [layer(5, "conv2d", "b", shape="1x8x8x32")]
    assert aligned(before, after) == ((0, None), (None, 0))


def test_every_row_stands_once_and_long_files_are_paired_by_name() -> None:
    many = [layer(number, "conv2d", cycles=number) for number in range(LONGEST_ALIGNMENT + 5)]
    pairs = aligned(many, [*many[3:], layer(9999, "add")])
    assert pairs[:3] == ((0, None), (1, None), (2, None))
    assert pairs[3:-1] == tuple((row, row - 3) for row in range(3, len(many)))
    assert pairs[-1] == (None, len(many) - 3)


def network(*, wide: bool) -> onnx.ModelProto:
    """Three convolutions; the wide form has one more in front of the last."""
    net = FloatNet(5)
    found = net.unary("Relu", net.conv(net.input((3, 8, 8), "image"), 16, 3))
    found = net.conv(found, 16, 3)
    if wide:
        found = net.conv(found, 16, 1)
    return net.model([net.global_pool(net.unary("Relu", found))], "net")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("compare")
    paths: list[Path] = []
    for name, wide in (("narrow", False), ("wide", True)):
        onnx.save(write_qdq(network(wide=wide), 5, Style()), folder / f"{name}.onnx")
        model = Model.from_onnx(folder / f"{name}.onnx")
        paths.append(model.compile(output_path=str(folder), batch_size=2, machine="tiny").path)
    return paths[0], paths[1]


@pytest.fixture(scope="module")
def found(compiled: tuple[Path, Path]) -> Comparison:
    return compare_paths(*compiled)


def test_the_changes_of_layers_add_up_to_that_of_the_run(found: Comparison) -> None:
    before, after = found.before.totals.runtime_cycles, found.after.totals.runtime_cycles
    assert before is not None
    assert after is not None
    assert found.measure == "runtime_cycles"
    assert found.layer_change == after - before
    assert found.counts["added"] == 1
    assert found.counts["gone"] == 0
    rows = [row for row in found.layers if row.what != "added"]
    for row in rows:
        one, other = found.before.layers[row.before_row or 0], found.after.layers[row.after_row or 0]
        assert (one.operator, one.output_shape) == (other.operator, other.output_shape)
        assert (row.before, row.after) == (one.runtime_cycles, other.runtime_cycles)
    assert sorted(after for _, after in found.pairs if after >= 0) == list(range(len(found.after.layers)))


def test_only_changes_over_a_share_of_what_was(found: Comparison) -> None:
    base = replace(found.layers[0], before=1000, what="changed")
    rows = (
        replace(base, name="up", after=1051, change=51),
        replace(base, name="at", after=1050, change=50),
        replace(base, name="down", after=900, change=-100),
        replace(base, name="same", after=1000, change=0, what="same"),
        replace(base, name="new", before=None, after=1, change=1, what="added"),
    )
    assert [row.name for row in replace(found, layers=rows).over(5)] == ["down", "up", "new"]
    assert [row.name for row in replace(found, layers=rows).over(0)] == ["down", "up", "at", "new"]


@pytest.mark.parametrize("case", CASES["over"], ids=str)
def test_what_is_over_a_threshold(found: Comparison, case: dict[str, Any]) -> None:
    before, after = case["before"], case["after"]
    change = (after or 0) - (before or 0)
    what = "added" if before is None else "gone" if after is None else "changed" if change else "same"
    row = replace(found.layers[0], before=before, after=after, change=change, what=what)
    assert bool(replace(found, layers=(row,)).over(case["percent"])) == case["shown"]


@pytest.mark.parametrize("case", CASES["totals"] + CASES["files"], ids=str)
def test_totals_and_files_are_written_as_committed(case: dict[str, Any]) -> None:
    sides = (case["before"], case["after"])
    cells = total_cells(TotalChange("x", "x", case["unit"], *sides)) if "unit" in case else file_cells(
        FileChange("x", *sides)
    )  # fmt: skip
    assert list(cells) == ["x", *case["cells"]]


def test_a_run_is_never_compared_with_a_static_schedule(compiled: tuple[Path, Path]) -> None:
    view = view_of_path(compiled[0])
    static = view_of_stats(MlaStats.from_columns(*zip(*_rows(view.layers), strict=True)), "net.yaml")
    found = compare_views(view, static)
    assert found.measure == "compute_cycles"
    assert found.counts == {"changed": 0, "added": 0, "gone": 0, "same": len(view.layers)}
    assert any("static schedule" in note for note in found.notes)
    assert "Layers, static schedule" in comparison_text(found)


def _rows(layers: Iterable[Layer]) -> list[tuple[int, str, int, int]]:
    return [(row.id, row.name, row.start_cycle or 0, row.end_cycle or 0) for row in layers]


def test_totals_files_and_what_makes_two_archives_incomparable() -> None:
    found = compare_paths(SAMPLES / "report_1_0_mpk.tar.gz", SAMPLES / "report_1_0_tiny_mpk.tar.gz")
    totals = {row.name: (row.before, row.after) for row in found.totals}
    assert totals["actual_batch_size"] == (3, 12)
    assert totals["cycles_per_sample"] == (933 / 3, 5876 / 12)
    assert totals["latency_us"] == (933 / 1000, 5876 / 100)
    assert totals["samples_per_second"] == (1e9 / (933 / 3), 1e8 / (5876 / 12))
    assert "macs" not in totals
    assert len(found.files) == 4
    assert any(file.name == "report_1_0_mpk.json -> report_1_0_tiny_mpk.json" for file in found.files)
    assert len(found.notes) == 2
    assert "3 and 12" in found.notes[0]
    assert "4 quads of mlsoc and 1 quad of tiny" in found.notes[1]


def test_each_total_is_that_of_its_own_archive_and_each_side_of_a_layer_its_own() -> None:
    paths = (SAMPLES / "report_1_0_mpk.tar.gz", SAMPLES / "report_1_0_tiny_mpk.tar.gz")
    found, archives = compare_paths(*paths), [Archive.open(path) for path in paths]
    reports = [archive.report for archive in archives]
    assert all(report is not None and report.dram is not None for report in reports)
    totals = {row.name: (row.before, row.after) for row in found.totals}
    fields = ("desired_batch_size", "compute_cycles", "runtime_cycles", "bound_cycles", "efficiency")
    wanted = {name: tuple(getattr(report, name) for report in reports) for name in fields}
    for name in ("loaded_bytes", "stored_bytes"):
        wanted[name] = tuple(getattr(report.dram, name) for report in reports if report is not None)
    wanted["peak_bytes"] = tuple(max(part.peak_bytes for part in report.segments) for report in reports if report)
    wanted["file_bytes"] = tuple(sum(file.bytes for file in archive.files) for archive in archives)
    assert {name: totals[name] for name in wanted} == wanted
    lines = comparison_text(found).splitlines()
    for row in found.layers:
        (line,) = (line for line in lines if line.startswith(f"{row.name} "))
        assert line.split()[1:4] == [f"{row.before:,}", f"{row.after:,}", units.signed(row.change)]
    for total in found.totals:
        (line,) = (line for line in lines if line.startswith(f"{total.label}  "))
        assert re.search(r" {2,}".join(map(re.escape, total_cells(total)[:3])), line)


def test_an_archive_and_itself_are_the_same(compiled: tuple[Path, Path]) -> None:
    view = view_of(Archive.open(compiled[1]))
    found = compare_views(view, view)
    assert found.counts["same"] == len(found.layers)
    assert all(row.before == row.after for row in (*found.totals, *found.files))
    assert found.notes == ("before and after are the same file",)
    assert compare_views(view, replace(view, path="copy_mpk.tar.gz")).notes == ()


def test_a_share_says_how_many_layers_it_shows() -> None:
    before = view_of_stats(MlaStats.from_columns((1, 2), ("MLA_0/add_0", "MLA_0/mul_1"), (0, 100), (99, 199)), "a.yaml")
    after = view_of_stats(MlaStats.from_columns((1, 2), ("MLA_0/add_0", "MLA_0/mul_1"), (0, 100), (99, 259)), "b.yaml")
    found = compare_views(before, after)
    assert "; 1 over 50 % shown" in comparison_text(found, 50)
    assert "shown" not in comparison_text(found)

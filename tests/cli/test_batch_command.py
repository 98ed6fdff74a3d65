"""`simac batch`: the negotiation of an archive or of a model, and levers that say what following them gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from sima_compiler import Archive, CompileResult, Machine, Model
from tests.networks.float_net import FloatNet
from tests.support.input_size import at_input_size
from tests.support.qdq_writer import Style, write_qdq

SAMPLE = Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_tiny_mpk.tar.gz"
PLANNING = ("--machine", "tiny", "--quads", "1", "--batch-size", "3", "--no-compress")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of which one quad of the tiny machine takes a batch of 2 where 3 are asked for."""
    net = FloatNet(3)
    value = net.conv(net.input((16, 32, 32)), 16, 3, stride=4, pads=(1, 1, 1, 1))
    value = net.conv(net.conv(value, 128, 3), 16, 3)
    path = tmp_path_factory.mktemp("batch") / "wide.onnx"
    onnx.save(write_qdq(net.model([net.dense(net.flatten(net.global_pool(value)), 5)], "wide"), 3, Style()), path)
    return path


def test_every_size_of_an_archive_stands_in_one_row_with_its_verdict(simac) -> None:
    data, text = simac("batch", SAMPLE, "--json").json, simac("batch", SAMPLE).out
    sizes = [size for row in data["rows"] for size in range(row["first"], row["last"] + 1)]
    assert sizes == [row["batch_size"] for row in data["candidates"]] == list(range(1, 41))
    assert len(data["rows"]) < 20
    feasible = {row["batch_size"]: row["feasible"] for row in data["candidates"]}
    for row in data["rows"]:
        label = str(row["first"]) if row["first"] == row["last"] else f"{row['first']} to {row['last']}"
        (line,) = (line for line in text.splitlines() if line.startswith(f"  {label} "))
        assert f" {row['verdict']}" in line
        assert all(
            feasible[size] == (row["verdict"] in {"built", "feasible"}) for size in range(row["first"], row["last"] + 1)
        )
        assert ("░" in line) == (row["verdict"] == "not feasible")
    assert "12 actual" in text
    assert data["why_not_more"].startswith("Batch 13: 859 cycles per sample")
    assert data["why_not_more"].split(".")[0] in text


def test_levers_of_an_older_archive_are_marked_as_not_planned(simac) -> None:
    assert "use 2 quads instead of 1: 65,536 bytes on chip (not planned)" in simac("batch", SAMPLE).out


def test_each_lever_gives_what_it_says(simac, wide: Path, tmp_path: Path) -> None:
    data = simac("batch", wide, *PLANNING, "--levers", "--json").json
    quads, compression, memory, size = data["levers"]
    model, tiny = Model.from_onnx(wide), Machine.load("tiny")
    small = Model.from_onnx(at_input_size(onnx.load(wide), 16, 16), "small")
    larger = replace(tiny, sram_bytes_per_quad=2 * tiny.sram_bytes_per_quad)
    follow: list[tuple[dict[str, Any], Model, dict[str, Any]]] = [
        (quads, model, {"machine": tiny, "quads": 2, "compress": False}),
        (compression, model, {"machine": tiny, "quads": 1, "compress": True}),
        (memory, model, {"machine": larger, "quads": 1, "compress": False}),
        (size, small, {"machine": tiny, "quads": 1, "compress": False}),
    ]
    for lever, changed, options in follow:
        built = changed.compile(output_path=str(tmp_path), batch_size=3, **options)
        assert lever["largest_batch_size"] == built.actual_batch_size
        assert lever["cycles_per_sample"] == round(built.runtime_cycles / built.actual_batch_size, 3)
        assert lever["samples_per_second"] == round(tiny.clock_mhz * 1e6 / lever["cycles_per_sample"], 3)
        assert lever["feasible"] == (built.actual_batch_size == 3)
    assert [lever["what_if"] for lever in data["levers"]] == [False, False, True, True]
    assert [lever["feasible"] for lever in data["levers"]] == [True, False, True, True]
    assert size["text"] == "an input of 16 x 16 instead of 32 x 32"


def test_a_lever_that_cannot_be_planned_says_why(simac, tmp_path: Path) -> None:
    net = FloatNet(3)
    flat = net.flatten(net.conv(net.input((3, 8, 8)), 4, 3))
    onnx.save(write_qdq(net.model([net.dense(flat, 5)], "flat"), 3, Style()), tmp_path / "flat.onnx")
    done = simac("batch", tmp_path / "flat.onnx", "--machine", "tiny", "--levers")
    words = " ".join(done.out.split())
    assert "what if: an input of half the rows and columns: cannot be planned: Gemm" in words
    assert "has weights for exactly 256 values, where 128 would come" in words


def test_a_model_is_negotiated_without_leaving_anything(simac, wide: Path, tmp_path: Path) -> None:
    before = sorted(wide.parent.iterdir())
    data = simac("batch", wide, *PLANNING, "--json").json
    assert sorted(wide.parent.iterdir()) == before
    built = _built(wide, tmp_path)
    assert (data["desired_batch_size"], data["actual_batch_size"]) == (3, built.actual_batch_size)
    assert data["levers"] == []
    assert "Not planned; simac batch MODEL --levers" in simac("batch", built.path).out
    assert simac("batch", built.path, "--json").json["candidates"] == data["candidates"]


def test_levers_reach_the_archive_on_request(simac, wide: Path, tmp_path: Path) -> None:
    done = simac("compile", wide, *PLANNING, "--levers", "-o", tmp_path)
    assert done.code == 0
    report = Archive.open(tmp_path / "wide_mpk.tar.gz").report
    assert report is not None
    assert [len(row.levers) for row in report.candidates] == [0, 0, 4]
    text = simac("batch", tmp_path / "wide_mpk.tar.gz").out
    assert "what if: a machine with 65,536 bytes on chip instead of 32,768: batch 3" in text
    assert "compressed weights: batch 2" in text


def test_options_that_an_archive_cannot_follow_are_refused(simac) -> None:
    done = simac("batch", SAMPLE, "--batch-size", "3", "--json")
    assert done.code == 1
    assert "--batch-size is for models" in done.json["error"]["message"]


def _built(path: Path, folder: Path) -> CompileResult:
    return Model.from_onnx(path).compile(output_path=str(folder), batch_size=3, machine="tiny", quads=1, compress=False)

"""Networks whose heads or middles the MLA has not: the whole archive beside the original file in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Archive, Model, UnsupportedError, simulate
from sima_compiler.archive.grammar import validate
from tests.support import headed
from tests.support.judges import assert_judges_agree, assert_reference_agrees

#: Network -> its segments in order, and which operators the A65 runs.
NETWORKS: dict[Callable[[], onnx.ModelProto], tuple[list[str], set[str]]] = {
    headed.softmax_and_top: (["MLA_0", "APU_1"], {"Softmax", "TopK"}),
    headed.detector: (
        ["MLA_0", "APU_1"],
        {"Exp", "Mul", "Sub", "Add", "Concat", "Sigmoid", "Reshape", "NonMaxSuppression"},
    ),
    headed.recogniser: (["MLA_0", "APU_1", "MLA_2", "APU_3"], {"Transpose", "LSTM", "Reshape", "Softmax"}),
    headed.interrupted: (["MLA_0", "APU_1", "MLA_2"], {"CumSum"}),
    headed.two_ends: (["MLA_0", "APU_1"], {"ReduceL2"}),
}


@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
@pytest.mark.parametrize("batch", [1, 3])
def test_the_archive_holds_the_whole_network(build: Callable[[], onnx.ModelProto], batch: int, tmp_path: Path) -> None:
    original = build()
    model = Model.from_onnx(original)
    verdict = assert_judges_agree(original, tmp_path, batch=batch, compress=True, model=model)
    assert verdict.batch == batch
    archive = Archive.open(verdict.path)
    segments, operators = NETWORKS[build]
    assert archive.report is not None
    assert [segment.name for segment in archive.report.segments] == segments
    assert {layer.operator for layer in archive.report.host_layers} == operators
    assert all(layer.reason for layer in archive.report.host_layers)
    assert archive.report.verdict == model.network.verdict
    ends = [port.name for port in archive.mpk.plugins[-1].outputs]
    assert ends == [entry.name for entry in original.graph.output]


@pytest.mark.parametrize("batch", [2, 4, 5])
def test_every_batch_gives_what_onnxruntime_gives(batch: int) -> None:
    for build in NETWORKS:
        assert_reference_agrees(build(), batch=batch)


def test_stages_are_numbered_over_both_processors_and_each_mla_stage_has_its_statistics(tmp_path: Path) -> None:
    result = Model.from_onnx(headed.recogniser(), "reader").compile(tmp_path, batch_size=2)
    names = [str(entry["name"]) for entry in result.files]
    assert names == [
        "reader_mpk.json",
        "reader_stage1_mla.lm", "reader_stage1_mla_stats.yaml", "reader_stage2_a65.so",
        "reader_stage3_mla.lm", "reader_stage3_mla_stats.yaml", "reader_stage4_a65.so",
        "reader_compile_report.json",
    ]  # fmt: skip
    archive, report = result.archive, result.archive.report
    assert report is not None
    assert archive.stats is not None
    assert [layer.name for layer in archive.stats.layers] == [layer.name for layer in report.layers]
    assert [layer.id for layer in report.layers] == list(range(1, len(report.layers) + 1))
    starts = [segment.start_cycle for segment in report.segments if segment.processor == "MLA"]
    first = next(segment for segment in report.segments if segment.processor == "MLA")
    assert starts == [0, first.runtime_cycles]
    inputs = {"x": np.zeros((2, 3, 4, 12), np.float32)}
    assert simulate(archive, inputs).trace.runtime_cycles == result.runtime_cycles


def test_a_tensor_may_skip_over_a_segment_as_bytes(tmp_path: Path) -> None:
    """What the first MLA segment hands to the third is packed with what comes back, and never dequantized for it."""
    result = Model.from_onnx(headed.interrupted(), "skip").compile(tmp_path)
    document = result.archive.mpk.raw
    assert validate(document) == []
    third = next(plugin for plugin in document["plugins"] if plugin["name"] == "MLA_2")
    (packed,) = third["input_nodes"]
    pack = next(plugin for plugin in document["plugins"] if plugin["name"] == packed["name"])
    assert "MLA_0" in [node["name"] for node in pack["input_nodes"]]


def test_the_mla_alone_leaves_the_tail_to_the_host_and_refuses_a_middle(tmp_path: Path) -> None:
    original = headed.softmax_and_top()
    result = Model.from_onnx(original).compile(tmp_path, mla_only=True)
    assert result.verdict == "1 MLA segment, 0 host layers"
    assert result.archive.report is not None
    assert [cut.split()[0] for cut in result.archive.report.cut] == ["Softmax", "TopK"]
    assert_judges_agree(original, tmp_path, batch=2, compress=True, model=Model.from_onnx(original, mla_only=True))
    with pytest.raises(UnsupportedError, match="between segments of the MLA") as caught:
        Model.from_onnx(headed.interrupted(), mla_only=True)
    assert "--cut-at" in caught.value.hint


def test_a_network_ends_where_it_is_cut(tmp_path: Path) -> None:
    original = headed.detector()
    result = Model.from_onnx(original).compile(tmp_path, cut_at=["boxes", "scores"])
    assert result.verdict == "1 MLA segment, 0 host layers"
    assert [port.name for port in result.archive.mpk.plugins[-1].outputs] == ["boxes", "scores"]
    model = Model.from_onnx(original, cut_at=["boxes", "scores"])
    assert model.outputs == {"boxes": (4, 4, 4), "scores": (3, 4, 4)}
    assert_reference_agrees(original, model=model)

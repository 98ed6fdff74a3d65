"""Networks whose heads or middles the MLA has not: the whole archive beside the original file in onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Archive, Model, UnsupportedError, simulate
from sima_compiler.archive.grammar import validate
from sima_compiler.cli import main
from sima_compiler.simulation import random_inputs
from sima_compiler.view import view_of
from tests.support import headed
from tests.support.judges import assert_judges_agree, assert_reference_agrees, model_inputs

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


#: What the file calls itself -> what builds it.
NAMES = {build().graph.name: build.__name__ for build in NETWORKS}


@dataclass(frozen=True, slots=True)
class Judged:
    """A network whose archive was compared with its file, and the archive."""

    original: onnx.ModelProto
    model: Model
    archive: Archive


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda build: build.__name__)
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Each network compiled once, for a batch of three: what takes the time is the cross compiler."""
    original = request.param()
    model = Model.from_onnx(original)
    folder = tmp_path_factory.mktemp("judged")
    verdict = assert_judges_agree(original, folder, batch=3, compress=True, model=model)
    assert verdict.batch == 3
    return Judged(original, model, Archive.open(verdict.path))


def test_the_archive_holds_the_whole_network(judged: Judged) -> None:
    report, build = judged.archive.report, getattr(headed, NAMES[judged.original.graph.name])
    segments, operators = NETWORKS[build]
    assert report is not None
    assert [segment.name for segment in report.segments] == segments
    assert {layer.operator for layer in report.host_layers} == operators
    assert all(layer.reason for layer in report.host_layers)
    assert report.verdict == judged.model.network.verdict
    ends = [port.name for port in judged.archive.mpk.plugins[-1].outputs]
    assert ends == [entry.name for entry in judged.original.graph.output]


def test_stages_are_numbered_over_both_processors_and_each_mla_stage_has_its_statistics(judged: Judged) -> None:
    archive, report = judged.archive, judged.archive.report
    assert report is not None
    assert archive.stats is not None
    name = archive.name
    stages: list[str] = []
    for place, segment in enumerate(report.segments, 1):
        on_mla = segment.processor == "MLA"
        stages += [f"{name}_stage{place}_mla.lm", f"{name}_stage{place}_mla_stats.yaml"] if on_mla else [
            f"{name}_stage{place}_a65.so"]  # fmt: skip
    assert [file.name for file in archive.files] == [f"{name}_mpk.json", *stages, f"{name}_compile_report.json"]
    assert [layer.name for layer in archive.stats.layers] == [layer.name for layer in report.layers]
    assert [layer.id for layer in report.layers] == list(range(1, len(report.layers) + 1))
    clock = 0
    for segment in report.segments:
        if segment.processor == "MLA":
            assert segment.start_cycle == clock
            clock += segment.runtime_cycles or 0
    inputs = model_inputs(judged.model, 3, 0)
    assert simulate(archive, inputs).trace.runtime_cycles == clock == report.runtime_cycles


def test_the_document_follows_the_grammar_and_bytes_skip_over_segments(judged: Judged) -> None:
    """What the first MLA segment hands to the third is packed with what comes back, and never dequantized for it."""
    document = judged.archive.mpk.raw
    assert validate(document) == []
    plugins = {plugin["name"]: plugin for plugin in document["plugins"]}
    if judged.original.graph.name == "interrupted":
        (packed,) = plugins["MLA_2"]["input_nodes"]
        assert "MLA_0" in [node["name"] for node in plugins[packed["name"]]["input_nodes"]]


@pytest.mark.parametrize("batch", [2, 4, 5])
def test_every_batch_gives_what_onnxruntime_gives(batch: int) -> None:
    for build in NETWORKS:
        assert_reference_agrees(build(), batch=batch)


def test_the_mla_alone_leaves_the_tail_to_the_host_and_refuses_a_middle(tmp_path: Path) -> None:
    original = headed.softmax_and_top()
    result = Model.from_onnx(original).compile(tmp_path, mla_only=True)
    assert result.verdict == "1 MLA segment, 0 host layers"
    assert result.archive.report is not None
    assert [cut.split()[0] for cut in result.archive.report.cut] == ["Softmax", "TopK"]
    assert_reference_agrees(original, model=Model.from_onnx(original, mla_only=True))
    with pytest.raises(UnsupportedError, match="between segments of the MLA") as caught:
        Model.from_onnx(headed.interrupted(), mla_only=True)
    assert "--cut-at" in caught.value.hint


def test_work_on_the_a65_that_counts_is_warned_about(judged: Judged) -> None:
    report = judged.archive.report
    assert report is not None
    warned = [warning for warning in report.warnings if "multiply-accumulates run on the A65" in warning]
    heavy = [layer for layer in report.host_layers if layer.share >= 0.01]
    assert len(warned) == bool(heavy)
    assert all(layer.node in warned[0] for layer in heavy)


def test_the_profiler_says_what_a_switch_costs(judged: Judged) -> None:
    """Its bytes are those of the segment's buffers, its steps those of the EV74 around it and its own."""
    findings = [found for found in view_of(judged.archive).findings if found.kind == "host_segment"]
    plugins = [plugin for plugin in judged.archive.mpk.plugins if plugin.processor == "A65"]
    assert len(findings) == len(plugins)
    sizes = [sum(port.size or 0 for port in (*plugin.inputs, *plugin.outputs)) for plugin in plugins]
    assert sorted(found.bytes or 0 for found in findings) == sorted(sizes)
    assert all((found.steps or 0) > 1 for found in findings)


def test_a_network_ends_where_it_is_cut(tmp_path: Path) -> None:
    original = headed.detector()
    result = Model.from_onnx(original).compile(tmp_path, cut_at=["boxes", "scores"])
    assert result.verdict == "1 MLA segment, 0 host layers"
    assert [port.name for port in result.archive.mpk.plugins[-1].outputs] == ["boxes", "scores"]
    model = Model.from_onnx(original, cut_at=["boxes", "scores"])
    assert model.outputs == {"boxes": (4, 4, 4), "scores": (3, 4, 4)}
    assert_reference_agrees(original, model=model)


@pytest.mark.needs_qemu_aarch64
def test_machine_code_gives_the_same_bits_after_a_warning(
    judged: Judged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["simulate", str(judged.archive.path), "--output", str(tmp_path / "y.npz"), "--json"]
    assert main([*command, "--native"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["native"] is True
    assert printed.err.startswith("warning: running machine code out of the archive under qemu, with your rights: ")
    assert judged.archive.host_files[0] in printed.err
    wanted = simulate(judged.archive, random_inputs(judged.archive)).outputs
    with np.load(tmp_path / "y.npz") as found:
        assert sorted(found) == sorted(wanted)
        assert all(found[name].tobytes() == value.tobytes() for name, value in wanted.items())

"""Cycle ratios that must not regress: deterministic, cheap, and for networks that can be generated anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Machine, Model, quantize
from sima_compiler.frontend.light_models import light_model
from tests.benchmarks.alike import charged_alike
from tests.benchmarks.networks import WITHOUT_FOLDER, efficientnet_b0, shared_folder, up_to_scores
from tests.benchmarks.published import LAYER_CYCLES, OFFLINE_BATCH, OFFLINE_RATE, documented_layer
from tests.benchmarks.scaling import synthetic
from tests.benchmarks.sram import audit
from tests.benchmarks.tables import Row, Section
from tests.benchmarks.vela import CHARGES, MACHINES
from tests.networks.topologies import mobilenet_v2
from tests.support.qdq_writer import Style, random_inputs, write_qdq


def light_resnet50() -> onnx.ModelProto:
    return up_to_scores("resnet50")


def light_squeezenet() -> onnx.ModelProto:
    return up_to_scores("squeezenet")


def light_squeezenet_to_its_end() -> onnx.ModelProto:
    return light_model("squeezenet")


#: Builder, batch, and the largest runtime over `bound_cycles` and over `padded_bound_cycles`, on a machine whose layers
#: begin at no cost. What is left beside the latter are pixels that the tiles do not share evenly, and what drains.
RATIOS = {
    "resnet50": (light_resnet50, 1, 1.012, 1.011),
    "resnet50 at 8": (light_resnet50, 8, 1.045, 1.019),
    "squeezenet": (light_squeezenet, 1, 1.5, 1.19),
    "squeezenet with its softmax": (light_squeezenet_to_its_end, 1, None, 1.19),
    "mobilenet_v2": (mobilenet_v2, 1, 1.06, 1.055),
    "mobilenet_v2 at 8": (mobilenet_v2, 8, None, 1.067),
    "efficientnet_b0": (efficientnet_b0, 1, 1.31, 1.19),
    "efficientnet_b0 at 8": (efficientnet_b0, 8, None, 1.083),
}


#: The same on the machine as it is, over `padded_bound_cycles` alone: the other bound knows of no starts.
WITH_STARTS = {
    "resnet50": 1.011,
    "resnet50 at 8": 1.015,
    "squeezenet": 1.06,
    "squeezenet with its softmax": 1.06,
    "mobilenet_v2": 1.045,
    "mobilenet_v2 at 8": 1.019,
    "efficientnet_b0": 1.047,
    "efficientnet_b0 at 8": 1.024,
}
assert WITH_STARTS.keys() == RATIOS.keys()


@pytest.fixture(scope="module")
def free_starts(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`mlsoc` without the line that says what it takes to begin a layer."""
    lines = Machine.load("mlsoc").text.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("start_cycles:")]
    assert len(kept) == len(lines) - 1
    path = tmp_path_factory.mktemp("machine") / "free_starts.yaml"
    path.write_text("".join(kept), "utf-8")
    return str(path)


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory):
    folder, made = tmp_path_factory.mktemp("ratios"), dict[str, Model]()

    def make(builder) -> Model:
        name = builder.__name__
        if name not in made:
            path = folder / f"{name}.onnx"
            made[name] = _quantized(builder(), path)
        return made[name]

    return make


def _quantized(network: onnx.ModelProto, path: Path) -> Model:
    """By onnxruntime where there are normalizations to fold, else by the tests' own writer, which is faster."""
    if path.stem.startswith("light_"):
        onnx.save(network, path)
        return quantize(str(path), [random_inputs(network, 1, np.random.default_rng(0))], model_name=path.stem)
    onnx.save(write_qdq(network, 3, Style()), path)
    return Model.from_onnx(path)


@pytest.mark.parametrize("case", RATIOS)
def test_runtime_stays_near_the_bounds(quantized, tmp_path: Path, free_starts: str, case: str) -> None:
    builder, batch, bound, padded = RATIOS[case]
    result = quantized(builder).compile(str(tmp_path), batch_size=batch, machine=free_starts)
    assert result.actual_batch_size == batch
    if bound is not None:
        assert result.runtime_cycles <= bound * result.bound_cycles
    assert result.runtime_cycles <= padded * result.padded_bound_cycles


@pytest.mark.parametrize("case", WITH_STARTS)
def test_runtime_stays_near_the_bound_that_counts_starts(quantized, tmp_path: Path, case: str) -> None:
    builder, batch, *_ = RATIOS[case]
    result = quantized(builder).compile(str(tmp_path), batch_size=batch)
    assert result.actual_batch_size == batch
    assert result.padded_bound_cycles <= result.runtime_cycles <= WITH_STARTS[case] * result.padded_bound_cycles


def test_a_start_is_fitted_to_the_documented_layer_and_to_nothing_else(quantized, tmp_path: Path) -> None:
    archive = quantized(light_resnet50).compile(str(tmp_path)).archive
    assert documented_layer(archive) == LAYER_CYCLES


def test_the_offline_row_is_a_prediction_within_five_percent(quantized, tmp_path: Path) -> None:
    """MLPerf's batch of 14: a throughput, in which the host's work hides behind the chip's."""
    result = quantized(light_resnet50).compile(str(tmp_path), batch_size=OFFLINE_BATCH)
    assert result.actual_batch_size == OFFLINE_BATCH
    rate = OFFLINE_BATCH / result.runtime_cycles * 1e9
    assert abs(rate / OFFLINE_RATE - 1) <= 0.05
    assert result.padded_bound_cycles <= result.runtime_cycles <= 1.012 * result.padded_bound_cycles


def test_the_peers_machine_runs_mobilenet_and_the_audit_finds_nothing_to_add(quantized, tmp_path: Path) -> None:
    machine = str(MACHINES / "ethos_u85_2048.yaml")
    found = audit(quantized(mobilenet_v2).compile(str(tmp_path), machine=machine).archive)
    assert found.runtime == found.audited <= 425_000
    assert not found.layers


def test_charges_that_only_the_peer_makes_add_up_on_our_side_too(quantized, tmp_path: Path) -> None:
    """No charge makes a program faster, none of them is nothing here, and all together are more than any of them."""
    machine = str(MACHINES / "ethos_u85_2048.yaml")
    found = charged_alike(quantized(mobilenet_v2).compile(str(tmp_path), machine=machine).archive)
    assert set(found.each) == set(CHARGES)
    assert all(found.runtime < cycles < found.together for cycles in found.each.values())
    # 17,056 output channels of convolutions, ten bytes each at 0.41 bytes per cycle, and again for blocks of pixels.
    assert found.each["scales"] > 17_056 * 10 / 0.41


def test_the_audit_finds_what_a_machine_does_not_charge(quantized, tmp_path: Path) -> None:
    text = (MACHINES / "ethos_u85_2048.yaml").read_text("utf-8")
    bare = tmp_path / "bare.yaml"
    bare.write_text("".join(line for line in text.splitlines(keepends=True) if "_port_" not in line), "utf-8")
    found = audit(quantized(mobilenet_v2).compile(str(tmp_path), machine=str(bare)).archive)
    assert found.audited - found.runtime == sum(extra for _, extra in found.layers) > 5_000


@pytest.mark.parametrize("path", sorted(MACHINES.glob("*.yaml")), ids=lambda path: path.stem)
def test_machine_files_are_complete_and_every_field_has_a_source(path: Path) -> None:
    machine = Machine.load(path)
    assert machine.name == path.stem
    table = (MACHINES / "README.md").read_text("utf-8")
    assert f"`{path.name}`" in table
    for line in machine.text.splitlines():
        field = line.partition(":")[0]
        assert line.startswith("#") or field == "name" or field in table, field


@pytest.mark.parametrize("kind", ["chain", "branchy", "fan_out"])
def test_synthetic_graphs_have_the_layers_that_they_promise(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    onnx.save(synthetic(kind, 60), path)
    archive = Model.from_onnx(path).compile(str(tmp_path)).archive
    assert archive.report is not None
    assert 45 <= len(archive.report.layers) <= 60


def test_a_table_says_which_rows_miss_their_limit() -> None:
    rows = [Row("a", {"x": "1"}, 0.5, 0.6), Row("b", {"x": "2"}, 0.7, 0.6), Row("c", {"x": "3"})]
    section = Section("Title", "command", "Text.", rows)
    assert section.missed == [rows[1]]
    assert "| b | 2 | 0.7 | 0.6 | MISS |" in section.markdown()


def test_without_the_folder_a_sentence_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMA_NB_BENCH_NETWORKS", raising=False)
    assert shared_folder() is None
    assert "SIMA_NB_BENCH_NETWORKS" in WITHOUT_FOLDER

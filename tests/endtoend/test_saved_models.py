"""Files that leave the house: saved models open in onnx and onnxruntime, archives in tar, json and PyYAML."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import yaml

from sima_compiler import Archive, Model, simulate
from tests.support.judges import model_inputs
from tests.support.oracle import differing, run_onnxruntime

NETWORKS = ["mobilenet_v2_small", "yolo_style_small", "unet_small", "light_squeezenet"]


@pytest.fixture(scope="module", params=NETWORKS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def archive_path(quantized_networks, name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(name)
    return Path(quantized_networks(name).compile(output_path=str(folder), batch_size=2).path)


def test_onnx_and_onnxruntime_accept_the_saved_model(quantized_networks, name: str) -> None:
    path = quantized_networks.path(name)
    onnx.checker.check_model(onnx.load_from_string(path.read_bytes()), full_check=True)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    model = quantized_networks(name)
    assert [value.name for value in session.get_inputs()] == list(model.graph.inputs)
    keys = {item.key for item in onnx.load_from_string(path.read_bytes()).metadata_props}
    assert any(key.startswith("sima.") for key in keys)


def test_saving_and_loading_changes_nothing(quantized_networks, name: str, tmp_path: Path) -> None:
    model = quantized_networks(name)
    model.save("again", str(tmp_path))
    again = Model.load("again.sima", str(tmp_path))
    inputs = model_inputs(model, 2, 3)
    for expected, found in zip(model.execute(inputs), again.execute(inputs), strict=True):
        assert not differing(expected, found)


def test_the_oracle_form_is_a_model_of_its_own(quantized_networks, name: str) -> None:
    model = quantized_networks(name)
    for uint8 in (False, True):
        form = model.to_onnx(uint8=uint8)
        onnx.checker.check_model(form, full_check=True)
        results = run_onnxruntime(form, model_inputs(model, 1, 0))
        assert list(results) == list(model.graph.outputs)


def test_tar_lists_the_archive(archive_path: Path, name: str) -> None:
    listed = subprocess.run(["tar", "tzf", archive_path], capture_output=True, text=True, check=True).stdout.split()
    expected = {
        f"{name}_mpk.json",
        f"{name}_stage1_mla.lm",
        f"{name}_stage1_mla_stats.yaml",
        f"{name}_compile_report.json",
    }
    assert set(listed) == expected
    assert len(listed) == len(expected)


def test_json_and_yaml_read_the_parts(archive_path: Path, name: str) -> None:
    parts = read_parts(archive_path)
    mpk = json.loads(parts[f"{name}_mpk.json"])
    assert mpk["name"] == name
    mla = [plugin for plugin in mpk["plugins"] if plugin["processor"] == "MLA"]
    assert [plugin["config_params"]["desired_batch_size"] for plugin in mla] == [2]
    assert mla[0]["config_params"]["actual_batch_size"] == Archive.open(archive_path).batch.actual
    assert mla[0]["resources"]["executable"] in parts
    assert isinstance(json.loads(parts[f"{name}_compile_report.json"])["schema_version"], str | int)


def test_stats_follow_the_published_form(archive_path: Path, name: str) -> None:
    text = read_parts(archive_path)[f"{name}_stage1_mla_stats.yaml"].decode()
    layers: dict[int, dict[str, Any]] = yaml.safe_load(text)
    assert all(type(key) is int for key in layers)
    assert list(layers) == sorted(layers)
    expected_start = 0
    for key, entry in layers.items():
        assert list(entry) == ["name", "start_cycle", "end_cycle"]
        assert re.fullmatch(r"MLA_0/[a-z0-9_]+_(\d+)", entry["name"])
        assert key == int(entry["name"].rsplit("_", 1)[1]) + 1
        assert entry["start_cycle"] == expected_start
        assert entry["end_cycle"] >= entry["start_cycle"]
        expected_start = entry["end_cycle"] + 1
    lines = text.splitlines()
    assert re.fullmatch(r"\d+:", lines[0])
    assert re.fullmatch(r"  name: \S+", lines[1])


def test_the_runtime_adds_up(quantized_networks, archive_path: Path, name: str) -> None:
    """Runtime = compute + every named stall; the compute part is what the stats file says."""
    archive = Archive.open(archive_path)
    assert archive.batch.actual is not None
    run = simulate(archive, model_inputs(quantized_networks(name), archive.batch.actual, 0))
    compute = sum(layer.end_cycle - layer.start_cycle + 1 for layer in archive.stats.layers)
    stalls = sum(run.trace.stall_cycles.values())
    assert run.trace.compute_cycles == compute
    assert run.trace.runtime_cycles == compute + stalls
    bound = archive.report.bound_cycles
    assert bound is not None
    assert run.trace.runtime_cycles >= bound


def read_parts(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        streams = {item.name: archive.extractfile(item) for item in archive.getmembers()}
        return {key: stream.read() for key, stream in streams.items() if stream is not None}

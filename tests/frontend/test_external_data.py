"""Weights in files beside the model: read from the model's folder and from nowhere else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from sima_compiler import Model, ModelError, quantize
from tests.support.oracle import differing, run_onnxruntime
from tests.support.qdq_graph import QdqGraph


def network() -> onnx.ModelProto:
    net = QdqGraph()
    net.output(net.pair(net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3), axis=0))))
    return net.model()


def moved_out(model: onnx.ModelProto, **place: str) -> bytes:
    """The weights' bytes; ``model`` says instead where they lie."""
    tensor = next(entry for entry in model.graph.initializer if len(entry.dims) == 4)
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    return data


def same(path: Path) -> None:
    inputs = {"image": np.random.default_rng(0).standard_normal((2, 3, 6, 6), dtype=np.float32)}
    (expected,) = run_onnxruntime(network(), inputs).values()
    assert not differing(expected, Model.from_onnx(path).execute(inputs)[0])


@pytest.mark.parametrize("location", ["weights.bin", "./weights.bin", "data/weights.bin", "wéights.bin"])
def test_beside_the_model(location: str, tmp_path: Path) -> None:
    model = network()
    data = moved_out(model, location=location, offset="16", length="108")
    target = tmp_path / location
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(bytes(16) + data + b"more")
    onnx.save(model, tmp_path / "net.onnx")
    same(tmp_path / "net.onnx")


def test_from_another_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    (tmp_path / "weights.bin").write_bytes(moved_out(model, location="weights.bin"))
    onnx.save(model, tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    same(Path("net.onnx"))


def outside(folder: Path, data: bytes) -> Path:
    path = folder.parent / "outside.bin"
    path.write_bytes(data)
    return path


def absolute(folder: Path, data: bytes) -> str:
    return str(outside(folder, data))


def absolute_inside(folder: Path, data: bytes) -> str:
    (folder / "weights.bin").write_bytes(data)
    return str(folder / "weights.bin")


def upwards(folder: Path, data: bytes) -> str:
    return f"../{outside(folder, data).name}"


def upwards_and_back(folder: Path, data: bytes) -> str:
    (folder / "weights.bin").write_bytes(data)
    return f"../{folder.name}/weights.bin"


def backslashes(folder: Path, data: bytes) -> str:
    (folder / "..\\weights.bin").write_bytes(data)
    return "..\\weights.bin"


def link_out(folder: Path, data: bytes) -> str:
    (folder / "weights.bin").symlink_to(outside(folder, data))
    return "weights.bin"


def folder_that_leads_out(folder: Path, data: bytes) -> str:
    (folder / "data").symlink_to(outside(folder, data).parent)
    return "data/outside.bin"


def link_to_itself(folder: Path, data: bytes) -> str:
    (folder / "weights.bin").symlink_to(folder / "weights.bin")
    return "weights.bin"


def pipe(folder: Path, data: bytes) -> str:
    os.mkfifo(folder / "weights.bin")
    return "weights.bin"


def device(folder: Path, data: bytes) -> str:
    return "/dev/zero"


def a_folder(folder: Path, data: bytes) -> str:
    (folder / "weights.bin").mkdir()
    return "weights.bin"


def missing(folder: Path, data: bytes) -> str:
    return "weights.bin"


def nameless(folder: Path, data: bytes) -> str:
    return ""


def short(folder: Path, data: bytes) -> str:
    (folder / "weights.bin").write_bytes(data[:50])
    return "weights.bin"


@pytest.mark.parametrize(
    "place",
    [absolute, absolute_inside, upwards, upwards_and_back, backslashes, link_out, folder_that_leads_out, link_to_itself,
     pipe, device, a_folder, missing, nameless, short],
)  # fmt: skip
def test_anything_else_is_one_error_that_names_the_tensor(place: Callable[[Path, bytes], str], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    model = network()
    tensor = next(entry for entry in model.graph.initializer if len(entry.dims) == 4)
    data = moved_out(model)
    tensor.external_data.add(key="location", value=place(folder, data))
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        Model.from_onnx(path)
    assert repr(tensor.name) in caught.value.message
    with pytest.raises(ModelError):
        quantize(path, [{"image": np.zeros((1, 3, 6, 6), np.float32)}])
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("key", "value"), [("offset", "-1"), ("offset", "x"), ("length", "9" * 30), ("offset", "5000")]
)
def test_places_that_are_no_places(key: str, value: str, tmp_path: Path) -> None:
    model = network()
    (tmp_path / "weights.bin").write_bytes(moved_out(model, location="weights.bin", **{key: value}))
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="constant_"):
        Model.from_onnx(tmp_path / "net.onnx")


def test_a_parsed_model_whose_weights_were_not_loaded() -> None:
    model = network()
    moved_out(model, location="weights.bin")
    with pytest.raises(ModelError, match="another file, which was not loaded") as caught:
        Model.from_onnx(model)
    assert "path" in caught.value.hint

"""`.sima` files: standard ONNX with metadata, refused with one clear sentence when they are anything else."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import onnx
import onnxruntime
import pytest

from sima_compiler import ForeignModelError, Model, ModelError, OptionError, OutputError
from sima_compiler.frontend.container import FORMAT_VERSION
from tests.support.judges import model_inputs
from tests.support.oracle import differing
from tests.support.qdq_graph import QdqGraph


@pytest.fixture
def model() -> Model:
    net = QdqGraph()
    net.output(net.pair(net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3), axis=0))))
    return Model.from_onnx(net.model(), "small")


def test_the_file_is_standard_int8_onnx_with_metadata(model: Model, tmp_path: Path) -> None:
    path = model.save("kept", tmp_path)
    assert path == tmp_path / "kept.sima"
    proto = onnx.load_from_string(path.read_bytes())
    onnx.checker.check_model(proto, full_check=True)
    onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    entries = {entry.key: entry.value for entry in proto.metadata_props}
    assert entries["sima.format_version"] == FORMAT_VERSION
    assert entries["sima.name"] == "kept"
    types = {entry.data_type for entry in proto.graph.initializer}
    assert onnx.TensorProto.INT8 in types
    assert onnx.TensorProto.UINT8 not in types


@pytest.mark.parametrize("name", ["kept", "kept.sima"])
def test_loading_gives_the_same_model(model: Model, tmp_path: Path, name: str) -> None:
    model.save(name, tmp_path)
    again = Model.load(name, tmp_path)
    assert again.name == "kept"
    assert again.checksum == Model.load("kept", str(tmp_path)).checksum
    inputs = model_inputs(model, 2, 0)
    assert not differing(model.execute(inputs)[0], again.execute(inputs)[0])


def test_saving_twice_gives_the_same_bytes(model: Model, tmp_path: Path) -> None:
    first = model.save("kept", tmp_path).read_bytes()
    assert Model.load("kept", tmp_path).save("kept", tmp_path).read_bytes() == first


def zip_bytes() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("model.json", "{}")
    return stream.getvalue()


def tar_bytes() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.json"))
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [zip_bytes(), tar_bytes(), pickle.dumps({"net": 1}), b"\x1f\x8b\x08\x00" + bytes(40)],
    ids=["zip", "tar", "pickle", "gzip"],
)
def test_the_vendors_container_is_told_apart(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "theirs.sima").write_bytes(data)
    with pytest.raises(ForeignModelError, match=r"theirs\.sima.*vendor") as caught:
        Model.load("theirs", tmp_path)
    assert "quantize" in caught.value.hint


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    (tmp_path / "trap.sima").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ForeignModelError):
        Model.load("trap", tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_every_truncation_is_a_model_error(model: Model, tmp_path: Path) -> None:
    path = model.save("kept", tmp_path)
    data = path.read_bytes()
    for length in range(0, len(data), max(1, len(data) // 60)):
        path.write_bytes(data[:length])
        with pytest.raises(ModelError):
            Model.load("kept", tmp_path)


@pytest.mark.parametrize(("version", "accepted"), [("1.0", True), ("1.9", True), ("2.0", False), ("new", False)])
def test_a_newer_major_version_is_refused(model: Model, tmp_path: Path, version: str, accepted: bool) -> None:
    path = model.save("kept", tmp_path)
    proto = onnx.load_from_string(path.read_bytes())
    for entry in proto.metadata_props:
        if entry.key == "sima.format_version":
            entry.value = version
    path.write_bytes(proto.SerializeToString())
    if accepted:
        assert Model.load("kept", tmp_path).graph.inputs == ("image",)
    else:
        with pytest.raises(ModelError, match="version"):
            Model.load("kept", tmp_path)


def test_the_folder_is_made_when_its_parent_exists(model: Model, tmp_path: Path) -> None:
    assert model.save("kept", tmp_path / "new").is_file()
    with pytest.raises(OutputError, match="missing"):
        model.save("kept", tmp_path / "missing" / "new")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        model.save("kept", tmp_path / "file")


def test_a_failed_write_leaves_the_old_file(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model.save("kept", tmp_path).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        model.save("kept", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.sima"]
    assert (tmp_path / "kept.sima").read_bytes() == before


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "a\0b"])
def test_names_that_are_no_file_names(model: Model, tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="name"):
        model.renamed(name)
    if name:
        with pytest.raises(OptionError, match="name"):
            model.save(name, tmp_path)

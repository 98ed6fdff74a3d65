"""Bad input of every kind: one clear error of ours each, and nothing half-written."""

from __future__ import annotations

import errno
import io
import os
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from sima_compiler import (
    Archive,
    CalibrationError,
    InputError,
    LmError,
    Model,
    ModelError,
    OptionError,
    OutputError,
    SimaError,
    UnsupportedError,
    quantize,
    simulate,
)
from tests.networks.float_net import FloatNet
from tests.support.on_mla import on_mla
from tests.support.qdq_writer import Style, random_inputs, write_qdq


def float_model(batch: int | str = "N") -> onnx.ModelProto:
    net = FloatNet(5, batch)
    x = net.conv(net.input((3, 9, 9), "image"), 8, 3)
    return net.model([net.dense(net.flatten(net.unary("Relu", x)), 4)], "small")


def quantized(tmp_path: Path) -> Path:
    path = tmp_path / "small.onnx"
    onnx.save(write_qdq(float_model(), 5, Style()), path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model.from_onnx(quantized(tmp_path))


def refused(kind: type[SimaError], action: Callable[[], Any], *words: str) -> SimaError:
    """The error of exactly that family that ``action`` raises; its text must hold every word."""
    with pytest.raises(kind) as caught:
        action()
    text = str(caught.value)
    for word in words:
        assert word in text, text
    assert "Traceback" not in text
    return caught.value


# --- models -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"hello, I am a text\n", bytes(range(256)) * 20, b"\x89PNG\r\n\x1a\n" + b"\0" * 99]
)
def test_a_file_that_is_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.onnx"
    path.write_bytes(content)
    refused(ModelError, lambda: Model.from_onnx(path), "photo.onnx")
    refused(ModelError, lambda: quantize(str(path), [{"image": np.zeros((1, 3, 9, 9), np.float32)}]), "photo.onnx")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(tmp_path: Path, part: float) -> None:
    path = quantized(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    refused(ModelError, lambda: Model.from_onnx(path), "small.onnx")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.999])
def test_a_truncated_saved_model(model: Model, tmp_path: Path, part: float) -> None:
    model.save("small", str(tmp_path))
    path = tmp_path / "small.sima"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    refused(ModelError, lambda: Model.load("small", str(tmp_path)), "small.sima")


def test_a_missing_file(tmp_path: Path) -> None:
    refused(ModelError, lambda: Model.from_onnx(tmp_path / "nowhere.onnx"), "nowhere.onnx")
    refused(ModelError, lambda: Model.load("nowhere", str(tmp_path)), "nowhere.sima")


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    refused(ModelError, lambda: Model.from_onnx(tmp_path), tmp_path.name)


def test_a_float_model_without_calibration(tmp_path: Path) -> None:
    path = tmp_path / "float.onnx"
    onnx.save(float_model(), path)
    error = refused(ModelError, lambda: Model.from_onnx(path), "float.onnx", "calibration")
    assert error.hint
    refused(CalibrationError, lambda: quantize(str(path), []))


def test_an_operator_that_nobody_knows(tmp_path: Path) -> None:
    made = write_qdq(float_model(), 5, Style())
    relu = next(node for node in made.graph.node if node.op_type == "Relu")
    relu.op_type, relu.domain = "Frobnicate", "com.example"
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    path = tmp_path / "odd.onnx"
    onnx.save(made, path)
    error = refused(UnsupportedError, lambda: Model.from_onnx(path), "Frobnicate", relu.name)
    assert isinstance(error, UnsupportedError)
    assert error.operator == "Frobnicate"
    assert error.node == relu.name
    assert error.rule


def test_an_operator_outside_of_the_rules(tmp_path: Path) -> None:
    net = FloatNet(0)
    x = net.conv(net.input((3, 70, 70), "image"), 4, 1, stride=32)
    path = tmp_path / "stride.onnx"
    onnx.save(write_qdq(net.model([x]), 0, Style()), path)
    error = refused(UnsupportedError, lambda: on_mla(path), "32", "31", "Conv")
    assert isinstance(error, UnsupportedError)
    assert error.rule


def test_a_batch_that_is_not_the_first_dimension(tmp_path: Path) -> None:
    """Reshape folds the batch into the channels: no batch is left in front of the result."""
    net = FloatNet(0, 2)
    x = net.unary("Relu", net.input((3, 4, 4), "image"))
    target = net.constant(np.array([1, 6, 4, 4], np.int64), "shape")
    net.batch = 1
    y = net.node("Reshape", [x, target], (6, 4, 4))
    net.batch = 2
    made = net.model([net.unary("Relu", x), y])
    made.graph.output[1].type.tensor_type.shape.dim[0].dim_value = 1
    path = tmp_path / "folded.onnx"
    onnx.save(write_qdq(made, 0, Style()), path)
    refused(ModelError, lambda: Model.from_onnx(path), "batch")


# --- calibration and inputs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_calibration_that_is_not_finite(tmp_path: Path, poison: float) -> None:
    path = tmp_path / "float.onnx"
    onnx.save(float_model(), path)
    sample = random_inputs(float_model(), 1, np.random.default_rng(0))
    sample["image"][0, 1, 2, 3] = poison
    refused(CalibrationError, lambda: quantize(str(path), [sample]), "image")


@pytest.mark.parametrize("shape", [(1, 3, 9, 8), (3, 9, 9), (1, 9, 9, 3)])
def test_calibration_of_another_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "float.onnx"
    onnx.save(float_model(), path)
    refused(CalibrationError, lambda: quantize(str(path), [{"image": np.ones(shape, np.float32)}]), "image")
    refused(CalibrationError, lambda: quantize(str(path), [{"picture": np.ones((1, 3, 9, 9), np.float32)}]), "picture")


@pytest.mark.parametrize(
    ("inputs", "word"),
    [
        ({}, "image"),
        ({"picture": np.zeros((1, 3, 9, 9), np.float32)}, "picture"),
        ({"image": np.zeros((1, 3, 9, 8), np.float32)}, "9"),
        ({"image": np.zeros((3, 9, 9), np.float32)}, "batch"),
        ({"image": np.zeros((0, 3, 9, 9), np.float32)}, "batch"),
        ({"image": np.zeros((1, 3, 9, 9), np.float32), "more": np.zeros(1, np.float32)}, "more"),
    ],
    ids=["missing", "unknown", "shape", "rank", "empty", "extra"],
)
def test_inputs_that_do_not_fit(model: Model, tmp_path: Path, inputs: dict[str, np.ndarray], word: str) -> None:
    refused(InputError, lambda: model.execute(inputs), word)
    archive = Archive.open(model.compile(output_path=str(tmp_path)).path)
    refused(InputError, lambda: simulate(archive, inputs), word)


def test_a_batch_other_than_the_actual_one(model: Model, tmp_path: Path) -> None:
    archive = Archive.open(model.compile(output_path=str(tmp_path), batch_size=2).path)
    inputs = {"image": np.zeros((3, 3, 9, 9), np.float32)}
    refused(InputError, lambda: simulate(archive, inputs), "3", "2")


# --- options and the output folder --------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [0, -1, -16, 1.5, "4", True, None])
def test_a_batch_size_that_is_none(model: Model, tmp_path: Path, batch: Any) -> None:
    before = sorted(tmp_path.iterdir())
    refused(OptionError, lambda: model.compile(output_path=str(tmp_path), batch_size=batch), "batch_size", repr(batch))
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_output_folder_or_a_file_in_its_place(model: Model, tmp_path: Path) -> None:
    missing = tmp_path / "not" / "there"
    refused(OutputError, lambda: model.compile(output_path=str(missing)), str(missing), f"exists is {tmp_path}")
    assert not (tmp_path / "not").exists()
    file = tmp_path / "small.onnx"
    refused(OutputError, lambda: model.compile(output_path=str(file)), str(file))


WITHOUT_ROOT = """
import os, sys
from sima_compiler import Model, ModelError, OutputError
source, free, private, locked = sys.argv[1:]
model = Model.from_onnx(source)
model.compile(output_path=free)  # every module is in memory before this process gives up its rights
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for folder in (private, locked):
    for write in (model.compile, lambda output_path: model.save("other", output_path)):
        try:
            write(output_path=folder)
        except OutputError as error:
            print(error)
        else:
            sys.exit(f"written into {folder}")
for read in (Model.from_onnx, Model.load):
    try:
        read(private + "/model.sima")
    except ModelError as error:
        print(error)
    else:
        sys.exit("read from a folder that is not ours")
"""


def test_folders_without_permission(tmp_path: Path) -> None:
    """Read-only, or behind a folder that is closed to us; in a process without root, for whom permissions count."""
    free, private = tmp_path / "free", tmp_path / "closed" / "private"
    for folder in (free, private):
        folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        locked = Path(name)
        private.parent.chmod(0o700)
        locked.chmod(0o555)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", WITHOUT_ROOT, *map(str, (quantized(tmp_path), free, private, locked))]
        if os.getuid():
            private.parent.chmod(0)
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
        private.parent.chmod(0o700)
        assert not list(locked.iterdir())
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("Permission denied") == 6, run.stdout
    assert not list(private.iterdir())


@pytest.mark.parametrize("moment", ["while writing", "at the flush to disk", "at the renaming"])
def test_a_full_disk_leaves_the_old_archive(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The earlier archive stays as it was, and nothing else appears in the folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    old = Path(model.compile(output_path=str(folder)).path)
    before = old.read_bytes()
    with full_disk(monkeypatch, moment):
        refused(OutputError, lambda: model.compile(output_path=str(folder), batch_size=2), str(folder))
        refused(OutputError, lambda: model.save("other", str(folder)), str(folder))
    assert [path.name for path in folder.iterdir()] == [old.name]
    assert old.read_bytes() == before


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch, moment: str) -> Generator[None]:
    """While writing: the kernel stops files at 200 bytes. Later: the system call says that no space is left."""

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with monkeypatch.context() as patch:
        if moment == "at the flush to disk":
            patch.setattr(os, "fsync", full)
        elif moment == "at the renaming":
            for owner, name in ((os, "replace"), (os, "rename"), (Path, "replace"), (Path, "rename")):
                patch.setattr(owner, name, full)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, previous)


# --- damaged binaries ---------------------------------------------------------------------------------------------


def test_a_flipped_byte_in_the_binary_inside_an_archive(model: Model, tmp_path: Path) -> None:
    """Repacked as a well-formed archive: only the binary's own checksums can tell."""
    path = Path(model.compile(output_path=str(tmp_path), batch_size=2).path)
    samples = Archive.open(path).batch.actual or 0
    inputs = {"image": np.zeros((samples, 3, 9, 9), np.float32)}
    length = sum(len(data) for name, data in members(path) if name.endswith(".lm"))
    damaged = tmp_path / "damaged_mpk.tar.gz"
    for place in np.random.default_rng(0).integers(0, length, 25):
        repack(path, damaged, lambda data, at=int(place): data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        refused(LmError, lambda: simulate(Archive.open(damaged), inputs))


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_truncated_binary_inside_an_archive(model: Model, tmp_path: Path, kept: float) -> None:
    path = Path(model.compile(output_path=str(tmp_path)).path)
    damaged = tmp_path / "damaged_mpk.tar.gz"
    repack(path, damaged, lambda data: data[: int(len(data) * kept)])
    refused(LmError, lambda: simulate(Archive.open(damaged), {"image": np.zeros((1, 3, 9, 9), np.float32)}))


def members(path: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        found = [(item.name, archive.extractfile(item)) for item in archive.getmembers()]
        return [(name, stream.read()) for name, stream in found if stream is not None]


def repack(source: Path, target: Path, change: Callable[[bytes], bytes]) -> None:
    """The same archive with every ``.lm`` changed."""
    with tarfile.open(target, "w:gz") as archive:
        for name, data in members(source):
            item = tarfile.TarInfo(name)
            content = change(data) if name.endswith(".lm") else data
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))

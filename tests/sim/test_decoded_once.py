"""An opened archive keeps its decoded programs: the second run neither inflates nor decodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Archive, Model, simulate
from sima_compiler.archive import programs
from sima_compiler.errors import LmError
from sima_compiler.lm.reader import LmFile, read
from tests.networks.float_net import FloatNet
from tests.support.qdq_writer import Style, write_qdq


def compiled(folder: Path) -> Archive:
    net = FloatNet(3)
    model = net.model([net.conv(net.input((3, 8, 8), "image"), 8, 3)], "small")
    return Model.from_onnx(write_qdq(model, 3, Style()), "small").compile(folder, machine="tiny").archive


def test_programs_are_decoded_by_the_first_run_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []

    def noted(data: bytes) -> LmFile:
        decoded.append(len(data))
        return read(data)

    monkeypatch.setattr(programs, "read", noted)
    archive = compiled(tmp_path)
    image = np.random.default_rng(0).standard_normal((1, 3, 8, 8), dtype=np.float32)
    first, second = (simulate(archive, {"image": image}) for _ in range(2))
    assert len(decoded) == 1
    for name, values in first.outputs.items():
        assert np.array_equal(values, second.outputs[name])
    assert first.trace == second.trace
    simulate(Archive.open(archive.path), {"image": image})
    assert len(decoded) == 2


def test_what_cannot_be_decoded_is_an_error_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(data: bytes) -> LmFile:
        raise LmError("damaged")

    monkeypatch.setattr(programs, "read", damaged)
    archive = compiled(tmp_path)
    for _ in range(2):
        with pytest.raises(LmError, match="damaged"):
            archive.decoded()

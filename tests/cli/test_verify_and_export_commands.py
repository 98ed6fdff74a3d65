"""`simac verify` and `simac export`: text, JSON, samples, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import verification


@pytest.mark.parametrize("words", [["small.onnx"], ["small.sima"], ["float.onnx", "--calibration-random", "2"]])
def test_an_exact_model_ends_with_0(simac, samples: Path, words: list[str]) -> None:
    done = simac("verify", samples / words[0], *words[1:], "--json", "--layers")
    assert done.code == 0
    assert done.json["exact"] is True
    assert done.json["layers"]
    assert "error" not in done.json
    text = simac("verify", samples / words[0], *words[1:])
    assert f"verdict  {done.json['verdict']}" in text.out


def test_a_difference_ends_with_1(simac, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = verification.simulate

    def lying(archive, inputs):
        run = honest(archive, inputs)
        return type(run)({name: array + 1 for name, array in run.outputs.items()}, run.quantized, run.trace)

    monkeypatch.setattr(verification, "simulate", lying)
    done = simac("verify", samples / "small.onnx", "--json")
    assert done.code == 1
    assert done.json["exact"] is False
    assert done.json["error"]["type"] == "VerifyFailed"
    assert done.json["error"]["message"].startswith("differs: 10 elements")


def test_samples_come_from_a_file_or_a_seed(simac, samples: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", image=np.random.default_rng(0).random((3, 3, 8, 8), np.float32))
    assert simac("verify", samples / "small.onnx", "--input", tmp_path / "x.npz", "--json").json["samples"] == 3
    assert simac("verify", samples / "small.onnx", "--samples", "4", "--seed", "1", "--json").json["samples"] == 4
    assert simac("verify", samples / "small.onnx", "--samples", "0", "--json").json["error"]["type"] == "OptionError"
    np.savez(tmp_path / "y.npz", image=np.zeros((3, 8, 8), np.float32))
    error = simac("verify", samples / "small.onnx", "--input", tmp_path / "y.npz", "--json").json["error"]
    assert error["type"] == "InputError"


def test_a_float_model_needs_samples_to_be_quantized(simac, samples: Path) -> None:
    error = simac("verify", samples / "float.onnx", "--json").json["error"]
    assert error["type"] == "ModelError"
    assert "--calibration" in error["hint"]


def test_export_writes_a_file_and_says_what_it_is(simac, samples: Path, tmp_path: Path) -> None:
    for option, form in (([], "int8"), (["--uint8"], "uint8")):
        done = simac("export", samples / "small.sima", "-o", tmp_path / f"{form}.onnx", *option, "--json")
        assert (done.code, done.json["form"]) == (0, form)
        onnx.checker.check_model(done.json["path"], full_check=True)
    text = simac("export", samples / "small.onnx", "-o", tmp_path)
    assert "small_int8.onnx" in text.out
    assert (tmp_path / "small_int8.onnx").is_file()
    made = simac("export", samples / "float.onnx", "--calibration-random", "2", "-o", tmp_path, "--json")
    assert "meaningless" in json.dumps(made.json["warnings"])


def test_export_refuses_other_names_and_missing_folders(simac, samples: Path, tmp_path: Path) -> None:
    for target in (tmp_path / "net.txt", tmp_path / "a" / "b" / "net.onnx"):
        done = simac("export", samples / "small.onnx", "-o", target, "--json")
        assert (done.code, done.json["error"]["type"]) == (1, "OutputError")
    assert list(tmp_path.iterdir()) == []

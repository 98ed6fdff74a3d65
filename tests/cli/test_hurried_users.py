"""Slips of the keyboard: each is answered with what was probably meant, before any work starts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.archives import vendor_archive


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["compile", "m.onnx", "--batchsize", "2"], "--batch-size"),
        (["compile", "m.onnx", "--no-compres"], None),  # a prefix is enough for argparse: the model is missing
        (["compile", "m.onnx", "--batch-size", "x"], "--help"),
        (["compare", "a_mpk.tar.gz"], "--help"),
        (["stats", "a_mpk.tar.gz", "--sorted", "start"], "--sort"),
        (["cmpile", "m.onnx"], "compile"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_wrong_usage_is_one_json_object_with_what_was_meant(simac, words: list[str], meant: str | None) -> None:
    done = simac(*words, "--json")
    error = done.json["error"]
    if meant is None:
        assert (done.code, error["type"]) == (1, "ModelError")
        return
    assert (done.code, error["type"]) == (2, "UsageError")
    assert meant in error["hint"]
    assert error["message"] in done.err
    human = simac(*words)
    assert (human.code, human.out) == (2, "")


def test_a_misspelt_model_and_a_folder_are_answered_with_the_files_that_are_there(simac, samples: Path) -> None:
    misspelt = simac("compile", samples / "smal.onnx", "--json").json["error"]
    assert (misspelt["type"], misspelt["hint"]) == ("ModelError", f"did you mean {samples / 'small.onnx'}?")
    folder = simac("compile", samples, "--json").json["error"]
    assert "a folder" in folder["message"]
    assert "small.onnx" in folder["hint"]


def test_files_of_another_kind_are_answered_with_the_command_for_them(simac, samples: Path, archive: Path) -> None:
    compiled = simac("compile", archive, "--json").json["error"]
    assert "simac inspect" in compiled["hint"]
    model = simac("stats", samples / "small.onnx", "--json").json["error"]
    assert "simac compile" in model["hint"]
    folder = simac("inspect", samples, "--json").json["error"]
    assert archive.name in folder["hint"]
    assert "no such file" in simac("inspect", samples / "nothing", "--json").json["error"]["message"]
    listing = simac("disassemble", samples / "small.onnx", "--json").json["error"]
    assert listing["message"].startswith("small.onnx: ")


def test_a_binary_of_the_vendor_is_called_that(simac, tmp_path: Path) -> None:
    error = simac("disassemble", vendor_archive(tmp_path), "--json").json["error"]
    assert error["type"] == "LmError"
    assert "vendor's SDK" in error["hint"]


def test_a_missing_output_folder_is_found_before_calibration(simac, samples: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", image=np.full((1, 3, 8, 8), np.nan, np.float32))
    words = (samples / "float.onnx", "--calibration", tmp_path / "bad.npz", "-o", tmp_path / "none" / "below", "--json")
    for command in ("compile", "quantize"):
        error = simac(command, *words).json["error"]
        assert error["type"] == "OutputError"
        assert f"the nearest that exists is {tmp_path}" in error["message"]
    assert not (tmp_path / "none").exists()


def test_the_last_folder_is_created_and_that_is_said(simac, samples: Path, tmp_path: Path) -> None:
    words = (samples / "float.onnx", "--calibration-random", "1", "-o")
    for command in ("compile", "quantize"):
        folder = tmp_path / command
        for option in ([], ["--json"]):
            shutil.rmtree(folder, ignore_errors=True)
            assert f"created the folder {folder}" in simac(command, *words, folder, *option).err
            assert f"created the folder {folder}" not in simac(command, *words, folder, *option).err


def test_a_folder_that_was_created_for_nothing_goes_again(simac, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "machine.yaml").write_text("name: broken")
    words = (samples / "small.onnx", "-o", tmp_path / "out", "--machine", tmp_path / "machine.yaml", "--json")
    assert simac("compile", *words).json["error"]["type"] == "MachineError"
    assert not (tmp_path / "out").exists()


def test_outputs_never_go_to_a_folder(simac, samples: Path, archive: Path, tmp_path: Path) -> None:
    done = simac("simulate", archive, "--input", samples / "batch.npz", "--output", tmp_path, "--json")
    assert done.json["error"]["type"] == "OutputError"
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_place_of_the_archive_is_named(simac, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "small_mpk.tar.gz").mkdir()
    done = simac("compile", samples / "small.onnx", "-o", tmp_path, "--json")
    assert json.loads(done.out)["error"]["hint"].startswith("a folder of that name is in the way")
    assert [path.name for path in tmp_path.iterdir()] == ["small_mpk.tar.gz"]

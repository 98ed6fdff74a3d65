"""`simac check`: the report as text and JSON, and an exit code for scripts."""

from __future__ import annotations

from pathlib import Path

import onnx

from tests.model.test_check import blocked


def test_a_model_that_compiles_ends_with_0(simac, samples: Path) -> None:
    done = simac("check", samples / "small.onnx")
    assert done.code == 0
    assert "verdict    compiles" in done.out
    data = simac("check", samples / "small.onnx", "--json").json
    assert (data["compiles"], data["obstacles"]) == (True, [])
    assert "error" not in data


def test_obstacles_end_with_1_and_stand_in_the_object(simac, tmp_path: Path) -> None:
    onnx.save(blocked("Sinh", "Asin", "Acos", "Cosh"), tmp_path / "net.onnx")
    done = simac("check", tmp_path / "net.onnx", "--json")
    assert done.code == 1
    assert [found["operator"] for found in done.json["obstacles"]] == ["Sinh", "Asin", "Acos", "Cosh"]
    assert set(done.json["obstacles"][0]) == {
        "node", "operator", "found", "rule", "hint", "macs_before", "macs_behind"
    }  # fmt: skip
    assert done.json["error"] == {"type": "CheckFailed", "message": "does not compile: 4 obstacles", "hint": ""}
    text = simac("check", tmp_path / "net.onnx")
    assert text.code == 1
    assert all(f"{number}. {name}" in text.out for number, name in enumerate(("Sinh", "Asin", "Acos", "Cosh"), 1))


def test_compile_and_quantize_name_the_first_of_the_same_list(simac, tmp_path: Path) -> None:
    onnx.save(blocked("Sinh", "Asin", "Acos", "Cosh"), tmp_path / "net.onnx")
    error = simac("compile", tmp_path / "net.onnx", "-o", tmp_path, "--json").json["error"]
    assert "4 obstacles" in error["message"]
    assert "(Acos)" in error["message"]
    assert "(Atan)" not in error["message"]
    assert "simac check" in error["hint"]


def test_a_missing_file_is_an_error_and_no_report(simac, tmp_path: Path) -> None:
    done = simac("check", tmp_path / "none.onnx", "--json")
    assert done.code == 1
    assert set(done.json) == {"error"}

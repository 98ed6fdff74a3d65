"""``simac sweep`` as a script and as a person calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome


def test_a_sweep_is_told_written_and_gone_on_with(simac: Callable[..., Outcome], samples: Path, tmp_path: Path) -> None:
    words = ("sweep", samples / "small.sima", "--batch-size", "1-2,4", "--weights", "both", "--jobs", "1")
    files = ("--csv", tmp_path / "rows.csv", "--html", tmp_path / "page.html", "-o", tmp_path / "kept")
    first = simac(*words, *files, "--json")
    assert first.code == 0
    data = json.loads(first.out)
    assert [row["desired_batch_size"] for row in data["rows"]] == [1, 2, 4] * 2
    assert (data["points"], data["failed"]) == (6, 0)
    assert first.err.count("samples/s") == 6
    assert (tmp_path / "rows.csv").read_text("utf-8").count("\n") == 7
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("<circle") == 6
    assert "6 combinations" in page
    again = simac(*words, "-o", tmp_path / "kept")
    assert again.code == 0
    assert "highest throughput" in again.out
    assert "[6/6]" in again.err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--batch-size", "4-1"), "'4-1' is no number or range"),
        (("--batch-size", "1,,2"), "'' is no number or range"),
        (("--quads", "all"), "'all' is no number or range"),
        (("--input-shape", "big"), "sizes are numbers joined by x"),
        (("--jobs", "0"), "needs at least 1 process"),
        (("--csv", "nowhere/rows.csv"), "no such folder"),
        (("--keep-archives",), "needs an output_path"),
        (("--calibration-random", "4"), "calibration is for float"),
    ],
)
def test_slips_are_one_sentence(
    simac: Callable[..., Outcome], samples: Path, words: tuple[str, ...], problem: str
) -> None:
    outcome = simac("sweep", samples / "small.sima", *words)
    assert outcome.code == 1
    assert problem in outcome.err
    assert "Traceback" not in outcome.err


def test_a_sweep_in_which_nothing_works_fails(simac: Callable[..., Outcome], samples: Path) -> None:
    outcome = simac("sweep", samples / "small.sima", "--quads", "77", "--jobs", "1", "--json")
    assert outcome.code == 1
    data = json.loads(outcome.out)
    assert data["error"]["message"] == "no combination could be compiled"
    assert data["rows"][0]["problem"] == "quads must be from 1 to 4 on mlsoc, found 77"


def test_a_float_model_is_calibrated_first(simac: Callable[..., Outcome], samples: Path) -> None:
    outcome = simac("sweep", samples / "float.onnx", "--calibration-random", "4", "--jobs", "1", "--json")
    assert outcome.code == 0
    data = json.loads(outcome.out)
    assert data["points"] == 1
    assert "accuracy is meaningless" in data["warnings"][0]

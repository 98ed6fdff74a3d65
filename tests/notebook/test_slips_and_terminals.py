"""Slips in a notebook are answered with what was meant; IPython in a terminal gets lines, not displays that pile up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sima_compiler import Model
from tests.notebook.conftest import Notebook


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("resnet", "neither a variable nor a file"),
        ("count", "of type int"),
        ("model --name other", "--name is for files"),
        ("model --calibration-random 2", "--calibration-random is for files"),
        ("model --batchsize 2", "did you mean --batch-size?"),
        ("my model.onnx", "quotes around a path with spaces"),
    ],
)
def test_a_slip_is_answered(notebook: Notebook, small_model: Path, tmp_path: Path, line: str, answer: str) -> None:
    notebook.shell.user_ns |= {"count": 3, "model": Model.from_onnx(small_model)}
    error, shown = notebook.fail(f"%sima_compile {line} -o {tmp_path}")
    assert answer in f"{error} {' '.join(shown)}"
    assert not list(tmp_path.glob("*.gz"))


def test_a_terminal_gets_one_line_per_stage(small_model: Path, tmp_path: Path) -> None:
    cells = f"%load_ext sima_nb\nr = %sima_compile {small_model} -o {tmp_path}\n"
    script = tmp_path / "cells.ipy"
    script.write_text(cells, "utf-8")
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", str(script)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "IPYTHONDIR": str(tmp_path / "ipython")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=True)
    stages = [line.split()[0] for line in done.stderr.splitlines() if "[####" in line]
    assert stages == ["read", "lower", "plan", "encode", "archive"]
    assert done.stderr.count("done in") == 1
    assert "Compiling" not in done.stdout
    assert "1 desired -> 1 actual" in done.stdout

"""``%sima_sweep``: the twin of ``simac sweep``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sima_compiler import Model, SweepTable
from sima_nb.sweep_magics import SWEEP
from tests.notebook.conftest import Notebook


def test_it_gives_a_table_that_shows_itself(notebook: Notebook, small_model: Path) -> None:
    notebook.shell.user_ns["net"] = Model.from_onnx(small_model)
    table = notebook.run("%sima_sweep net --batch-size 1,2 --jobs 1  # both sizes")
    assert isinstance(table, SweepTable)
    assert [row.desired_batch_size for row in table] == [1, 2]
    assert "<svg" in table._repr_html_()
    assert "highest throughput" in repr(table)


def test_json_help_and_errors(notebook: Notebook, small_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert notebook.run(f"%sima_sweep {small_model} --jobs 1 --json") is None
    assert json.loads(capsys.readouterr().out)["points"] == 1
    assert notebook.run("%sima_sweep -h") is None
    assert capsys.readouterr().out == SWEEP.help_text()
    error, shown = notebook.fail(f"%sima_sweep {small_model} --batch-size many")
    assert "'many' is no number or range" in str(error)
    assert not any("Traceback" in line for line in shown)

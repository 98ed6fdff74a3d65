"""The magics that ask about a model, each the twin of a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from sima_compiler import CheckReport, Model, ModelError
from sima_compiler.cli.dispatch import build_parser
from sima_nb.magic_parser import Twin
from sima_nb.model_magics import TWINS
from tests.model.test_check import blocked
from tests.notebook.conftest import Notebook
from tests.support.small_models import small_float_model


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_a_magic_has_the_options_of_its_command(twin: Twin) -> None:
    command = build_parser()
    choices: Any = next(action.choices for action in command._actions if action.choices)
    options = {option for action in choices[twin.name]._actions for option in action.option_strings}
    assert {option for action in twin.parser()._actions for option in action.option_strings} == options


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_help_is_printed_and_shown_by_a_question_mark(
    notebook: Notebook, twin: Twin, capsys: pytest.CaptureFixture[str]
) -> None:
    assert notebook.run(f"%sima_{twin.name} --help") is None
    printed = capsys.readouterr().out
    assert f"%sima_{twin.name} " in printed
    assert printed == notebook.shell.find_magic(f"sima_{twin.name}").__doc__


def test_check_gives_a_report(notebook: Notebook, small_model: Path) -> None:
    report = notebook.run(f"%sima_check {small_model}")
    assert isinstance(report, CheckReport)
    assert report.compiles


@pytest.mark.parametrize("kind", [onnx.load, Model.from_onnx, str, Path], ids=["onnx", "model", "text", "path"])
def test_check_takes_variables(notebook: Notebook, small_model: Path, kind) -> None:
    notebook.shell.user_ns["net"] = kind(small_model)
    assert notebook.run("%sima_check net").compiles


def test_check_prints_the_object_of_the_command(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    notebook.shell.user_ns["net"] = blocked("Sinh", "Asin")
    capsys.readouterr()
    assert notebook.run("%sima_check net --json") is None
    data = json.loads(capsys.readouterr().out)
    assert data == Model.check(blocked("Sinh", "Asin")).to_dict()


def test_errors_are_shown_as_their_message(notebook: Notebook) -> None:
    error, shown = notebook.fail("%sima_check none.onnx")
    assert isinstance(error, ModelError)
    assert shown[0].startswith("ModelError: none.onnx: no such file")
    assert not any("Traceback" in line for line in shown)


def test_unloading_takes_the_magics_away(notebook: Notebook) -> None:
    notebook.run("%unload_ext sima_nb")
    assert not [name for name in notebook.shell.magics_manager.magics["line"] if name.startswith("sima_")]


def test_verify_takes_samples_in_variables(notebook: Notebook, small_model: Path) -> None:
    notebook.run(
        "import numpy\nsample = {'image': numpy.zeros((2, 3, 8, 8), numpy.float32)}\nlisted = [sample, sample]"
    )
    assert notebook.run(f"%sima_verify {small_model}").exact
    assert notebook.run(f"%sima_verify {small_model} --input sample --layers").samples == 2
    assert notebook.run(f"%sima_verify {small_model} --input listed").samples == 4
    error, _ = notebook.fail(f"wrong = 5\n%sima_verify {small_model} --input wrong")
    assert "expected {input name: array}" in str(error)


def test_verify_quantizes_a_float_model_with_a_variable(notebook: Notebook) -> None:
    notebook.shell.user_ns["net"] = small_float_model()
    notebook.run("import numpy\nsamples = [{'image': numpy.random.default_rng(0).random((2, 3, 8, 8), numpy.float32)}]")
    report = notebook.run("%sima_verify net --calibration samples")
    assert [form.form for form in report.forms] == ["float", "uint8"]


def test_export_writes_the_file(notebook: Notebook, small_model: Path, tmp_path: Path) -> None:
    result = notebook.run(f"%sima_export {small_model} -o {tmp_path} --uint8")
    assert result.path == tmp_path / "small_uint8.onnx"
    assert result.path.is_file()

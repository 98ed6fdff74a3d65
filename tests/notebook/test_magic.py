"""`%sima_compile` in a real IPython shell: results, displays, errors, interruption."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

import onnx
import pytest

from sima_compiler import Archive, CompileInterrupted, Model, ModelError, OptionError, add_compile_arguments
from sima_compiler.cli.dispatch import build_parser
from sima_nb import Summary
from sima_nb.magics import COMPILE
from tests.notebook.conftest import Notebook
from tests.support.small_models import small_float_model


def test_a_path_gives_a_summary_of_the_archive(notebook: Notebook, small_model: Path, tmp_path: Path) -> None:
    notebook.run(f"r = %sima_compile {small_model} --batch-size 2 -o {tmp_path}")
    summary = notebook.shell.user_ns["r"]
    assert isinstance(summary, Summary)
    archive = Archive.open(summary.path)
    assert Path(summary.path).parent == tmp_path
    assert (summary.desired_batch_size, summary.actual_batch_size) == (2, archive.batch.actual)
    assert [file.name for file in summary.files] == [file.name for file in archive.files]
    assert summary.runtime_cycles == summary.compute_cycles + sum(summary.stall_cycles.values())
    assert summary.to_dict() == summary.result.to_dict() | {"path": summary.path, "warnings": list(summary.warnings)}


def test_progress_comes_first_and_is_updated_in_place(notebook: Notebook, small_model: Path, tmp_path: Path) -> None:
    notebook.run(f"r = %sima_compile {small_model} -o {tmp_path}")
    progress = [output for output in notebook.displays if "Compiling" in output["data"].get("text/plain", "")]
    assert progress[0]["update"] is False
    assert len(progress) > 2
    assert all(output["update"] for output in progress[1:])
    assert len({output["transient"]["display_id"] for output in progress}) == 1
    assert any("[####" in output["data"]["text/plain"] for output in progress)
    assert "done in" in progress[-1]["data"]["text/plain"]
    rest = notebook.displays[len(progress) :]
    assert [sorted(output["data"]) for output in rest] == [["text/html", "text/plain"]]


def test_the_summary_appears_once_and_again_when_asked_for(
    notebook: Notebook, small_model: Path, tmp_path: Path
) -> None:
    notebook.run(f"%sima_compile {small_model} -o {tmp_path}")
    assert len(notebook.bundles(with_html="data-sima-report")) == 1
    notebook.run(f"r = %sima_compile {small_model} -o {tmp_path}")
    assert len(notebook.bundles(with_html="data-sima-report")) == 2
    notebook.run("r")
    assert len(notebook.bundles(with_html="data-sima-report")) == 3


def test_the_output_holds_every_layer_as_table_and_as_data(
    notebook: Notebook, small_model: Path, tmp_path: Path
) -> None:
    summary = notebook.run(f"%sima_compile {small_model} -o {tmp_path}")
    (bundle,) = notebook.bundles(with_html="data-sima-report")
    assert all(f">{layer.name}<" in bundle["text/html"] for layer in summary.layers)
    assert "data-sima-gzip" in bundle["text/html"]


@pytest.mark.parametrize("kind", [Model.from_onnx, Path, str], ids=["model", "path", "text"])
def test_model_may_be_the_name_of_a_variable(notebook: Notebook, small_model: Path, tmp_path: Path, kind) -> None:
    notebook.shell.user_ns["net"] = kind(small_model)
    summary = notebook.run(f"%sima_compile net -o {tmp_path}")
    assert Path(summary.path).is_file()


def test_paths_with_blanks_and_python_values_in_the_line(notebook: Notebook, small_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my results"
    folder.mkdir()
    notebook.shell.user_ns["size"] = 2
    summary = notebook.run(f"%sima_compile {small_model} -o '{folder}' --batch-size {{size}}")
    assert (Path(summary.path).parent, summary.desired_batch_size) == (folder, 2)


def test_the_home_folder_may_be_written_as_a_tilde(
    notebook: Notebook, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "out").mkdir()
    (tmp_path / "net.onnx").write_bytes(small_model.read_bytes())
    summary = notebook.run("%sima_compile ~/net.onnx -o ~/out --html ~/out/report.html")
    assert Path(summary.path) == tmp_path / "out" / "net_mpk.tar.gz"
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_last_folder_is_created_and_that_is_said(
    notebook: Notebook, small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ("", "--json"):
        folder = tmp_path / f"out{words}"
        notebook.run(f"%sima_compile {small_model} -o {folder} {words}")
        printed = capsys.readouterr()
        assert f"created the folder {folder}" in (printed.err if words else printed.out)
        assert list(folder.glob("*_mpk.tar.gz"))


def test_an_onnx_model_may_be_a_variable(notebook: Notebook, small_model: Path, tmp_path: Path) -> None:
    notebook.shell.user_ns["net"] = onnx.load(small_model)
    assert Path(notebook.run(f"%sima_compile net --name other -o {tmp_path}").path).name == "other_mpk.tar.gz"
    notebook.shell.user_ns["net"] = small_float_model()
    error, _ = notebook.fail(f"%sima_compile net -o {tmp_path}")
    assert isinstance(error, ModelError)
    assert "--calibration" in error.hint
    assert notebook.run(f"%sima_compile net --calibration-random 2 -o {tmp_path}").actual_batch_size == 1


CALIBRATION = """
import numpy
class Reader:
    def __init__(self):
        self.left = 2
    def get_next(self):
        self.left -= 1
        image = numpy.random.default_rng(abs(self.left)).random((1, 3, 8, 8), numpy.float32)
        return {"image": image} if self.left >= 0 else None
reader = Reader()
listed = [Reader().get_next(), Reader().get_next()]
one = listed[0]
"""


@pytest.mark.parametrize("name", ["reader", "listed", "one"])
def test_calibration_may_be_a_variable(notebook: Notebook, tmp_path: Path, name: str) -> None:
    onnx.save(small_float_model(), tmp_path / "float.onnx")
    notebook.run(CALIBRATION)
    assert notebook.run(f"%sima_compile {tmp_path}/float.onnx --calibration {name} -o {tmp_path}").runtime_cycles > 0


def test_models_and_samples_may_be_a_functions_own_variables(notebook: Notebook, tmp_path: Path) -> None:
    onnx.save(small_float_model(), tmp_path / "float.onnx")
    notebook.run(CALIBRATION)
    notebook.run(
        "def work():\n"
        f"    import onnx\n    net, samples = onnx.load('{tmp_path}/float.onnx'), listed\n"
        f"    return get_ipython().run_line_magic('sima_compile', 'net --calibration samples -o {tmp_path}')\n"
    )
    assert notebook.run("work()").actual_batch_size == 1
    error, _ = notebook.fail(f"%sima_compile net -o {tmp_path}")
    assert "neither a variable nor a file" in str(error)


def test_a_number_is_no_model(notebook: Notebook) -> None:
    notebook.shell.user_ns["net"] = 5
    error, _ = notebook.fail("%sima_compile net")
    assert "onnx.ModelProto" in str(error)


LINES = (
    "net.onnx",
    "net.onnx -o out --batch-size 16 --no-compress --quads 2 --machine tiny",
    "net.onnx --output-path out --calibration data.npz --name other --html r.html --json -v",
    "net.onnx --calibration-random 4 --verbose",
)


@pytest.mark.parametrize("line", LINES)
def test_the_magic_parses_what_the_command_line_parses(line: str) -> None:
    magic = vars(COMPILE.parser().parse_args(shlex.split(line)))
    command = vars(build_parser().parse_args(["compile", *shlex.split(line)]))
    magic.pop("help")
    command.pop("command")
    assert magic == command


def test_the_magic_has_every_option_of_the_command_line() -> None:
    shared = argparse.ArgumentParser(add_help=False)
    add_compile_arguments(shared)
    wanted = {name for action in shared._actions for name in action.option_strings or [action.dest]}
    found = {name for action in COMPILE.parser()._actions for name in action.option_strings or [action.dest]}
    assert found == wanted | {"-h", "--help"}


def test_help_shows_every_option(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    notebook.run("%sima_compile?")
    by_question = capsys.readouterr().out
    notebook.run("%sima_compile --help")
    by_option = capsys.readouterr().out
    for word in ("--batch-size", "--no-compress", "--calibration-random", "--machine", "MODEL"):
        assert word in by_question
        assert word in by_option


def test_json_prints_one_object_and_shows_no_summary(
    notebook: Notebook, small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = notebook.run(f"%sima_compile {small_model} -o {tmp_path} --json")
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == summary.to_dict()
    assert not notebook.bundles(with_html="data-sima-report")


@pytest.mark.parametrize("line", ["net.onnx --nonsense", "net.onnx --batch-size many", "--batch-size 2", "'net.onnx"])
def test_wrong_usage_is_one_message(notebook: Notebook, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    error, lines = notebook.fail(f"%sima_compile {line}")
    assert type(error).__name__ == "UsageError"
    assert lines == []
    shown = capsys.readouterr().err
    assert shown.startswith("UsageError: ")
    assert "Traceback" not in shown


def test_an_error_is_message_and_hint_without_a_traceback(notebook: Notebook, tmp_path: Path) -> None:
    error, lines = notebook.fail(f"%sima_compile {tmp_path / 'nowhere.onnx'}")
    assert isinstance(error, ModelError)
    assert lines == [f"ModelError: {error.message}", f"hint: {error.hint}"]
    assert "nowhere.onnx" in lines[0]


def test_a_variable_that_is_no_model_is_refused(notebook: Notebook) -> None:
    notebook.run("net = 3")
    error, lines = notebook.fail("%sima_compile net")
    assert isinstance(error, ModelError)
    assert "int" in lines[0]


def test_options_out_of_range_leave_nothing_behind(notebook: Notebook, small_model: Path, tmp_path: Path) -> None:
    error, lines = notebook.fail(f"%sima_compile {small_model} -o {tmp_path} --batch-size 0")
    assert isinstance(error, OptionError)
    assert lines[0].startswith("OptionError: ")
    assert not list(tmp_path.glob("*mpk*"))


def test_an_interruption_is_one_line_and_leaves_the_old_archive(
    notebook: Notebook, small_model: Path, tmp_path: Path
) -> None:
    notebook.run(f"r = %sima_compile {small_model} -o {tmp_path}")
    path = Path(notebook.shell.user_ns["r"].path)
    before = path.read_bytes()
    notebook.run(
        "import logging, signal\n"
        "class Interrupt(logging.Handler):\n"
        "    def emit(self, record): signal.raise_signal(signal.SIGINT)\n"
        "logging.getLogger('sima_compiler').addHandler(Interrupt())\n"
    )
    try:
        error, lines = notebook.fail(f"%sima_compile {small_model} -o {tmp_path} --batch-size 2 -v")
    finally:
        notebook.run("logging.getLogger('sima_compiler').handlers.clear()")
    assert isinstance(error, CompileInterrupted)
    assert len(lines) == 1
    assert "stopped" in lines[0]
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == [path.name]
    assert "stopped" in notebook.displays[-1]["data"]["text/plain"]


def test_unloading_takes_the_magic_away(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    notebook.run("%unload_ext sima_nb")
    notebook.fail("%sima_compile net.onnx")
    assert "not found" in capsys.readouterr().err
    notebook.run("%load_ext sima_nb")
    assert "sima_compile" in notebook.shell.magics_manager.magics["line"]

"""The magics that look into files, each the twin of a command; lines as people write them; tab completion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from IPython.core.completer import provisionalcompleter

from sima_compiler import Archive, ArchiveError, Model, OptionError, simulate
from sima_compiler.cli.dispatch import build_parser
from sima_nb import ArchiveTree, StatsExplorer, Summary
from sima_nb.magic_parser import Twin, is_quiet, without_ending
from sima_nb.view_magics import TWINS
from tests.notebook.conftest import Notebook

COMMANDS = {"archive": "inspect"}
#: What a notebook can do and a terminal cannot.
ONLY_HERE = {"stats": {"--plotly"}}


@pytest.fixture
def files(notebook: Notebook, small_archive: Archive) -> Notebook:
    """A notebook with the archive in variables of all kinds."""
    notebook.shell.user_ns |= {
        "path": str(small_archive.path),
        "file": Path(small_archive.path),
        "archive": small_archive,
        "result": Summary.of(small_archive),
        "stats": small_archive.stats,
        "number": 3,
    }
    return notebook


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_a_magic_has_the_options_of_its_command(twin: Twin) -> None:
    choices: Any = next(action.choices for action in build_parser()._actions if action.choices)
    command = choices[COMMANDS.get(twin.name, twin.name)]
    options = {option for action in command._actions for option in action.option_strings}
    own = {option for action in twin.parser()._actions for option in action.option_strings}
    assert own - ONLY_HERE.get(twin.name, set()) == options


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_help_has_examples_and_is_shown_by_a_question_mark(
    notebook: Notebook, twin: Twin, capsys: pytest.CaptureFixture[str]
) -> None:
    assert notebook.run(f"%sima_{twin.name} --help") is None
    text = capsys.readouterr().out
    assert text.count(f"%sima_{twin.name} ") >= 3
    assert text == notebook.shell.find_magic(f"sima_{twin.name}").__doc__


@pytest.mark.parametrize("name", ["path", "file", "archive", "result"])
def test_stats_and_archive_take_paths_and_variables(files: Notebook, small_archive: Archive, name: str) -> None:
    explorer, tree = files.run(f"%sima_stats {name}"), files.run(f"%sima_archive {name}")
    assert isinstance(explorer, StatsExplorer)
    assert isinstance(tree, ArchiveTree)
    assert len(explorer.view.layers) == len(small_archive.stats.layers)
    assert tree.archive.path == small_archive.path
    assert isinstance(files.run(f"%sima_stats {small_archive.path}"), StatsExplorer)


def test_statistics_in_memory_will_do(
    files: Notebook, small_archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(files.run("%sima_stats stats"), StatsExplorer)
    capsys.readouterr()
    files.run("%sima_stats stats --json")
    assert printed(capsys)["total_cycles"] == small_archive.stats.total_cycles


def test_order_and_number_of_layers_are_those_of_the_command(
    files: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    explorer = files.run("%sima_stats result --sort duration --top 2")
    assert explorer.order == "cycles"
    whole = StatsExplorer(files.shell.user_ns["archive"]).view
    costliest = sorted(whole.layers, key=lambda layer: -layer.cycles)[:2]
    assert {layer.id for layer in explorer.view.layers} == {layer.id for layer in costliest}
    assert {event.layer for event in explorer.view.events} <= {layer.id for layer in costliest}
    (sentence,) = explorer.view.left_out
    rest = sum(layer.cycles for layer in whole.layers) - sum(layer.cycles for layer in costliest)
    assert f"{len(whole.layers) - 2} of {len(whole.layers)} layers" in sentence
    assert f"{rest:,} cycles" in sentence


def test_a_figure_in_place_of_the_explorer(files: Notebook) -> None:
    figure = files.run("%sima_stats result --plotly causes")
    assert isinstance(figure, go.Figure)
    assert sum(figure.data[0].x) == files.shell.user_ns["result"].runtime_cycles
    error, _ = files.fail("%sima_stats stats --plotly memory")
    assert isinstance(error, OptionError)


@pytest.mark.parametrize("line", ["%sima_stats result --json", "%sima_archive result --json"])
def test_json_is_the_commands_own(files: Notebook, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    from sima_compiler.cli import main

    capsys.readouterr()
    assert files.run(line) is None
    found = printed(capsys)
    name = {"%sima_stats": "stats", "%sima_archive": "inspect"}[line.split(maxsplit=1)[0]]
    assert main([name, files.shell.user_ns["path"], "--json"]) == 0
    assert found == printed(capsys)


def test_rules_and_models_are_answered_in_text(files: Notebook, small_archive: Archive, tmp_path: Path) -> None:
    rules = files.run("%sima_archive result --check")
    assert "The loader of the public runtime" in repr(rules)
    assert rules.data["path"] == str(small_archive.path)
    model = Model.from_onnx(small_archive.path.parent / "small.onnx")
    saved = model.save("small", tmp_path)
    assert files.run(f"%sima_archive {saved}").data["name"] == "small"


def test_simulate_gives_arrays(
    files: Notebook, small_archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = {"image": np.random.default_rng(3).standard_normal((3, 3, 8, 8)).astype(np.float32)}
    expected = simulate(small_archive, arrays)
    np.savez(tmp_path / "x.npz", **arrays)
    files.shell.user_ns["arrays"] = arrays
    for source in ("arrays", tmp_path / "x.npz"):
        run = files.run(f"%sima_simulate archive --input {source} --output {tmp_path / 'y.npz'}")
        for name, array in expected.outputs.items():
            np.testing.assert_array_equal(run.outputs[name], array)
            np.testing.assert_array_equal(np.load(tmp_path / "y.npz")[name], array)
        assert f"{expected.trace.runtime_cycles:,} cycles" in repr(run)
        assert len(repr(run)) < 400
    assert files.run("%sima_simulate archive").trace.runtime_cycles == expected.trace.runtime_cycles
    capsys.readouterr()
    assert files.run("%sima_simulate result --input arrays --json") is None
    assert printed(capsys)["path"] == str(small_archive.path)


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("%sima_stats nothing", OptionError, "neither a variable nor a file"),
        ("%sima_stats no/such_mpk.tar.gz", ArchiveError, "No such file"),
        ("%sima_archive number", OptionError, "int lies in no file"),
        ("%sima_archive stats", OptionError, "lies in no file"),
        ("%sima_stats result --top 0", OptionError, "must be at least 1"),
        ("%sima_simulate archive --input number", OptionError, "int"),
    ],
)
def test_errors_are_message_and_hint(files: Notebook, line: str, kind: type[Exception], said: str) -> None:
    error, lines = files.fail(line)
    assert isinstance(error, kind)
    assert said in lines[0]
    assert not any("Traceback" in line for line in lines)


@pytest.mark.parametrize(
    ("line", "rest", "quiet"),
    [
        ("a.onnx", "a.onnx", False),
        ("a.onnx;", "a.onnx", True),
        ("a.onnx ; # why", "a.onnx ", True),
        ("a.onnx;# why", "a.onnx", True),
        ("net#2.onnx -o out # two", "net#2.onnx -o out", False),
        ("'a # b.onnx'  # quoted", "'a # b.onnx'", False),
        ('"odd;"', '"odd;"', False),
        ("# only a comment", "", False),
        ("it's # a quote that is open", "it's # a quote that is open", False),
    ],
)
def test_a_line_may_end_in_a_semicolon_or_a_comment(line: str, rest: str, quiet: bool) -> None:
    assert (without_ending(line), is_quiet(line)) == (rest, quiet)


def test_a_semicolon_keeps_results_to_themselves(files: Notebook, small_model: Path, tmp_path: Path) -> None:
    before = len(files.bundles(with_html="data-sima-report"))
    files.run(f"r = %sima_compile {small_model} -o {tmp_path};  # quiet")
    assert files.shell.user_ns["r"].actual_batch_size == 1
    assert len(files.bundles(with_html="data-sima-report")) == before
    files.run(f"%sima_compile {small_model} -o {tmp_path}  # shown")
    assert len(files.bundles(with_html="data-sima-report")) == before + 1


@pytest.mark.parametrize(
    ("line", "expected", "absent"),
    [
        ("%sima_stats --s", {"--sort"}, {"--top"}),
        ("r = %sima_stats result --", {"--sort", "--top", "--json", "--plotly", "--help"}, {"--check"}),
        ("%sima_stats result --sort ", {"start", "duration"}, {"result"}),
        ("%sima_stats result --sort=du", {"duration"}, {"start"}),
        ("%sima_stats result --plotly ro", {"roofline"}, {"gantt"}),
        ("%sima_stats res", {"result"}, {"path"}),
        (
            "%sima_stats out/",
            {"out/x_mpk.tar.gz", "out/x_mla_stats.yaml", "out/deeper/"},
            {"out/x.onnx", "out/a b.yaml"},
        ),
        ("%sima_archive out/x", {"out/x_mpk.tar.gz", "out/x.onnx"}, {"out/x_mla_stats.yaml"}),
        ("%sima_compile out/x", {"out/x.onnx"}, {"out/x_mpk.tar.gz"}),
        ("%sima_compile out/x.onnx --calibration out/", {"out/x.npz"}, {"out/x.onnx"}),
        ("%sima_check out/x.onnx --js", {"--json"}, set()),
        ("%sima_simulate archive --input out/", {"out/x.npz"}, {"out/x.onnx"}),
        ("%sima_stats /no/such/fol", set(), {"--sort"}),
    ],
)
def test_tab_completes_options_choices_files_and_variables(
    files: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: set[str], absent: set[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "deeper").mkdir(parents=True)
    for name in ("x_mpk.tar.gz", "x_mla_stats.yaml", "x.onnx", "x.npz", "a b.yaml"):
        (tmp_path / "out" / name).touch()
    offered = completed(files, line)
    assert expected <= offered
    assert not absent & offered


def completed(notebook: Notebook, line: str) -> set[str]:
    """What a notebook would offer with the cursor behind the line."""
    with provisionalcompleter():
        return {found.text for found in notebook.shell.Completer.completions(line, len(line))}


def test_completion_ends_with_the_extension(files: Notebook) -> None:
    files.run("%unload_ext sima_nb")
    assert "--sort" not in completed(files, "%sima_stats --s")

"""`%sima_batch`, `%sima_compare` and the widget of two archives."""

from __future__ import annotations

import gc
import json
import weakref
from html import escape
from pathlib import Path
from typing import Any

import pytest

from sima_compiler import Archive, MlaStats, Model, OptionError
from sima_compiler.cli import main
from sima_compiler.cli.dispatch import build_parser
from sima_compiler.view import compare_views, comparison_text, view_of, view_of_stats
from sima_nb import BatchNegotiation, Comparison, Summary
from sima_nb.batch_magics import TWINS
from sima_nb.magic_parser import Twin
from sima_nb.widgets.base import VIEW_MIME
from tests.notebook.conftest import Notebook
from tests.notebook.test_widgets import ask
from tests.view.column_reader import rows_of, unpacked_text


@pytest.fixture(scope="module")
def single(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The small model compiled for a batch of 1."""
    folder = tmp_path_factory.mktemp("single")
    return Model.from_onnx(small_model).compile(output_path=folder, batch_size=1).archive


@pytest.fixture
def files(notebook: Notebook, small_model: Path, small_archive: Archive, single: Archive) -> Notebook:
    notebook.shell.user_ns |= {
        "model": Model.from_onnx(small_model),
        "path": str(small_model),
        "archive": small_archive,
        "single": single,
        "stats": small_archive.stats,
    }
    return notebook


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_a_magic_has_the_options_of_its_command(twin: Twin) -> None:
    choices: Any = next(action.choices for action in build_parser()._actions if action.choices)
    options = {option for action in choices[twin.name]._actions for option in action.option_strings}
    assert {option for action in twin.parser()._actions for option in action.option_strings} == options
    assert twin.help_text().count(f"%sima_{twin.name} ") >= 3


def test_batch_shows_the_negotiation_of_an_archive(
    files: Notebook, small_archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    widget = files.run("%sima_batch archive")
    assert isinstance(widget, BatchNegotiation)
    assert widget.view.batch.actual_batch_size == 3
    assert widget.get_state()["_offers"] == []
    capsys.readouterr()
    assert files.run("%sima_batch archive --json") is None
    found = printed(capsys)
    assert main(["batch", str(small_archive.path), "--json"]) == 0
    assert found == printed(capsys)


@pytest.mark.parametrize("name", ["model", "path"])
def test_batch_plans_a_model_and_builds_it_on_request(
    files: Notebook, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    widget = files.run(f"%sima_batch {name} --batch-size 2")
    assert widget.view.batch.actual_batch_size == 2
    assert not list(tmp_path.glob("*.gz"))
    ask(widget, monkeypatch, ask="recompile", batch=1)
    assert isinstance(widget.result, Summary)
    assert widget.view.batch.actual_batch_size == 1
    assert [path.name for path in tmp_path.glob("*.gz")] == ["small_mpk.tar.gz"]


def test_what_compile_returned_can_be_compiled_at_another_size(
    files: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.run(f"r = %sima_compile model --batch-size 2 -o {tmp_path} --quads 2;")
    widget = files.run("%sima_batch r")
    answer = ask(widget, monkeypatch, ask="recompile", batch=1)["answer"]
    assert answer == widget.result.reason
    assert widget.result.actual_batch_size == 1
    assert widget.result.view.machine.quads == 2
    assert Path(widget.result.path).parent == tmp_path


def test_compare_aligns_archives_and_statistics(files: Notebook, small_archive: Archive, single: Archive) -> None:
    widget = files.run("c = %sima_compare single archive --over 5\nc")
    expected = compare_views(view_of(single), view_of(small_archive))
    assert widget.changes.to_dict() == expected.to_dict()
    assert files.run("%sima_compare stats archive").changes.measure == "compute_cycles"
    assert files.run(f"%sima_compare {single.path} stats").changes.counts["added"] == 0


def test_compare_prints_the_object_of_the_command(
    files: Notebook, small_archive: Archive, single: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert files.run("%sima_compare single archive --over 1 --json") is None
    found = printed(capsys)
    assert main(["compare", str(single.path), str(small_archive.path), "--over", "1", "--json"]) == 0
    assert found == printed(capsys)


def test_a_threshold_that_is_none_is_refused(files: Notebook) -> None:
    error, _ = files.fail("%sima_compare single archive --over -1")
    assert isinstance(error, OptionError)


def test_the_widget_holds_both_sides_and_what_belongs_together(small_archive: Archive, single: Archive) -> None:
    widget = Comparison(single, small_archive, over=2)
    state, found = widget.get_state(), widget.changes
    before = rows_of(json.loads(state["_head"]), "layers", bytes(state["_columns"]))
    after = rows_of(json.loads(state["_other_head"]), "layers", bytes(state["_other_columns"]))
    assert [
        (before[one]["runtime_cycles"], after[other]["runtime_cycles"]) for one, other in state["_compared"]["pairs"]
    ] == [(row.before, row.after) for row in found.layers]
    compared = state["_compared"]
    assert (compared["over"], compared["notes"], compared["measure"]) == (2.0, list(found.notes), found.measure)
    data = found.to_dict()
    assert (compared["totals"], compared["files"]) == (data["totals"], data["files"])
    assert repr(widget) == f"Comparison({str(single.path)!r}, {str(small_archive.path)!r})"


def test_a_saved_comparison_is_whole_in_every_form(small_archive: Archive, single: Archive) -> None:
    widget = Comparison(single, small_archive)
    bundle, _ = widget._repr_mimebundle_()
    saved, html = bundle[VIEW_MIME], bundle["text/html"]
    data = json.loads(unpacked_text(saved["packed"]))
    assert (saved["view"], saved["model_id"]) == ("comparison", widget.model_id)
    before, after = (rows_of(data[side], "layers") for side in ("before", "after"))
    assert bundle["text/plain"] == comparison_text(widget.changes)
    for (one, other), row in zip(data["pairs"], widget.changes.layers, strict=True):
        assert (before[one]["name"], after[other]["name"]) == (row.name, row.name)
        cells = [f"<td class=n>{cycles:,}" for cycles in (row.before, row.after)]
        assert f"<th scope=row>{row.name}{''.join(cells)}" in html
    for note in widget.changes.notes:
        assert escape(note, quote=True) in html


def test_a_saved_comparison_keeps_the_costliest_rows_of_large_networks() -> None:
    sides = [statistics(2300, 0), statistics(2290, 3)]
    widget = Comparison(*(view_of_stats(stats) for stats in sides))
    bundle, _ = widget._repr_mimebundle_()
    data = json.loads(unpacked_text(bundle[VIEW_MIME]["packed"]))
    before, after = (rows_of(data[side], "layers") for side in ("before", "after"))
    assert len(data["pairs"]) == 2000
    whole = [[layer.name for layer in view.layers] + [""] for view in (widget.changes.before, widget.changes.after)]
    together = {(whole[0][one], whole[1][other]) for one, other in widget.changes.pairs}
    kept = [[*(row["name"] for row in rows), ""] for rows in (before, after)]
    assert {(kept[0][one], kept[1][other]) for one, other in data["pairs"]} <= together
    assert f"together +{widget.changes.layer_change:,} cycles; the 300 with the fewest cycles" in bundle["text/html"]
    assert "the 300 with the fewest cycles are not in this output" in data["notes"][-1]
    assert len(json.dumps(bundle)) <= 60_000 + 450 * 2000


def statistics(count: int, longer: int) -> MlaStats:
    names = [f"MLA_0/conv2d_{number}" for number in range(count)]
    starts = [100 * number for number in range(count)]
    return MlaStats.from_columns(
        range(1, count + 1), names, starts, [start + 40 + number % 50 + longer for number, start in enumerate(starts)]
    )


def test_a_closed_comparison_frees_its_memory(small_archive: Archive, single: Archive) -> None:
    widget = Comparison(single, small_archive)
    column = weakref.ref(widget.changes.after.layers.columns["id"].values)
    widget.close()
    gc.collect()
    assert column() is None
    assert (widget._other_columns, repr(widget)) == (b"", "Comparison(closed)")
    with pytest.raises(OptionError, match="closed"):
        _ = widget.changes

"""Widgets in Python: what they take, what they answer, what they display, and what is left of a closed one."""

from __future__ import annotations

import gc
import json
import re
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pytest
import traitlets
from IPython.core.formatters import DisplayFormatter

from sima_compiler import Archive, MlaStats, OptionError
from sima_compiler.view import view_of, view_text
from sima_nb import ArchiveTree, BatchNegotiation, Comparison, StatsExplorer, Summary
from sima_nb.widgets.base import VIEW_MIME, ViewWidget
from tests.view.column_reader import rows_of, unpacked_text

ROOT = Path(__file__).parents[2]
WIDGETS = (StatsExplorer, ArchiveTree, BatchNegotiation)


def ask(widget: ViewWidget, monkeypatch: pytest.MonkeyPatch, **question: Any) -> dict[str, Any]:
    """What the widget sends when the browser asks."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(widget, "send", sent.append)
    widget._handle_custom_msg({"id": 7, **question}, [])
    (message,) = sent
    assert message.pop("id") == 7
    return message


def stats_file(folder: Path) -> Path:
    path = folder / "net_stage1_mla_stats.yaml"
    names = [f"MLA_0/conv2d_{number}" for number in range(3)]
    rows = "".join(
        f"{number + 5}:\n  name: {name}\n  start_cycle: {10 * number}\n  end_cycle: {10 * number + 9}\n"
        for number, name in enumerate(names)
    )
    path.write_text(rows, "utf-8")
    return path


def saved_data(bundle: dict[str, Any]) -> Any:
    """The View in a saved output: beside its HTML, or inside it."""
    inside = re.search(r"<script[^>]*data-sima-gzip>([^<]*)</script>", bundle["text/html"])
    return json.loads(unpacked_text(bundle[VIEW_MIME]["packed"] if inside is None else inside[1]))


@pytest.mark.parametrize("kind", WIDGETS)
def test_every_widget_takes_a_path_an_archive_and_a_result(kind: type[ViewWidget], small_archive: Archive) -> None:
    expected = [layer.name for layer in view_of(small_archive).layers]
    for source in (small_archive.path, str(small_archive.path), small_archive, Summary.of(small_archive)):
        assert [layer.name for layer in kind(source).view.layers] == expected


def test_the_explorer_takes_statistics_alone_and_the_others_say_what_they_need(tmp_path: Path) -> None:
    path = stats_file(tmp_path)
    for source in (path, MlaStats.read(path)):
        assert [layer.id for layer in StatsExplorer(source).view.layers] == [5, 6, 7]
    for kind in (ArchiveTree, BatchNegotiation):
        with pytest.raises(OptionError, match="needs the archive"):
            kind(path)


@pytest.mark.parametrize("wrong", [None, 3, [1], object(), np.zeros(3)])
def test_what_names_no_file_is_refused_with_what_would_do(wrong: Any) -> None:
    with pytest.raises(OptionError, match="names no archive") as caught:
        StatsExplorer(wrong)
    assert "Archive" in (caught.value.hint or "")


def test_traits_are_checked_and_told(small_archive: Archive) -> None:
    explorer = StatsExplorer(small_archive, filter="conv", unit="time")
    first, last = explorer.view.layers[0], explorer.view.layers[-1]
    told: list[list[int]] = []
    explorer.observe(lambda change: told.append(change["new"]), "selected")
    explorer.selected = [last.id, first.id]
    assert told == [[last.id, first.id]]
    assert [layer.id for layer in explorer.selected_layers] == [first.id, last.id]
    explorer.range = (0, 1000)
    for name, wrong in {
        "selected": [10**6],
        "range": (9, 3),
        "unit": "hours",
        "order": "size",
        "colour": "red",
        "filter": 3,
    }.items():
        before = getattr(explorer, name)
        with pytest.raises(traitlets.TraitError, match=name):
            setattr(explorer, name, wrong)
        assert getattr(explorer, name) == before
    assert (explorer.filter, explorer.unit, explorer.range) == ("conv", "time", (0.0, 1000.0))


def test_widgets_compose_with_ipywidgets(small_archive: Archive) -> None:
    one, other = StatsExplorer(small_archive), StatsExplorer(small_archive)
    text = ipywidgets.Text()
    box = ipywidgets.VBox([text, one, other])
    ipywidgets.link((text, "value"), (one, "filter"))
    ipywidgets.link((one, "selected"), (other, "selected"))
    text.value = "pool"
    one.selected = [one.view.layers[1].id]
    assert one.filter == "pool"
    assert other.selected == one.selected
    assert box.children[1] is one
    assert one.widget().children == (one,)


def test_the_browser_gets_the_views_own_columns(small_archive: Archive) -> None:
    explorer = StatsExplorer(small_archive)
    state = explorer.get_state()
    rows = rows_of(json.loads(state["_head"]), "layers", bytes(state["_columns"]))
    assert [(row["id"], row["name"], row["runtime_cycles"]) for row in rows] == [
        (layer.id, layer.name, layer.runtime_cycles) for layer in view_of(small_archive).layers
    ]
    assert state["_view"] == "explorer"
    assert state["_offers"] == ["simulate"]


@pytest.mark.parametrize(("kind", "name"), list(zip(WIDGETS, ("explorer", "archive", "batch"), strict=True)))
def test_a_saved_output_holds_data_and_no_bare_widget(kind: type, name: str, small_archive: Archive) -> None:
    """A saved widget-view alone would be "model not found" in a reopened notebook."""
    widget = kind(small_archive)
    bundle, _ = widget._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {VIEW_MIME, "text/html", "text/plain"}
    saved = bundle[VIEW_MIME]
    assert (saved["model_id"], saved["view"]) == (widget.model_id, name)
    view = view_of(small_archive)
    assert [row["name"] for row in rows_of(saved_data(bundle), "layers")] == [layer.name for layer in view.layers]
    assert json.loads(json.dumps(saved)) == saved
    assert bundle["text/plain"] == view_text(view)
    assert all(layer.name in bundle["text/html"] for layer in view.layers)


def test_only_the_view_that_a_script_makes_of_the_html_carries_one(small_archive: Archive) -> None:
    """Converted by nbconvert the explorer is live; the other views' HTML says all they can without a script."""
    for kind in WIDGETS:
        bundle, _ = kind(small_archive)._repr_mimebundle_()
        scripted = "data-sima-packed" in bundle["text/html"]
        assert scripted == kind.UPGRADED == (kind is StatsExplorer)
        assert scripted == ("packed" not in bundle[VIEW_MIME]), "the data stands once"
    bundle, _ = StatsExplorer(small_archive)._repr_mimebundle_()
    assert bundle["text/html"] == Summary.of(small_archive)._repr_html_()


@pytest.mark.parametrize("count", [1, 50, 2300])
def test_a_saved_output_is_small(count: int) -> None:
    places = range(0, 100 * count, 100)
    names = [f"MLA_0/conv2d_add_relu_{number}" for number in range(count)]
    stats = MlaStats.from_columns(range(1, count + 1), names, places, [place + 99 - place % 7 for place in places])
    bundle, _ = StatsExplorer(stats)._repr_mimebundle_()
    assert len(json.dumps(bundle, ensure_ascii=False).encode()) <= 60_000 + 450 * min(count, 2000)
    assert len(rows_of(saved_data(bundle), "layers")) == min(count, 2000)


def test_the_repr_names_the_file_and_not_the_data(small_archive: Archive) -> None:
    """ipywidgets would print every trait: with a million layers, gigabytes in a traceback."""
    assert repr(StatsExplorer(small_archive)) == f"StatsExplorer({str(small_archive.path)!r})"


@pytest.mark.parametrize("kind", WIDGETS)
def test_a_closed_widget_frees_its_memory(kind: type, small_archive: Archive) -> None:
    widget = kind(small_archive)
    view = weakref.ref(widget.view.layers.columns["id"].values)
    widget.close()
    gc.collect()
    assert view() is None
    assert (widget._head, widget._columns) == ("", b"")
    assert repr(widget) == f"{kind.__name__}(closed)"
    assert DisplayFormatter().format(widget)[0] == {"text/plain": repr(widget)}
    with pytest.raises(OptionError, match="closed"):
        _ = widget.view


def test_previews_come_page_by_page_and_searched(small_archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = ArchiveTree(small_archive)
    member = next(file.name for file in small_archive.files if file.name.endswith(".lm"))
    first = ask(tree, monkeypatch, ask="preview", member=member, page=0, search="")["answer"]
    assert first["kind"] == "listing"
    assert first["first_line"] == 1
    found = ask(tree, monkeypatch, ask="preview", member=member, page=99, search="DMA")["answer"]
    assert found["page"] == found["pages"] - 1
    assert json.loads(json.dumps(found, default=list))["member"] == member


def test_extraction_goes_to_the_named_folder(
    small_archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = ArchiveTree(small_archive, extract_to=tmp_path)
    names = [small_archive.files[0].name, small_archive.files[1].name]
    answer = ask(tree, monkeypatch, ask="extract", members=names)["answer"]
    assert answer == f"2 files extracted into {tmp_path}"
    for name in names:
        assert (tmp_path / name).read_bytes() == small_archive.read(name)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"ask": "preview", "member": "nowhere", "page": 0}, "nowhere"),
        ({"ask": "preview"}, "preview: 'member'"),
        ({"ask": "extract", "members": ["../../etc/passwd"]}, "passwd"),
        ({"ask": "recompile", "batch": 3}, "does not answer"),
        ({"ask": "close"}, "does not answer"),
        ({"ask": "_repr_mimebundle_"}, "does not answer"),
        ({}, "does not answer"),
    ],
)
def test_a_wrong_question_gets_an_answer_too(
    question: dict[str, Any], said: str, small_archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ask(ArchiveTree(small_archive, extract_to=tmp_path), monkeypatch, **question)["error"]
    assert said in error["message"]
    assert set(error) == {"type", "message", "hint"}
    assert list(tmp_path.iterdir()) == []


def test_errors_of_the_browser_are_logged_and_not_answered(
    small_archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    explorer = StatsExplorer(small_archive)
    monkeypatch.setattr(explorer, "send", lambda _: pytest.fail("answered"))
    explorer._handle_custom_msg({"ask": "failed", "message": "no canvas\x1b[31m"}, [])
    explorer._handle_custom_msg("noise", [])
    assert "StatsExplorer in the browser: no canvas" in caplog.text
    assert "\x1b" not in caplog.text


def test_the_explorer_runs_what_this_compiler_wrote(
    small_archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = StatsExplorer(small_archive)
    answer = ask(explorer, monkeypatch, ask="simulate")["answer"]
    assert small_archive.report is not None
    cycles = small_archive.report.runtime_cycles
    assert answer == f"Ran 3 samples of random numbers in {cycles:,} cycles, as recorded."
    assert explorer.run.trace.runtime_cycles == cycles
    totals = replace(explorer.view.totals, runtime_cycles=5)
    explorer.show(replace(explorer.view, totals=totals))
    assert ask(explorer, monkeypatch, ask="simulate")["answer"].endswith("cycles; the archive records 5.")
    explorer.close()
    assert explorer.run is None
    assert StatsExplorer(stats_file(tmp_path)).get_state()["_offers"] == []


def test_what_a_view_may_ask_some_widget_answers() -> None:
    """A control is there only where its host offers it: what no host can offer is no part of the contract."""
    host = (ROOT / "labextension" / "src" / "hosts" / "host.ts").read_text("utf-8")
    asked = re.findall(r"readonly (\w+)\?: \(.*\) => Promise", host)
    assert sorted(asked) == sorted({name for kind in (*WIDGETS, Comparison) for name in kind.ANSWERS})


def test_compiling_at_another_size_shows_what_came_of_it(
    small_archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sima_compiler import Model

    model = Model.from_onnx(small_archive.path.parent / f"{small_archive.name}.onnx")
    asked: list[int] = []

    def recompile(size: int) -> Any:
        asked.append(size)
        return model.compile(output_path=tmp_path, batch_size=size)

    widget = BatchNegotiation(small_archive, recompile=recompile)
    assert widget.get_state()["_offers"] == ["recompile"]
    answer = ask(widget, monkeypatch, ask="recompile", batch=2)["answer"]
    assert asked == [2]
    assert (widget.view.batch.actual_batch_size, answer) == (2, widget.view.batch.sentence)
    assert widget.result.actual_batch_size == 2
    for wrong in (0, -1, "4", None):
        assert "batch size" in ask(widget, monkeypatch, ask="recompile", batch=wrong)["error"]["message"]
    assert BatchNegotiation(small_archive).get_state()["_offers"] == []

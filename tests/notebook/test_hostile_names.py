"""Names out of an archive in a notebook: text in the page, the chart and the plain form, and one total in each."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sima_compiler import Archive, ModelError, printable
from sima_compiler.view import view_of
from sima_nb.display import Summary
from sima_nb.figures import gantt
from sima_nb.magic_parser import without_traceback
from tests.archive.archive_samples import document, header, tar_bytes, write_gz
from tests.cli.test_names_on_a_terminal import NAMES

OVERLAPPING = [(100, 199), (150, 249), (300, 299)]


def archive_of(folder: Path, name: str) -> Archive:
    described = document()
    for index, plugin in enumerate(described["plugins"]):
        plugin["name"] = f"{name}{index}"
    described["plugins"][1]["resources"]["executable"] = name
    layers = {
        str(number): {"name": f"MLA_0/{name}{number}", "start_cycle": start, "end_cycle": end}
        for number, (start, end) in enumerate(OVERLAPPING, 1)
    }
    members = {"net_mpk.json": described, "net_stage1_mla_stats.yaml": layers}
    return Archive.open(
        write_gz(folder, tar_bytes([(header(key), json.dumps(value).encode()) for key, value in members.items()]))
    )


@pytest.mark.parametrize("kind", NAMES)
def test_names_are_text_on_the_page_and_in_the_plain_form(tmp_path: Path, kind: str) -> None:
    name, shown = NAMES[kind]
    summary = Summary.of(archive_of(tmp_path, name))
    page, text = summary._repr_html_(), repr(summary)
    assert shown in text
    assert shown in re.sub(r"<[^>]+>", "", page)
    for form in (page, text):
        assert all(printable(line) == line for line in form.split("\n"))
    assert [layer.name for layer in summary.layers] == [f"MLA_0/{name}{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize("kind", ["colour", "line break", "right to left"])
def test_names_are_text_in_the_chart(tmp_path: Path, kind: str) -> None:
    name, shown = NAMES[kind]
    archive = archive_of(tmp_path, name)
    labels = [label for trace in gantt(view_of(archive)).data for label in trace.y]
    hovers = [label for trace in gantt(view_of(archive)).data for label in trace.hovertext]
    assert labels == [f"MLA_0/{shown}{number}" for number in (1, 2, 3)]
    assert all(shown in hover for hover in hovers)
    assert all(printable(text) == text for text in [*labels, *hovers])


def test_overlapping_layers_have_one_total_in_every_form(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, "conv")
    assert archive.stats is not None
    counting = archive.stats.counting
    summary = Summary.of(archive)
    assert summary.compute_cycles == archive.stats.total_cycles == 150
    assert summary.to_dict()["compute_cycles"] == 150
    assert summary.to_dict()["counting"] == counting != ""
    assert "150 for one run of the whole batch" in repr(summary)
    assert counting in " ".join(repr(summary).split())
    assert counting in summary._repr_html_()
    assert re.search(r"<dt>Cycles<dd><b>150</b>", summary._repr_html_())


def test_what_is_missing_is_a_warning_in_every_form(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, "conv")
    assert archive.warnings
    for form in (repr(Summary.of(archive)), Summary.of(archive)._repr_html_()):
        assert all(warning in form for warning in archive.warnings)
    assert Summary.of(archive).to_dict()["warnings"] == list(archive.warnings)


def test_an_error_quotes_names_as_text() -> None:
    error = without_traceback(ModelError("layer \x1b[31mred\n\x9b0m", hint="look\u202e"))
    lines = getattr(error, "_render_traceback_")()  # noqa: B009 - IPython's hook, which no type declares
    assert all(printable(line) == line for line in lines)
    assert r"\x1b[31mred" in lines[0]

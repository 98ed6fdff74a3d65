"""The offline page carries its data, and no text out of a file gets out of the element that carries it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sima_compiler import MlaStats, OutputError
from sima_compiler.view.columns import to_json
from sima_compiler.view.page import check_page, data_element, page_html, write_page
from sima_compiler.view.reading import view_of_path, view_of_stats

SAMPLE = Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_mpk.tar.gz"
HOSTILE = "</script><img onerror=x>", "<!--", "]]>", "\u2028\u2029", "\u202e", "x" * 5000, "&lt;", "\\u003c/script>"


@given(st.sampled_from(HOSTILE) | st.text(max_size=20))
def test_the_data_reads_back_and_stays_where_it_is(name: str) -> None:
    view = replace(view_of_stats(MlaStats.from_columns([1], [name], [0], [9])), name=name, warnings=(name,))
    element = data_element(view)
    opening, closing = '<script type="application/json" data-sima-view>', "</script>"
    assert element.startswith(opening)
    assert element.endswith(closing)
    text = element[len(opening) : -len(closing)]
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == to_json(view)


def test_the_page_is_whole_and_asks_for_nothing(tmp_path: Path) -> None:
    view = view_of_path(SAMPLE)
    text = write_page(view, tmp_path / "r.html").read_text("utf-8")
    assert text == page_html(view)
    assert text.startswith("<!DOCTYPE html>")
    assert text.rstrip().endswith("</html>")
    assert not re.search(r"<script[^>]*src=|<link|@import|url\(", text)
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_a_page_without_a_folder_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        write_page(view_of_path(SAMPLE), tmp_path / "nowhere" / "r.html")
    with pytest.raises(OutputError, match="no such folder"):
        check_page(tmp_path / "nowhere" / "r.html")

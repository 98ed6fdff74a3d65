"""The extension's own words: each language has all of them and no other, with the same places for what is filled in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "labextension" / "src" / "hosts" / "lab").glob("*.ts*"))
LANGUAGES = sorted((ROOT / "sima_nb" / "locale").glob("*/LC_MESSAGES/sima_nb.json"))
_TEXT = r'"((?:[^"\\]|\\.)*)"'


def used() -> dict[str, int]:
    """Text -> how many forms it needs."""
    found: dict[str, int] = {}
    for path in SOURCES:
        text = path.read_text("utf-8")
        found |= dict.fromkeys(re.findall(rf"trans\.__\(\s*{_TEXT}", text), 1)
        found |= {one: 2 for one, _ in re.findall(rf"trans\._n\(\s*{_TEXT},\s*{_TEXT}", text)}
    return found


def test_every_text_is_found() -> None:
    """A text that is no literal would be missed here, and in every language."""
    calls = sum(len(re.findall(r"trans\.(?:__|_n)\(", path.read_text("utf-8"))) for path in SOURCES)
    literals = sum(len(re.findall(rf"trans\.(?:__|_n)\(\s*{_TEXT}", path.read_text("utf-8"))) for path in SOURCES)
    assert calls == literals > 60


def test_there_is_a_language_beside_english() -> None:
    assert [path.parts[-3] for path in LANGUAGES] == ["de_DE"]


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.parts[-3])
def test_a_language_is_complete(path: Path) -> None:
    found = json.loads(path.read_text("utf-8"))
    head = found.pop("")
    assert (head["domain"], head["language"]) == ("sima_nb", path.parts[-3].replace("_", "-"))
    assert {text: len(forms) for text, forms in found.items()} == used()
    for text, forms in found.items():
        for form in forms:
            assert set(re.findall(r"%\d", form)) == set(re.findall(r"%\d", text)), form

"""Every word that people read is in every language, and no other: the extension's, the views', the settings', and the
closed sets that Python words. Sentences with facts in them are Python's and stay English."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sima_compiler.view import unknown, wordings
from sima_compiler.view.compare import compare_views
from sima_compiler.view.palette import PALETTE
from sima_compiler.view.records import Label
from tests.labextension.sample_views import sample_view

ROOT = Path(__file__).parents[2]
VIEWS = ROOT / "labextension" / "src"
#: Everything that asks for words: the views, what they are made of, and the extension.
SOURCES = sorted(
    path
    for folder in ("views", "model", "hosts/lab")
    for path in (VIEWS / folder).glob("*.ts*")
    if path.stem not in {"words", "icons"}
)
LANGUAGES = sorted((ROOT / "sima_nb" / "locale").glob("*/LC_MESSAGES/sima_nb.json"))
_TEXT = r"""("(?:[^"\\]|\\.)*"|'[^']*')"""
_CALL = r"\b(?:trans|words)\.(?:__|_n)\("


def used() -> dict[str, int]:
    """Text -> how many forms it needs."""
    found: dict[str, int] = {}
    for path in SOURCES:
        text = path.read_text("utf-8")
        found |= {literal(one): 1 for one in re.findall(rf"\b(?:trans|words)\.__\(\s*{_TEXT}", text)}
        pairs = re.findall(rf"\b(?:trans|words)\._n\(\s*{_TEXT},\s*{_TEXT}", text)
        found |= {literal(one): 2 for one, _ in pairs}
    return found | dict.fromkeys((*of_python(), *of_the_settings()), 1)


def literal(written: str) -> str:
    """What a string literal of TypeScript says."""
    return ast.literal_eval(written)


def of_python() -> Iterator[str]:
    """The closed sets that a View carries, see `labextension/src/model/translated.ts`."""
    for labels in PALETTE.__class__.__annotations__:
        for label in getattr(PALETTE, labels):
            assert isinstance(label, Label)
            yield from filter(None, (label.label, label.note))
    yield from wordings.WORDINGS.values()
    yield from (wordings.MLA_SUM, wordings.STATIC_ONLY, wordings.BOUND_MACS, wordings.BOUND_DRAM)
    yield from (unknown.STATISTICS_ONLY, unknown.PIPELINE_ONLY, unknown.NO_STATISTICS, unknown.NO_REPORT)
    tree = ast.parse(Path(str(unknown.__file__)).read_text("utf-8"))
    (known,) = (node for node in ast.walk(tree) if isinstance(node, ast.Dict))
    yield from (str(key.value) for key in known.keys if isinstance(key, ast.Constant))
    view = sample_view()
    yield from (total.label for total in compare_views(view, view).totals)


def of_the_settings() -> Iterator[str]:
    """Titles and descriptions of the schema, under the contexts that JupyterLab's server gives them."""
    schema = json.loads((ROOT / "labextension" / "schema" / "documents.json").read_text("utf-8"))

    def visit(part: dict[str, Any], context: str) -> Iterator[str]:
        yield from (f"{context}\x04{part[name]}" for name in ("title", "description") if name in part)
        for one in part.get("properties", {}).values():
            yield from visit(one, "settings")

    yield from visit(schema, "schema")


def test_every_text_is_a_literal() -> None:
    """Any other would be missed here, and in every language; a View's closed sets pass through one place."""
    for path in SOURCES:
        text = path.read_text("utf-8")
        calls, literals = re.findall(_CALL, text), re.findall(rf"{_CALL}\s*{_TEXT}", text)
        assert len(calls) - len(literals) == (path.name == "translated.ts"), path


#: String literals that nobody reads: classes, keys, tags, events, parts of drawings, errors for developers.
_UNREAD = re.compile(
    r"^(sima-|jp-|lm-|\.\w|#|/|@|application/|Arrow|Enter$|Escape$|Home$|End$|Page(Up|Down)$|Error$|NetworkError$|"
    r"HTTPError$|NotLocalError$|Editor$)"
)
#: Keys of closed sets, the factory's own name (its label is translated), and what the application says by itself.
_KEYS = {
    *("not feasible", "does not fit", "not readable", "set by the host", "SiMa Viewer", "SiMa Details", "Other"),
    *("Profiling views in notebook outputs", "Opens compiled archives, statistics and models without a kernel"),
}
#: Units, as `sima_compiler.view.units` writes them in every language.
_UNITS = re.compile(r" byte|\} points$")


def test_nothing_is_said_past_the_words() -> None:
    """Text of elements, and literals that read like words, go through ``words`` or ``trans``."""
    found: list[str] = []
    for path in SOURCES:
        for number, line in enumerate(code_of(path).split("\n"), 1):
            found += [f"{path.name}:{number}: {text}" for text in said_in(line) if is_read(text)]
    assert not found, "\n".join(found)


def is_read(text: str) -> bool:
    return not (_UNREAD.search(text) or _UNITS.search(text)) and text not in _KEYS


def code_of(path: Path) -> str:
    """The source without comments, imports, types of literals, errors for developers, and what goes through words."""
    text = path.read_text("utf-8")
    keep_lines = lambda match: "\n" * match.group(0).count("\n")  # noqa: E731 - numbers of lines stay right
    for away in (
        r"/\*.*?\*/",
        r"(?m)(?<!:)//.*$",
        r"(?ms)^(?:import|export) [^;]*? from [^;]*;",
        r"new (?:Error|Refusal)\(\s*[\"'`][^\"'`]*[\"'`]",
        rf"(?s){_CALL}\s*{_TEXT}(?:,\s*{_TEXT})?",
        r"\b_p\(",
        r"readonly \w+\??: [^;]*;",
    ):
        text = re.sub(away, keep_lines, text, flags=re.DOTALL if "/\\*" in away else 0)
    return text


def said_in(line: str) -> Iterator[str]:
    for text in re.findall(r'"([^"\\]*)"', line):
        if re.search(r"[A-Za-z]{2,} [A-Za-z]", text) or re.fullmatch(r"[A-Z][a-z]+", text):
            yield text
    for text in re.findall(r"`([^`]*)`", line):
        plain = re.sub(r"\$\{[^}]*\}", "", text)
        if re.search(r"[A-Za-z]{3,} [A-Za-z]|[A-Za-z]{3,}[:,] |[ ][a-z]{3,}", plain):
            yield text
    yield from bare_text(line)
    yield from mixed_text(line)
    yield from (text for text in re.findall(r">([A-Za-z][A-Za-z ,.?]+)</", line) if not text.endswith("Props"))


def bare_text(line: str) -> Iterator[str]:
    """A line of text between two tags."""
    found = re.fullmatch(r"\s+([A-Za-z][\w ,.'-]*[a-z.,])\s*", line)
    if not found or " " not in found[1] or re.search(r"\w\.\w", found[1]):
        return
    if not re.match(r"(?:return|export|private|readonly|const|case|else)\b", found[1]):
        yield found[1]


def mixed_text(line: str) -> Iterator[str]:
    """Text between expressions and tags on one line."""
    if "{" not in line and "/>" not in line and "</" not in line:
        return
    rest, before = line, ""
    while rest != before:
        rest, before = re.sub(r"\{[^{}]*\}|</?[A-Za-z][^<>]*>", " ", rest), rest
    if re.search(r"\w\.\w|\bnew\b|^\s*(?:export|const)\b", rest):
        return
    if re.fullmatch(r"[\w\s,.:()'?!-]*", rest) and re.search(r"[a-z]{2,}\W+[a-z]{2,}|\b[A-Z]\w+\)?:", rest):
        yield rest.strip()


def test_there_is_a_language_beside_english() -> None:
    assert [path.parts[-3] for path in LANGUAGES] == ["de_DE"]


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.parts[-3])
def test_a_language_is_complete(path: Path) -> None:
    found = json.loads(path.read_text("utf-8"))
    head = found.pop("")
    assert (head["domain"], head["language"]) == ("sima_nb", path.parts[-3].replace("_", "-"))
    expected = used()
    assert sorted(expected.keys() - found.keys()) == [], "these are missing"
    assert sorted(found.keys() - expected.keys()) == [], "nobody says these"
    for text, forms in found.items():
        assert len(forms) == expected[text], text
        for form in forms:
            assert form.strip()
            assert set(re.findall(r"%\d", form)) == set(re.findall(r"%\d", text)), form

"""The views' own checks, run from here: types, style, tests of pure modules, and that the committed files are up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import node

ROOT = Path(__file__).parents[2]
BUNDLES = ("compiler/sima_compiler/view/static/inline.js", "sima_nb/static/widget.js")


def test_types() -> None:
    result = node.run("check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_style() -> None:
    result = node.run("lint")
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:] + "\nrun: make views"


def test_pure_modules(record_property: pytest.RecordProperty) -> None:
    result = node.run("test")
    names = re.findall(r"^\s*(not ok|ok) \d+ - (.*)$", result.stdout, re.MULTILINE)
    for verdict, name in names:
        record_property(name, verdict)
    assert result.returncode == 0, "\n".join(name for verdict, name in names if verdict == "not ok") + result.stdout
    assert len(names) >= 40, f"only {len(names)} tests were found"


def test_the_committed_bundles_are_what_the_sources_build(tmp_path: Path) -> None:
    result = node.run("build", str(tmp_path))
    assert result.returncode == 0, result.stderr
    for name in BUNDLES:
        assert (ROOT / name).read_bytes() == (tmp_path / name).read_bytes(), f"{name} is out of date; run: make views"


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_fit_into_any_page(name: str) -> None:
    """An inline script ends at the first `</script`, and a comment opened by `<!--` changes how it is read."""
    text = (ROOT / name).read_text("ascii")
    assert not re.search(r"</script|<!--|<script", text, re.IGNORECASE)
    assert "sourceMappingURL" not in text


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_reach_for_nothing_outside(name: str) -> None:
    text = (ROOT / name).read_text("ascii")
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|\bimport\(|@import|url\(", text)
    places = set(re.findall(r"https?://[^\s\"'`)]+", text))
    assert places <= {f"http://www.w3.org/{part}" for part in ("1998/Math/MathML", "1999/xhtml", "2000/svg")}, places


def test_the_lock_file_names_no_registry() -> None:
    lock = (node.VIEWS / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock

"""The views' own checks, run from here: types, style, tests of pure modules, committed files up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import node

ROOT = Path(__file__).parents[2]
BUNDLES = (
    "compiler/sima_compiler/view/static/inline.js",
    "compiler/sima_compiler/view/static/boot.js",
    "sima_nb/static/widget.js",
)
PACKED = "compiler/sima_compiler/view/static/inline.packed"
EXTENSION = "sima_nb/labextension"


@pytest.mark.parametrize("part", ["check", "check-lab"])
def test_types(part: str) -> None:
    result = node.run(part)
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


@pytest.fixture(scope="module")
def fresh_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    result = node.build(folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_the_types_are_those_of_the_schema() -> None:
    result = node.run("contract", "--print")
    assert result.returncode == 0, result.stderr
    committed = (node.VIEWS / "src" / "contract.ts").read_text("utf-8")
    assert committed == result.stdout, "src/contract.ts is not what schema.json says; run: make views"


def test_the_committed_bundles_are_what_the_sources_build(fresh_build: Path) -> None:
    for name in (*BUNDLES, PACKED):
        assert (ROOT / name).read_bytes() == (fresh_build / name).read_bytes(), (
            f"{name} is out of date; run: make views"
        )


def test_the_committed_extension_is_what_the_sources_build(fresh_build: Path) -> None:
    result = node.pack(fresh_build)
    assert result.returncode == 0, result.stdout + result.stderr
    committed, built = files_of(ROOT / EXTENSION), files_of(fresh_build / EXTENSION)
    assert sorted(committed) == sorted(built), "run: make views"
    assert committed == built, "run: make views"


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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

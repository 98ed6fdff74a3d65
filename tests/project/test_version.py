"""One version, stated once: packaging reads it, the packages repeat it, the changelog's top entry is about it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import sima_compiler
import sima_nb
from sima_compiler.version import __version__

ROOT = Path(__file__).parents[2]


def test_packaging_reads_the_version_from_its_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert ROOT / project["tool"]["hatch"]["version"]["path"] == ROOT / "compiler/sima_compiler/version.py"


def test_both_packages_carry_it() -> None:
    assert sima_compiler.__version__ == __version__
    assert sima_nb.__version__ == __version__


def test_the_browser_side_carries_it() -> None:
    for package in ("labextension/package.json", "sima_nb/labextension/package.json"):
        assert json.loads((ROOT / package).read_text("utf-8"))["version"] == __version__


def test_the_changelog_is_about_it() -> None:
    entries = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert entries
    assert entries[0] == __version__

"""The shared fixtures themselves: golden files, and tools that are missing on a stranger's machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

GOLDEN_TEST = """
def test_text(golden):
    golden("one\\n{}\\n")
"""
TOOL_TESTS = """
import pytest

def test_plain(): pass

def test_page(chromium): pass

@pytest.mark.needs_chromium
def test_other_page(): pass
"""


class Project:
    """A small test folder with a copy of the shared conftest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "conftest.py").write_text(CONFTEST.read_text("utf-8"), "utf-8")

    def run(self, text: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "test_case.py").write_text(text, "utf-8")
        inherited = {key: value for key, value in os.environ.items() if key != "SIMA_NB_REQUIRE_ALL"}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            env={**inherited, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_missing_golden_file_fails_and_names_the_flag(project: Project) -> None:
    result = project.run(GOLDEN_TEST.format("two"))
    assert result.returncode == 1
    assert "does not exist yet" in result.stdout
    assert "--update-golden" in result.stdout
    assert "+two" in result.stdout


def test_an_updated_golden_file_is_then_held(project: Project) -> None:
    assert project.run(GOLDEN_TEST.format("two"), "--update-golden").returncode == 0
    assert (project.folder / "golden" / "test_case" / "test_text.txt").read_text("utf-8") == "one\ntwo\n"
    assert project.run(GOLDEN_TEST.format("two")).returncode == 0
    changed = project.run(GOLDEN_TEST.format("three"))
    assert changed.returncode == 1
    assert "-two" in changed.stdout
    assert "+three" in changed.stdout


def test_tests_without_their_tool_are_left_out_and_counted(project: Project) -> None:
    result = project.run(TOOL_TESTS, PATH="")
    assert result.returncode == 0
    assert "1 passed, 2 deselected" in result.stdout
    assert "left out: 2 tests, because chromium is not installed; to add: apt-get install chromium" in result.stdout


def test_the_complete_run_fails_on_anything_left_out(project: Project) -> None:
    result = project.run(TOOL_TESTS, PATH="", SIMA_NB_REQUIRE_ALL="1")
    assert result.returncode == 1
    assert "so the run fails" in result.stdout


def test_the_complete_run_fails_on_a_skip(project: Project) -> None:
    text = "import pytest\n\ndef test_plain(): pass\n\ndef test_idle(): pytest.skip('later')\n"
    assert project.run(text).returncode == 0
    assert project.run(text, SIMA_NB_REQUIRE_ALL="1").returncode == 1


def test_tests_run_where_the_tool_is_installed(project: Project) -> None:
    tools = project.folder / "bin"
    tools.mkdir()
    (tools / "chromium").write_text("#!/bin/sh\n", "utf-8")
    (tools / "chromium").chmod(0o755)
    result = project.run(TOOL_TESTS, PATH=str(tools))
    assert result.returncode == 0
    assert "3 passed" in result.stdout
    assert "left out" not in result.stdout


def test_hypothesis_draws_the_same_examples_every_time() -> None:
    from hypothesis import settings

    current = settings.default
    assert current is not None
    assert current.derandomize
    assert current.deadline is None

"""`make` on a stranger's machine: helpful without anything installed, clear about what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a space in its name that holds what make reads."""
    folder = tmp_path / "my checkout"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs make as from a shell, also when these tests run under `make test`, which marks its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, env=environment)


def fake_python(folder: Path, script: str) -> str:
    path = folder / "fakepython"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    return "./fakepython"


def test_help_lists_every_command(checkout: Path) -> None:
    result = make(checkout)
    assert result.returncode == 0
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony is not None
    for command in phony[1].split():
        assert f"make {command} " in result.stdout
    assert not (checkout / ".venv").exists()


def test_an_old_python_is_refused_in_a_sentence(checkout: Path) -> None:
    python = fake_python(checkout, 'if [ "$1" = --version ]; then echo "Python 3.9.2"; else exit 1; fi')
    result = make(checkout, f"PYTHON={python}", "demo")
    assert result.returncode != 0
    assert "sima-nb needs Python 3.11 or newer; ./fakepython is: Python 3.9.2" in result.stdout
    assert "make PYTHON=python3.12 demo" in result.stdout
    assert not (checkout / ".venv").exists()


def test_an_incomplete_venv_module_is_explained_and_leaves_nothing(checkout: Path) -> None:
    python = fake_python(checkout, 'if [ "$2" = venv ]; then mkdir -p .venv/bin; exit 1; fi')
    result = make(checkout, f"PYTHON={python}", "demo")
    assert result.returncode != 0
    assert "apt-get install python3-venv" in result.stdout
    assert not (checkout / ".venv").exists()


def test_an_existing_environment_is_used_again(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    python = checkout / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "ran: $*"\n', "utf-8")
    python.chmod(0o755)
    first, second = make(checkout, "demo"), make(checkout, "demo")
    assert "Installing" in first.stdout
    assert second.stdout == "ran: -m sima_compiler.demo\n"


def test_the_continuous_check_installs_its_tools_and_allows_no_omission() -> None:
    text = (ROOT / ".ci" / "run").read_text("utf-8")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert "set -euo pipefail" in text
    assert "SIMA_NB_REQUIRE_ALL=1" in text
    for word in ("chromium", "qemu-user", "make test"):
        assert word in text

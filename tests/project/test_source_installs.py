"""`pip install` from sources, with neither node nor a network: the sdist, and a clone as git gives it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "sima_nb" / "labextension"


def sdist(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return next(folder.glob("*.tar.gz"))


def clone(folder: Path) -> Path:
    """What is tracked, as it lies here; without git or a checkout, everything but what a build left behind."""
    target = folder / "a clone"
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                os.link(ROOT / name, target / name)
    else:
        shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(".venv", "node_modules", "tests", "__pycache__"))
    return target


@pytest.mark.parametrize("source", [sdist, clone], ids=["sdist", "clone"])
def test_no_node_and_no_network_are_needed(source: Callable[[Path], Path], tmp_path: Path) -> None:
    """The built extension is among the sources, so that installing only copies it."""
    given = source(tmp_path)
    prefix = tmp_path / "installed"
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    command = [sys.executable, "-m", "pip", "install", *offline, "--ignore-installed", f"--prefix={prefix}", str(given)]
    environment = os.environ | {"PATH": str(tmp_path / "nothing")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    shared = prefix / "share" / "jupyter" / "labextensions" / "sima-nb"
    for path in EXTENSION.rglob("*"):
        if path.is_file():
            assert (shared / path.relative_to(EXTENSION)).read_bytes() == path.read_bytes()
    assert (shared / "install.json").is_file()
    assert (prefix / "etc" / "jupyter" / "jupyter_server_config.d" / "sima_nb.json").is_file()
    (package,) = prefix.glob("lib/python*/site-packages/sima_nb")
    assert (package / "locale" / "de_DE" / "LC_MESSAGES" / "sima_nb.json").is_file()
    assert (package / "static" / "widget.js").is_file()

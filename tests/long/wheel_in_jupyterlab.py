"""The wheel as users get it, in the oldest and the newest JupyterLab that the metadata allows: `make test-wheel`.

Two environments are made, without node on the path of the install, so this needs a package index and some minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import onnx
import pytest
from playwright.sync_api import Browser, expect

from sima_compiler import Archive
from tests.extension.conftest import fill
from tests.extension.lab_page import open_lab
from tests.support.jupyterlab import PATIENCE, running_lab
from tests.support.small_models import small_float_model

ROOT = Path(__file__).parents[2]


def oldest() -> str:
    """The lower bound of the extra, as a requirement."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (lab,) = project["optional-dependencies"]["lab"]
    return f"{lab.replace('>=', '==')}.0"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module", params=[oldest(), "jupyterlab"], ids=["oldest", "newest"])
def python(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment with the wheel and one release of JupyterLab; no node is found there."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(place, with_pip=True)
    found = str(place / "bin" / "python")
    environment = os.environ | {"PATH": "/usr/bin:/bin"}
    install = [found, "-m", "pip", "install", "--quiet", request.param, str(wheel)]
    done = subprocess.run(install, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return found


@pytest.mark.parametrize("kind", ["labextension", "server extension"])
def test_nothing_has_to_be_enabled(python: str, kind: str) -> None:
    jupyter = Path(python).with_name("jupyter")
    done = subprocess.run([str(jupyter), *kind.split(), "list"], capture_output=True, text=True, check=True)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "sima" in line]
    assert any("enabled" in line for line in lines)
    assert any("OK" in line for line in lines)


def test_files_open_and_models_compile(python: str, browser: Browser, tmp_path: Path) -> None:
    with running_lab(tmp_path, python) as lab:
        fill(lab.folder)
        onnx.save(small_float_model(), lab.folder / "float.onnx")
        with open_lab(browser, lab, "wheel") as page:
            page.double_click("small_mpk.tar.gz")
            for tab in ("Report", "Gantt", "Archive", "Batch"):
                page.tab(tab).click()
                page.accessible()
            page.menu("float.onnx").get_by_text("Compile for the MLA").click()
            expect(page.document.locator("[data-compiles=true]")).to_be_visible(timeout=1000 * PATIENCE)
            page.document.get_by_role("button", name="Compile", exact=True).click()
            expect(page.tab("Report")).to_be_visible(timeout=1000 * PATIENCE)
            assert Archive.open(lab.folder / "float_mpk.tar.gz").batch.actual == 1

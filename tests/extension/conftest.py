"""One JupyterLab for the run with files of every kind, and its pages as a person sees them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from sima_compiler import Archive, Model
from tests.extension.lab_page import LabPage, open_lab
from tests.support.archives import stats_text, vendor_archive
from tests.support.jupyterlab import Lab, running_lab
from tests.support.small_models import write_small_model

Opened = Callable[..., LabPage]
#: Every letter that an address, a selector or a translation could trip over.
ODD = "smäll #1 50%25 & more"


@pytest.fixture(scope="session")
def shop(chromium: str, fixture_dir: Path) -> Iterator[Lab]:
    """The server; nothing was ever set or opened in it."""
    folder = fixture_dir / "extension"
    folder.mkdir()
    with running_lab(folder) as lab:
        fill(lab.folder)
        yield lab


def fill(folder: Path) -> None:
    """Ours under two names, one with only what the published format promises, statistics small and large, others."""
    model = write_small_model(folder)
    compiled = Model.from_onnx(model)
    archive = Archive.open(compiled.compile(output_path=folder, batch_size=3).path)
    (folder / f"{ODD}_mpk (1).tar.gz").write_bytes((folder / "small_mpk.tar.gz").read_bytes())
    (folder / "other").mkdir()
    compiled.compile(output_path=folder / "other", batch_size=1)
    compiled.save("small", folder)
    vendor_archive(folder)
    (folder / "small_mla_stats.yaml").write_bytes(archive.read("small_stage1_mla_stats.yaml"))
    (folder / "large_mla_stats.yaml").write_bytes(stats_text([f"MLA_0/conv2d_{number}" for number in range(100_000)]))
    (folder / "small_mpk.json").write_bytes(archive.read("small_mpk.json"))
    (folder / "notes.yaml").write_text("a: 1\n", "utf-8")


@pytest.fixture
def open_page(browser: Browser, shop: Lab, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens JupyterLab in a workspace of the test's own; ``app="tree"`` opens Notebook 7's list of files."""
    with contextlib.ExitStack() as stack:

        def opened(app: str = "lab") -> LabPage:
            name = "".join(letter for letter in request.node.name if letter.isalnum())
            return stack.enter_context(open_lab(browser, shop, name, app))

        yield opened

"""One JupyterLab for the run with files of every kind, and its pages as a person sees them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

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
    """The server, behind a base URL; nothing was ever set or opened in it."""
    folder = fixture_dir / "extension"
    folder.mkdir()
    with running_lab(folder, base="/user/ada") as lab:
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


class SharedPage:
    """One page for the tests that need no other: loading the application takes longer than most of them."""

    def __init__(self, browser: Browser, shop: Lab) -> None:
        self._browser, self._shop = browser, shop
        self._stack = contextlib.ExitStack()
        self._complaints: list[str] = []
        self._page: LabPage | None = None

    def clean(self) -> LabPage:
        """The page as if it had just been opened."""
        if self._page is None:
            opening = open_lab(self._browser, self._shop, "shared", complaints=self._complaints)
            self._page = self._stack.enter_context(opening)
        self._page.clean()
        return self._page

    def settle(self) -> None:
        """Nothing asks, and nothing has complained."""
        if self._page is None:
            return
        self._page.no_dialog()
        complaints = "\n".join(self._complaints)[:4000]
        if complaints:
            self.drop()
        assert not complaints

    def drop(self) -> None:
        """Close it; the next test gets another one."""
        self._complaints.clear()
        self._page = None
        self._stack.close()


@pytest.fixture(scope="session")
def shared_page(browser: Browser, shop: Lab) -> Iterator[SharedPage]:
    page = SharedPage(browser, shop)
    yield page
    page.drop()


@pytest.fixture
def lab(shared_page: SharedPage, request: pytest.FixtureRequest) -> Iterator[LabPage]:
    """The application with nothing open; a test that fails leaves it to nobody."""
    failed = request.session.testsfailed
    yield shared_page.clean()
    if request.session.testsfailed > failed:
        shared_page.drop()
    else:
        shared_page.settle()


@pytest.fixture
def open_page(browser: Browser, shop: Lab, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens JupyterLab in a workspace of the test's own; ``app="tree"`` opens Notebook 7's list of files."""
    with contextlib.ExitStack() as stack:

        def opened(app: str = "lab", before: Callable[[Page], object] | None = None) -> LabPage:
            name = "".join(letter for letter in request.node.name if letter.isalnum())
            return stack.enter_context(open_lab(browser, shop, name, app, before=before))

        yield opened

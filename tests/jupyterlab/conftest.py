"""One JupyterLab for the run, with a compiled archive in the folder that its notebooks start in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from sima_compiler import Model
from tests.jupyterlab.workbook import Workbook, run_workbook, write_models
from tests.support.jupyterlab import Lab, NotebookPage, open_notebook, running_lab
from tests.support.small_models import write_small_model

Opened = Callable[..., NotebookPage]


@pytest.fixture(scope="session")
def lab(chromium: str, fixture_dir: Path) -> Iterator[Lab]:
    """The server; ``small_mpk.tar.gz`` and ``small.onnx`` lie beside the notebooks."""
    folder = fixture_dir / "jupyterlab"
    folder.mkdir()
    with running_lab(folder) as lab:
        model = write_small_model(lab.folder)
        Model.from_onnx(model).compile(output_path=lab.folder, batch_size=3)
        write_models(lab.folder)
        yield lab


@pytest.fixture(scope="package", params=["lab", "notebook"])
def opened_workbook(browser: Browser, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Workbook]:
    """The notebook that compiles, run once in each application."""
    with run_workbook(browser, lab, request.param) as workbook:
        yield workbook


@pytest.fixture
def workbook(opened_workbook: Workbook) -> Iterator[Workbook]:
    """The same, for a test that leaves it as it found it; what the page complained of is that test's."""
    yield opened_workbook
    opened_workbook.restore()
    complaints = opened_workbook.notebook.complaints
    assert not complaints, "\n".join(complaints)[:4000]


@pytest.fixture
def open_cells(browser: Browser, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens a notebook with the given cells, or the file ``name`` as it is; ``app="notebook"`` for Notebook 7."""
    with contextlib.ExitStack() as stack:

        def opened(*cells: str, name: str = "", app: str = "lab") -> NotebookPage:
            file = name or f"{request.node.name.replace('[', '-').replace(']', '')}.ipynb"
            if cells:
                lab.write(file, cells)
            return stack.enter_context(open_notebook(browser, lab, file, app))

        yield opened

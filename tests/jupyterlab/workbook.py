"""One notebook that compiles a real network and looks at it with every magic, open in JupyterLab or Notebook 7.

In: a running server. Out: `Workbook`: the page, and what is true of its archives as Python reads them. Expected numbers
come from there, never from the page.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from playwright.sync_api import Browser, Locator

from sima_compiler import Archive, Model
from sima_compiler.archive.report_records import CompileReport, ReportLayer
from tests.networks.float_net import FloatNet
from tests.support.jupyterlab import Lab, NotebookPage, open_notebook
from tests.support.qdq_writer import Style, write_qdq

#: On a quarter of the machine fewer than 120 samples fit, so the batch has something to say.
CELLS = {
    "load": "%load_ext sima_nb",
    "compile": "r = %sima_compile residual.onnx --batch-size 4 -o out",
    "stats": "s = %sima_stats r\ns",
    "archive": "t = %sima_archive r\nt",
    "batch": "b = %sima_batch residual.onnx --batch-size 120 --quads 1 --levers\nb",
    "compare": "c = %sima_compare shallow_mpk.tar.gz r\nc",
}
NAME = "residual_mpk.tar.gz"


@dataclass(frozen=True, slots=True)
class Workbook:
    """The notebook after Run All. ``archive`` is what it built, ``before`` what its last cell compares that with."""

    notebook: NotebookPage
    lab: Lab
    file: str
    archive: Archive = field(repr=False)
    before: Archive = field(repr=False)

    @property
    def report(self) -> CompileReport:
        """What the compiler says of the archive."""
        assert self.archive.report is not None
        return self.archive.report

    @property
    def layers(self) -> tuple[ReportLayer, ...]:
        """The layers as they run."""
        return self.report.layers

    def cell(self, name: str) -> Locator:
        """A cell, scrolled to: JupyterLab leaves out what is far from sight."""
        found = self.notebook.cells.nth(list(CELLS).index(name))
        found.scroll_into_view_if_needed()
        return found

    def restore(self) -> None:
        """The explorer's state as it was after Run All."""
        self.notebook.python(
            "s.selected, s.filter, s.range, s.unit, s.order, s.colour = [], '', None, 'cycles', 'timeline', 'kind'"
        )

    def shown(self, name: str) -> Locator:
        """The view that a cell shows."""
        return self.cell(name).locator(".sima-view")


def residual_network(blocks: int) -> onnx.ModelProto:
    """Residual blocks whose maps live long, a depthwise layer, a pool and a dense layer, on 64 x 64 images."""
    net = FloatNet(23)
    x = net.unary("Relu", net.conv(net.input((3, 64, 64), "image"), 32, 3, stride=2))
    for _ in range(blocks):
        y = net.unary("Relu", net.conv(x, 32, 3))
        x = net.unary("Relu", net.binary("Add", x, net.conv(y, 32, 3)))
    x = net.clip(net.conv(x, 64, 3, stride=2, groups=32), 0.0, 6.0)
    x = net.unary("Relu", net.conv(x, 64))
    return net.model([net.dense(net.flatten(net.global_pool(x)), 10)], "residual")


def write_models(folder: Path) -> None:
    """``residual.onnx``, which the notebook compiles, and the archive of a shallower one to compare with."""
    for name, blocks in (("residual", 3), ("shallow", 2)):
        onnx.save(write_qdq(residual_network(blocks), 23, Style()), folder / f"{name}.onnx")
    Model.from_onnx(folder / "shallow.onnx").compile(output_path=folder, batch_size=4)


@contextlib.contextmanager
def run_workbook(browser: Browser, lab: Lab, app: str) -> Generator[Workbook]:
    """The notebook after Run All, saved."""
    file = f"workbook-{app}.ipynb"
    lab.write(file, list(CELLS.values()))
    with open_notebook(browser, lab, file, app) as notebook:
        notebook.run_all()
        notebook.page.locator(".sima-nb-output[data-sima-live=true]").nth(3).wait_for(state="attached", timeout=30_000)
        notebook.save()
        archive, before = Archive.open(lab.folder / "out" / NAME), Archive.open(lab.folder / "shallow_mpk.tar.gz")
        yield Workbook(notebook, lab, file, archive, before)

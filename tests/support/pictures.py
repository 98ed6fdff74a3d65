"""The pictures of the documents, out of a real JupyterLab: ``python -m tests.support.pictures MODEL``.

In: a quantized model, such as ``demo/light_resnet50.sima`` that `make demo` leaves. Out: docs/images/. Needs Chromium
and the time of one compile.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.jupyterlab import NotebookPage, open_notebook, running_lab

IMAGES = Path(__file__).parents[2] / "docs" / "images"
CELLS = ("%load_ext sima_nb", "r = %sima_compile resnet50.sima --batch-size 24 -o out", "s = %sima_stats r\ns")


def main(arguments: list[str]) -> int:
    """Compile the model in a notebook and take the pictures of what it shows."""
    chromium = shutil.which("chromium")
    if len(arguments) != 1 or chromium is None:
        sys.stderr.write("usage: python -m tests.support.pictures MODEL    (Chromium must be installed)\n")
        return 2
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with running_lab(Path(folder)) as lab:
            shutil.copy(arguments[0], lab.folder / "resnet50.sima")
            lab.write("resnet50.ipynb", CELLS)
            with open_notebook(browser, lab, "resnet50.ipynb") as notebook:
                notebook.page.set_default_timeout(300_000)
                notebook.run_all()
                notebook.command("application:toggle-left-area")
                _summary(notebook)
                _explorer(notebook)
        browser.close()
    return 0


def _summary(notebook: NotebookPage) -> None:
    """The notebook from its first cell on, in the light theme, with the costliest layer selected."""
    page = notebook.page
    page.set_viewport_size({"width": 1180, "height": 1560})
    report = notebook.cells.nth(1).locator(".sima-view").first
    report.locator("[role=grid]").wait_for()
    report.get_by_role("button", name="Cycles", exact=True).click()
    report.locator(".sima-body .sima-row").first.click()
    page.evaluate("document.activeElement.blur()")
    notebook.cells.first.scroll_into_view_if_needed()
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)
    page.screenshot(path=IMAGES / "summary.png")


def _explorer(notebook: NotebookPage) -> None:
    """The explorer in the dark theme, coloured by cause, with a layer in the middle selected."""
    page = notebook.page
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    page.set_viewport_size({"width": 1180, "height": 2040})
    notebook.python("s.colour, s.selected = 'cause', [s.view.layers[len(s.view.layers) // 2].id]")
    page.mouse.move(0, 0)
    notebook.cells.nth(2).evaluate("cell => cell.scrollIntoView({ block: 'start' })")
    page.wait_for_timeout(2000)
    page.screenshot(path=IMAGES / "explorer.png")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

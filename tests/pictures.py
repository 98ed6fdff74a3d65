"""The pictures of the documents, made from the real report: ``python -m tests.pictures ARCHIVE``.

In: an archive, such as the one that `make demo` leaves in demo/. Out: docs/images/. Needs Chromium.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from sima_compiler.view import view_of_path, write_page

IMAGES = Path(__file__).parents[1] / "docs" / "images"
#: Wide enough for every column, high enough to end behind the memory map.
SIZE = {"width": 1120, "height": 1500}


def main(arguments: list[str]) -> int:
    """Take the pictures of one archive's report."""
    chromium = shutil.which("chromium")
    if len(arguments) != 1 or chromium is None:
        sys.stderr.write("usage: python -m tests.pictures ARCHIVE    (Chromium must be installed)\n")
        return 2
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = write_page(view_of_path(arguments[0]), Path(folder) / "report.html")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)  # pyright: ignore[reportArgumentType] - a plain dict is what it wants
        page.goto(page_file.as_uri())
        page.wait_for_selector("[data-sima-live]")
        page.evaluate("document.querySelector('.sima code').textContent = 'out/resnet50_mpk.tar.gz'")
        page.locator(".sima-view canvas").nth(1).click(position={"x": 300, "y": 45})
        page.wait_for_timeout(500)
        page.screenshot(path=IMAGES / "summary.png")
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""The notebook that compiles, saved: with a fresh kernel, from somebody else, without scripts, on a phone, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from sima_compiler.view import compare_views, units, view_of
from tests.jupyterlab.conftest import Opened
from tests.jupyterlab.test_one_notebook import IN_LAB, rows, short
from tests.jupyterlab.workbook import CELLS, Workbook
from tests.support.jupyterlab import NotebookPage

PHONE: ViewportSize = {"width": 320, "height": 900}
#: A4 between its margins.
PAPER: ViewportSize = {"width": 718, "height": 1000}
#: What an output would run in a page that trusts it.
SCRIPT = "<script>window.ran = true</script>"
#: No box of the cell holds more than it shows.
NOT_CUT = """cell => [...cell.querySelectorAll(".jp-OutputArea")].every(
    box => getComputedStyle(box).overflowY === "visible" || box.scrollHeight <= box.clientHeight + 1)"""


@dataclass(frozen=True, slots=True)
class Reopened:
    """The saved notebook in another page, with another kernel."""

    notebook: NotebookPage
    workbook: Workbook

    def cell(self, name: str) -> Locator:
        found = self.notebook.cells.nth(list(CELLS).index(name))
        found.scroll_into_view_if_needed()
        return found


def copied(workbook: Workbook, name: str, *, changed: bool = False) -> str:
    """The saved file under another name; ``changed`` by one character and a script in every output, as by a stranger,
    so that no signature fits.
    """
    notebook = nbformat.read(workbook.lab.folder / workbook.file, nbformat.NO_CONVERT)
    if changed:
        notebook.cells[1].source += " "
        for output in (output for cell in notebook.cells for output in cell.outputs if "data" in output):
            output["data"]["text/html"] = output["data"].get("text/html", "") + SCRIPT
    file = f"{name}-{workbook.file}"
    nbformat.write(notebook, workbook.lab.folder / file)
    return file


def app_of(workbook: Workbook) -> str:
    return Path(workbook.file).stem.rpartition("-")[2]


def test_reopened_with_a_fresh_kernel_it_says_the_same(workbook: Workbook, open_cells: Opened) -> None:
    notebook = open_cells(name=copied(workbook, "fresh"), app=app_of(workbook))
    notebook.wait_idle()
    assert notebook.page.locator("[data-sima-live=true]").count() == 0
    reopened = Reopened(notebook, workbook)
    expect_views(reopened)
    live = reopened.cell("compile").locator(".sima-view")
    expect(rows(live)).to_have_count(len(workbook.layers))
    rows(live).first.click()
    expect(live.locator(".sima-details")).to_contain_text(workbook.layers[0].name)
    # The static report's own rules for lists must not move those of the view that it holds.
    names = live.locator(".sima-details .sima-names").first
    assert names.evaluate("list => getComputedStyle(list).paddingLeft") == "0px"


def test_untrusted_it_says_the_same(workbook: Workbook, open_cells: Opened) -> None:
    """Without its script the report keeps tables and sentences; the views need none of a cell's."""
    notebook = open_cells(name=copied(workbook, "untrusted", changed=True), app=app_of(workbook))
    notebook.wait_idle()
    reopened = Reopened(notebook, workbook)
    expect_views(reopened)
    expect(reopened.cell("compile").locator(".sima-view")).to_have_count(0)
    expect_report(reopened.cell("compile"), workbook)
    assert notebook.page.evaluate("window.ran") is None, "a stranger's script ran"


def expect_views(reopened: Reopened) -> None:
    """Every view from its saved data."""
    workbook = reopened.workbook
    explorer = reopened.cell("stats").locator(".sima-view")
    expect(explorer.locator(".sima-count")).to_contain_text(f"{len(workbook.layers)} of {len(workbook.layers)} layers")
    expect(rows(explorer).locator(".sima-wide")).to_have_text([short(layer.name) for layer in workbook.layers])
    explorer.get_by_role("searchbox").fill(short(workbook.layers[-1].name))
    expect(rows(explorer)).to_have_count(1)
    explorer.get_by_role("searchbox").fill("")
    for failing in ("model not found", "Loading widget"):
        assert reopened.notebook.page.get_by_text(failing).count() == 0
    tree = reopened.cell("archive").get_by_role("tree")
    expect(tree.get_by_role("treeitem")).to_have_count(1 + len(workbook.archive.files))
    expect(reopened.cell("batch").locator(".sima-lead")).to_contain_text("is the largest feasible size up to 120")
    changes = compare_views(view_of(workbook.before), view_of(workbook.archive))
    expect(reopened.cell("compare").locator(".sima-count")).to_contain_text(
        f"{changes.counts['added']} added, {changes.counts['gone']} gone"
    )


def expect_report(place: Locator, workbook: Workbook) -> None:
    """Sentences and the table of the static report, to be seen."""
    report = workbook.report
    assert report.runtime_cycles is not None
    assert report.efficiency is not None
    expect(place.get_by_text(report.reason).first).to_be_visible()
    expect(place).to_contain_text(units.percent(report.efficiency))
    for layer in workbook.layers:
        row = place.locator("tr", has_text=short(layer.name)).first
        expect(row).to_contain_text(f"{layer.runtime_cycles:,}")
        expect(row).to_be_visible()


@pytest.fixture(params=["light", "dark"])
def converted(browser: Browser, workbook: Workbook, request: pytest.FixtureRequest) -> Iterator[Page]:
    """What nbconvert makes of the saved file, offline, on a phone, where no script runs; nothing may leave the page."""
    html, _ = HTMLExporter(theme=request.param).from_filename(str(workbook.lab.folder / workbook.file))
    path = workbook.lab.folder / f"{workbook.file}.{request.param}.html"
    path.write_text(html, "utf-8")
    context = browser.new_context(offline=True, java_script_enabled=False, color_scheme=request.param, viewport=PHONE)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(path.as_uri())
    yield page
    context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_without_scripts_all_is_on_a_phone_and_on_paper(converted: Page, workbook: Workbook) -> None:
    for medium, size in (("screen", PHONE), ("print", PAPER)):
        converted.emulate_media(media=medium)
        converted.set_viewport_size(size)
        cells = converted.locator(".jp-Cell")
        for name in ("compile", "stats"):
            expect_report(cells.nth(list(CELLS).index(name)), workbook)
        for file in workbook.archive.files:
            expect(cells.nth(list(CELLS).index("archive"))).to_contain_text(file.name)
        assert_fits(converted)
    assert len(converted.pdf()) > 10_000


def assert_fits(page: Page) -> None:
    """No output of ours is wider than its page, and letters stand out from their ground."""
    for output in page.locator(".jp-OutputArea-output .sima").all():
        assert output.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
        assert contrast(output) >= 4.5


def contrast(place: Locator) -> float:
    """Of text and ground as WCAG counts it; the ground is the next one behind that has a colour."""
    ink, ground = place.evaluate("""node => {
        const ground = place => getComputedStyle(place).backgroundColor;
        let behind = node;
        while (behind.parentElement && /, 0\\)$/.test(ground(behind))) behind = behind.parentElement;
        return [getComputedStyle(node).color, ground(behind)];
    }""")
    light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [float(part) / 255 for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_dark_narrow_and_on_paper_the_views_are_whole(workbook: Workbook) -> None:
    """In the application itself, with its own dark theme."""
    page = workbook.notebook.page
    usual = page.viewport_size
    assert usual is not None
    try:
        workbook.notebook.command("apputils:change-theme", theme="JupyterLab Dark")
        if app_of(workbook) == "lab":
            workbook.notebook.command("application:toggle-left-area")
        page.set_viewport_size(PHONE)
        expect_rows(workbook, "compile", "stats")
        expect_fitting(workbook, "compile", "stats", "archive", "batch", "compare")
        page.emulate_media(media="print")
        page.set_viewport_size(PAPER)
        expect_rows(workbook, "stats")
        expect_report(workbook.cell("compile"), workbook)
        assert workbook.cell("compile").evaluate(NOT_CUT)
        expect_fitting(workbook, "stats", "archive", "batch", "compare")
    finally:
        page.emulate_media(media="screen")
        page.set_viewport_size(usual)
        workbook.notebook.command("apputils:change-theme", theme="JupyterLab Light")
        if app_of(workbook) == "lab":
            workbook.notebook.command("application:toggle-left-area")


def expect_rows(workbook: Workbook, *names: str) -> None:
    cycles = f"{workbook.report.runtime_cycles:,} cycles"
    for view in map(workbook.shown, names):
        expect(rows(view).locator(".sima-wide")).to_have_text([short(layer.name) for layer in workbook.layers])
        expect(view.locator(".sima-count")).to_contain_text(cycles)


def expect_fitting(workbook: Workbook, *names: str) -> None:
    for name in names:
        view = workbook.shown(name)
        expect(view).to_be_visible()
        assert view.evaluate("node => node.scrollWidth - node.clientWidth") <= 0, name
        assert contrast(view) >= 4.5, name


@IN_LAB
def test_converted_it_is_live_offline(browser: Browser, workbook: Workbook) -> None:
    """What nbconvert writes is the live explorer with every layer; it asks for no more than an empty notebook does."""
    saved = workbook.lab.folder / workbook.file
    of_any_page = asked_by(browser, workbook.lab.write("empty.ipynb", []), [])
    assert asked_by(browser, saved, [layer.name for layer in workbook.layers]) == of_any_page


def asked_by(browser: Browser, notebook: Path, layers: list[str]) -> list[str]:
    """The addresses that the converted page asks for while it is opened offline and shows these layers live."""
    html, _ = HTMLExporter().from_filename(str(notebook))
    path = notebook.with_suffix(".html")
    path.write_text(html, "utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    errors: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    if layers:
        explorer = page.locator(".sima-view").first
        expect(rows(explorer).locator(".sima-wide")).to_have_text([short(name) for name in layers])
    context.close()
    assert not errors
    return [url for url in asked if not url.startswith("file:")]

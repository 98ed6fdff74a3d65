"""How a view ends in JupyterLab: closed it gives its memory back, failing it says so, and it has no part in another."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.jupyterlab.test_one_notebook import IN_LAB, rows
from tests.jupyterlab.workbook import CELLS, Workbook

pytestmark = IN_LAB

#: Appends a cell and runs it; gives nothing before its output is there.
APPEND = """async source => {
  const { commands, shell } = window.jupyterapp;
  const notebook = shell.currentWidget.content;
  notebook.activeCellIndex = notebook.widgets.length - 1;
  await commands.execute("notebook:insert-cell-below");
  notebook.activeCell.model.sharedModel.setSource(source);
  await commands.execute("notebook:run-cell");
}"""


def appended(workbook: Workbook, source: str) -> Locator:
    workbook.notebook.page.evaluate(APPEND, source)
    cell = workbook.notebook.cells.nth(len(CELLS))
    cell.scroll_into_view_if_needed()
    return cell


def test_a_closed_widget_gives_its_memory_back(workbook: Workbook) -> None:
    """First the live view goes, then the saved one with its cell; the page keeps neither."""
    page = workbook.notebook.page
    cell = appended(workbook, "from sima_nb import StatsExplorer\nw = StatsExplorer(r)\nw")
    output = cell.locator(".sima-nb-output")
    expect(output).to_have_attribute("data-sima-live", "true")
    expect(rows(cell)).to_have_count(len(workbook.layers))
    watch(cell)
    workbook.notebook.python("w.close()")
    expect(output).to_have_attribute("data-sima-live", "false")
    expect(rows(cell)).to_have_count(len(workbook.layers))
    watch(cell)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:delete-cell')")
    expect(workbook.notebook.cells).to_have_count(len(CELLS))
    page.wait_for_function(
        "() => { gc(); return window.simaWatched.every(held => held.deref() === undefined) }", timeout=10_000
    )
    assert page.evaluate("window.simaWatched.length") == 2


def watch(cell: Locator) -> None:
    cell.locator(".sima-view").evaluate("node => { (window.simaWatched ??= []).push(new WeakRef(node)) }")


def test_an_error_in_the_browser_is_shown_under_the_view_and_told_to_python(workbook: Workbook) -> None:
    view = workbook.cell("stats")
    workbook.notebook.python("s._head = '{\"format\": 99}'")
    try:
        expect(view.get_by_role("alert")).to_contain_text("This widget could not be shown")
    finally:
        workbook.notebook.python("s.show(s.view)")
    expect(rows(view)).to_have_count(len(workbook.layers))
    expect(view.get_by_role("alert")).to_have_count(0)


def test_labels_belong_to_the_fields_beside_them(workbook: Workbook) -> None:
    """With five views on one page; ids are the document's."""
    for name in ("compile", "stats", "archive", "batch", "compare"):
        workbook.cell(name)
    page = workbook.notebook.page
    ids = page.evaluate("[...document.querySelectorAll('.sima-view [id]')].map(node => node.id)")
    assert len(ids) > 20
    assert len(ids) == len(set(ids))
    strangers = page.evaluate("""[...document.querySelectorAll(".sima-view label")]
        .filter(label => label.control?.closest(".sima-view") !== label.closest(".sima-view"))
        .map(label => label.textContent)""")
    assert strangers == []

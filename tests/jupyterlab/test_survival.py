"""What is left of a widget: live while its kernel has it, and whole without it, in JupyterLab and Notebook 7."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from sima_compiler import Archive
from tests.jupyterlab.conftest import Opened
from tests.support.jupyterlab import Lab, NotebookPage

CELLS = (
    'from sima_nb import ArchiveTree, BatchNegotiation, StatsExplorer\nw = StatsExplorer("small_mpk.tar.gz")\nw',
    'ArchiveTree("small_mpk.tar.gz")',
    'BatchNegotiation("small_mpk.tar.gz")',
    'from sima_nb import Comparison\nComparison("small_mpk.tar.gz", "small_mpk.tar.gz")',
)


def layers_of(lab: Lab) -> list[str]:
    stats = Archive.open(lab.folder / "small_mpk.tar.gz").stats
    assert stats is not None
    return [layer.name.rpartition("/")[2] for layer in stats.layers]


def rows(place: Locator) -> Locator:
    """Rows of the explorer's table of layers."""
    return place.locator("[role=grid] [role=row]:not(:has([role=columnheader]))")


def explorer(notebook: NotebookPage) -> Locator:
    return notebook.outputs.nth(0)


def expect_live(notebook: NotebookPage) -> None:
    """Python sets what the page shows, and sees what is clicked there."""
    expect(rows(explorer(notebook))).to_have_count(4)
    notebook.python("w.filter = 'global'")
    expect(rows(explorer(notebook))).to_have_count(1)
    rows(explorer(notebook)).first.click()
    expect(rows(explorer(notebook)).first).to_have_attribute("aria-selected", "true")
    notebook.page.wait_for_timeout(300)
    assert notebook.python("print(w.selected)") == "[3]"
    tree = notebook.outputs.nth(1)
    tree.get_by_role("treeitem").filter(has_text="small_stage1_mla.lm").click()
    expect(tree).to_contain_text("commands: ")
    notebook.python("w.filter, w.selected = '', []")
    expect(rows(explorer(notebook))).to_have_count(4)


def expect_data(notebook: NotebookPage, lab: Lab) -> None:
    """Every view is whole and works by itself."""
    place = explorer(notebook)
    for name in layers_of(lab):
        expect(place.get_by_role("row").filter(has_text=name)).to_have_count(1)
    place.get_by_role("searchbox").fill("global")
    expect(rows(place)).to_have_count(1)
    place.get_by_role("searchbox").fill("")
    expect(notebook.outputs.nth(1).get_by_role("treeitem").filter(has_text="small_stage1_mla.lm")).to_be_visible()
    expect(notebook.outputs.nth(2)).to_contain_text("Batch 3 fits and is built.")
    expect(notebook.outputs.nth(3)).to_contain_text("4 of 4 layers: 0 added, 0 gone, 0 changed")
    assert notebook.page.get_by_text("model not found").count() == 0
    assert notebook.page.get_by_text("Loading widget").count() == 0


def wait_live(notebook: NotebookPage) -> None:
    expect(notebook.page.locator(".sima-nb-output[data-sima-live=true]")).to_have_count(len(CELLS), timeout=30_000)


def wait_data(notebook: NotebookPage) -> None:
    expect(notebook.page.locator(".sima-nb-output[data-sima-live=false]")).to_have_count(len(CELLS), timeout=30_000)


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_widget_is_live_while_its_kernel_has_it(open_cells: Opened, lab: Lab, app: str) -> None:
    notebook = open_cells(*CELLS, app=app)
    notebook.run_all()
    wait_live(notebook)
    expect_live(notebook)
    notebook.save()

    notebook.reload()
    wait_live(notebook)
    expect_live(notebook)

    notebook.python("w.close()")
    expect(explorer(notebook)).to_have_attribute("data-sima-live", "false")
    expect(notebook.outputs.nth(1)).to_have_attribute("data-sima-live", "true")
    expect_data(notebook, lab)

    notebook.restart()
    wait_data(notebook)
    expect_data(notebook, lab)
    notebook.run_all()
    wait_live(notebook)
    expect_live(notebook)
    notebook.shut_down()
    wait_data(notebook)
    expect_data(notebook, lab)


def test_widgets_compose_and_the_bare_widget_is_live(open_cells: Opened) -> None:
    """In a box beside ipywidgets' own, linked to them; what a browser draws goes away with the widget."""
    notebook = open_cells(
        "import ipywidgets\nfrom sima_nb import StatsExplorer\n"
        'w = StatsExplorer("small_mpk.tar.gz")\ntext = ipywidgets.Text()\n'
        'ipywidgets.link((text, "value"), (w, "filter"))\nipywidgets.VBox([text, w.widget()])'
    )
    notebook.run_all()
    place = notebook.outputs.nth(0)
    expect(rows(place)).to_have_count(4)
    place.locator(".widget-text input").fill("global")
    expect(rows(place)).to_have_count(1)
    place.get_by_role("searchbox").fill("dense")
    expect(place.locator(".widget-text input")).to_have_value("dense")
    notebook.python("w.close()")
    expect(notebook.page.locator(".sima-view")).to_have_count(0)

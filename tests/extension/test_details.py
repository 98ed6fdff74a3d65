"""The panel of details beside a document: it follows the selection, docks, comes back, and is reached by keys."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.extension.conftest import Opened
from tests.extension.lab_page import LabPage
from tests.extension.test_documents import rows
from tests.support.jupyterlab import PATIENCE


def panel(lab: LabPage) -> Locator:
    return lab.page.locator("#sima-nb-details")


def docked(lab: LabPage) -> Locator:
    return lab.page.locator("#jp-main-dock-panel #sima-nb-details")


def close_tab(lab: LabPage) -> None:
    """Close the panel where it is a tab: it goes back to the side."""
    lab.page.get_by_role("tab", name="Details").locator(".lm-TabBar-tabCloseIcon").click()
    expect(docked(lab)).to_have_count(0)


def test_the_panel_follows_the_document_and_is_reached_by_keys(open_page: Opened, tmp_path: Path) -> None:
    """One selection, shown beside; the document in front is followed; a comparison shows both sides of a layer."""
    lab = open_page()
    lab.double_click("small_mpk.tar.gz")
    lab.tab("Gantt").click()
    rows(lab.document).filter(has_text="global").click()
    lab.page.keyboard.press("Alt+Shift+D")
    expect(panel(lab)).to_be_visible()
    expect(panel(lab)).to_contain_text("small_mpk.tar.gz")
    expect(panel(lab).locator(".sima-title")).to_contain_text("global")
    expect(panel(lab).locator(".sima-details")).to_be_focused()
    lab.accessible("#sima-nb-details")
    lab.page.keyboard.press("Alt+Shift+D")
    expect(panel(lab).locator(".sima-details")).not_to_be_focused()
    main = lab.document
    rows(main).first.click()
    expect(panel(lab).locator(".sima-title")).not_to_contain_text("global")
    lab.command("docmanager:open", path="vendor_mpk.tar.gz")
    expect(panel(lab)).to_contain_text("vendor_mpk.tar.gz", timeout=1000 * PATIENCE)
    expect(panel(lab)).to_contain_text("Select a layer")
    lab.command("sima-nb:compare", before="small_mpk.tar.gz", after="other/small_mpk.tar.gz")
    both = lab.page.get_by_label("Layers of both")
    expect(both).to_be_visible(timeout=1000 * PATIENCE)
    expect(panel(lab)).to_contain_text("other/small_mpk.tar.gz")
    expect(panel(lab).get_by_text("Select a layer")).to_have_count(2)
    both.focus()
    lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press("End")
    name = both.locator('[aria-selected="true"] .sima-name').text_content() or ""
    expect(panel(lab).locator(".sima-title")).to_contain_text([name, name])
    lab.accessible()
    lab.accessible("#sima-nb-details")
    lab.command("docmanager:open", path="small_mpk.tar.gz")
    expect(panel(lab).locator(".sima-title")).to_be_visible()
    lab.command("sima-nb:dock-details")
    lab.page.wait_for_timeout(2000)
    lab.page.reload()
    lab.wait_ready()
    expect(docked(lab)).to_be_visible(timeout=1000 * PATIENCE)
    expect(panel(lab).locator(".sima-title")).to_be_visible(timeout=1000 * PATIENCE)
    close_tab(lab)


def test_the_panel_docks_and_shortcuts_reach_the_application(lab: LabPage) -> None:
    lab.double_click("small_mpk.tar.gz")
    lab.tab("Gantt").click()
    main = lab.document
    rows(main).first.click()
    lab.command("sima-nb:dock-details")
    expect(panel(lab).locator(".sima-title")).to_be_visible()
    expect(docked(lab)).to_have_count(1)
    close_tab(lab)
    lab.command("sima-nb:details")
    expect(panel(lab).locator(".sima-title")).to_be_visible()
    main.get_by_role("tab", name="Gantt").focus()
    lab.page.keyboard.press("Alt+Shift+ArrowRight")
    expect(main.get_by_role("tab", name="Archive")).to_have_attribute("aria-selected", "true")
    lab.page.keyboard.press("Control+Shift+C")
    expect(lab.page.locator(".lm-CommandPalette")).to_be_visible()
    lab.page.keyboard.press("Escape")

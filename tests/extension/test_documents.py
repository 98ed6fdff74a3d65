"""Files open by double click, in the browser, with no kernel: what is seen, restored, compared and reloaded."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.extension.conftest import ODD, Opened
from tests.extension.lab_page import LabPage
from tests.support.archives import stats_text
from tests.support.jupyterlab import NOT_OURS, PATIENCE, Lab

ROOT = Path(__file__).parents[2]
LAYERS = "[role=grid] [role=row]:not(:has([role=columnheader]))"


def rows(place: Locator) -> Locator:
    """Rows of the explorer's table of layers."""
    return place.locator(LAYERS)


def test_a_double_click_opens_each_kind_of_file(lab: LabPage) -> None:
    """Ours, the vendor's, a second download, statistics of four and of 100,000 layers, a pipeline by itself."""
    for name, tabs in {
        "small_mpk.tar.gz": ["Report", "Gantt", "Archive", "Batch"],
        "vendor_mpk.tar.gz": ["Report", "Gantt", "Archive", "Batch"],
        f"{ODD}_mpk (1).tar.gz": ["Report", "Gantt", "Archive", "Batch"],
        "small_mla_stats.yaml": ["Report", "Gantt"],
        "large_mla_stats.yaml": ["Report", "Gantt"],
        "small_mpk.json": ["Report", "Archive"],
    }.items():
        place = lab.double_click(name)
        expect(place.get_by_role("tab")).to_have_text(tabs)
        for tab in tabs:
            lab.tab(tab).click()
            expect(place.get_by_role("tabpanel")).to_have_count(1)
            expect(place.locator("[role=tabpanel] .sima-view:visible")).to_have_count(1)
        if name.startswith("large"):
            lab.tab("Gantt").click()
            expect(place).to_contain_text("100,000 layers")
        lab.accessible()
    lab.double_click("small_mpk.tar.gz")
    lab.tab("Gantt").click()
    expect(rows(lab.document)).to_have_count(4)
    assert lab.page.evaluate("[...window.jupyterapp.serviceManager.sessions.running()].length") == 0
    copies = [path for path in lab.lab.folder.rglob(".ipynb_checkpoints/*") if path.suffix != ".ipynb"]
    assert copies == [], "a viewer needs no copy of the file"


def test_members_are_previewed_and_extracted(lab: LabPage) -> None:
    place = lab.double_click(f"{ODD}_mpk (1).tar.gz")
    lab.tab("Archive").click()
    program = place.get_by_role("treeitem").filter(has_text="small_stage1_mla.lm")
    program.click()
    expect(place).to_contain_text("commands: ")
    place.get_by_role("treeitem").filter(has_text="small_compile_report.json").click(modifiers=["Control"])
    place.get_by_role("button", name="Extract 1 file", exact=True).click()
    expect(place).to_contain_text(f"1 file extracted into {ODD}")
    assert (lab.lab.folder / ODD / "small_compile_report.json").is_file()


def test_other_files_are_named_and_the_editor_stays(lab: LabPage) -> None:
    lab.command("sima-nb:open", path="notes.yaml")
    expect(lab.document).to_contain_text("notes.yaml is YAML, but no MLA statistics")
    lab.accessible()
    lab.document.get_by_role("button", name="Open in the text editor").click()
    expect(lab.page.locator(".jp-FileEditor")).to_contain_text("a: 1")
    offered = "path => window.jupyterapp.docRegistry.preferredWidgetFactories(path).map(factory => factory.name)"
    for path, first in {
        "a_mpk.tar.gz": "SiMa Viewer",
        "a_mpk (12).tgz": "SiMa Viewer",
        "a_mla_stats.yml": "SiMa Viewer",
        "a_mla_stats (2).yaml": "SiMa Viewer",
        "a_mpk.json": "SiMa Viewer",
        "a_mpk (3).json": "SiMa Viewer",
        "a.sima": "SiMa Viewer",
        "a.tar.gz": "Editor",
        "a.tgz": "Editor",
        "a.yaml": "Editor",
        "a.json": "JSON",
        "a.onnx": "Editor",
        "a.txt": "Editor",
    }.items():
        found = lab.page.evaluate(offered, path)
        assert found[0] == first
        assert "Editor" in found
        assert ("SiMa Viewer" in found) == (path != "a.txt")


def test_two_chosen_files_are_compared(lab: LabPage) -> None:
    lab.row("small_mpk.tar.gz").click()
    lab.row("vendor_mpk.tar.gz").click(modifiers=["Control"])
    lab.menu("vendor_mpk.tar.gz").get_by_text("Compare", exact=True).click()
    expect(lab.document).to_contain_text("Layers", timeout=1000 * PATIENCE)
    expect(lab.document.get_by_label("Layers of both")).to_be_visible()
    lab.accessible()
    assert "Compare" not in lab.menu("notes.yaml").inner_text().split("\n")


def test_a_workspace_brings_back_what_was_seen(open_page: Opened) -> None:
    """The tab, what was filtered and chosen, the comparison beside it."""
    lab = open_page()
    lab.command("sima-nb:compare", before="small_mpk.tar.gz", after="other/small_mpk.tar.gz")
    expect(lab.document).to_contain_text("Layers", timeout=1000 * PATIENCE)
    lab.double_click("small_mpk.tar.gz")
    lab.tab("Gantt").click()
    rows(lab.document).filter(has_text="global").click()
    lab.document.get_by_role("combobox", name="Unit").select_option("time")
    lab.document.get_by_role("searchbox").fill("global")
    expect(rows(lab.document)).to_have_count(1)
    lab.document.get_by_role("button", name="Selection").click()
    lab.document.get_by_role("combobox", name="Timeline").select_option("rows")
    expect(lab.document.get_by_role("button", name="All", exact=True)).to_be_enabled()
    lab.command("sima-nb:details")
    lab.page.wait_for_timeout(2000)
    lab.page.reload()
    lab.wait_ready()
    expect(lab.document).to_be_visible(timeout=1000 * PATIENCE)
    expect(lab.tab("Gantt")).to_have_attribute("aria-selected", "true")
    expect(lab.document.get_by_role("searchbox")).to_have_value("global")
    expect(rows(lab.document)).to_have_count(1)
    expect(rows(lab.document)).to_have_attribute("aria-selected", "true")
    expect(lab.document.get_by_role("combobox", name="Unit")).to_have_value("time")
    expect(lab.document.get_by_role("combobox", name="Timeline")).to_have_value("rows")
    expect(lab.page.locator("#sima-nb-details .sima-title")).to_contain_text("global", timeout=1000 * PATIENCE)
    expect(lab.document.get_by_role("button", name="All", exact=True)).to_be_enabled()
    lab.page.get_by_role("tab", name="small_mpk.tar.gz ↔ other/small_mpk.tar.gz").click()
    expect(lab.document.get_by_label("Layers of both")).to_be_visible()


def test_a_file_that_changes_is_read_again(lab: LabPage) -> None:
    path = lab.lab.folder / "changing_mla_stats.yaml"
    path.write_bytes(stats_text(["MLA_0/first"]))
    lab.command("sima-nb:open", path=path.name)
    lab.tab("Gantt").click()
    lab.document.get_by_role("searchbox").fill("MLA")
    expect(rows(lab.document)).to_have_count(1)
    path.write_bytes(stats_text(["MLA_0/first", "MLA_0/second"]))
    expect(rows(lab.document)).to_have_count(2, timeout=15_000)
    expect(lab.document.get_by_role("searchbox")).to_have_value("MLA")
    lab.command("sima-nb:compare", before="small_mla_stats.yaml", after=path.name)
    expect(lab.document).to_contain_text("2 added, 4 gone", timeout=1000 * PATIENCE)
    path.write_bytes(stats_text(["MLA_0/first", "MLA_0/second", "MLA_0/third"]))
    expect(lab.document).to_contain_text("3 added, 4 gone", timeout=15_000)
    lab.command("docmanager:open", path=path.name)
    expect(rows(lab.document)).to_have_count(3, timeout=15_000)
    path.unlink()
    expect(lab.document).to_contain_text("The file is gone", timeout=15_000)
    expect(rows(lab.document)).to_have_count(3)


def test_notebook_7_opens_the_same_documents(open_page: Opened) -> None:
    lab = open_page("tree")
    with lab.page.context.expect_page() as opening:
        lab.row("small_mpk.tar.gz").dblclick()
    page = opening.value
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    place = page.locator(".sima-nb-document")
    expect(place.get_by_role("tab")).to_have_text(["Report", "Gantt", "Archive", "Batch"], timeout=1000 * PATIENCE)
    place.get_by_role("tab", name="Gantt").click()
    expect(rows(place)).to_have_count(4)
    assert not [error for error in errors if not any(known in error for known in NOT_OURS)]


def test_notebook_7_compiles_and_its_documents_find_each_other(open_page: Opened) -> None:
    """Each document is a page of its own there: the form is one, and what it is asked for reaches it."""
    lab = open_page("tree")
    with lab.page.context.expect_page() as opening:
        lab.menu("small.onnx").get_by_text("Compile for the MLA").click()
    form = opening.value.locator(".sima-nb-document:not(.sima-nb-details)")
    expect(form.locator("[data-compiles=true]")).to_be_visible(timeout=1000 * PATIENCE)
    form.get_by_label("Output folder").fill("seven")
    form.get_by_role("button", name="Compile", exact=True).click()
    done = form.locator("[data-state=done]").first
    expect(done).to_contain_text("batch 1 asked for, 1 built", timeout=1000 * PATIENCE)
    assert (lab.lab.folder / "seven" / "small_mpk.tar.gz").is_file()


def test_it_speaks_german(open_page: Opened, shop: Lab) -> None:
    """The words that the package ships, in a JupyterLab whose language pack is played by the test."""
    words = json.loads((ROOT / "sima_nb" / "locale" / "de_DE" / "LC_MESSAGES" / "sima_nb.json").read_text("utf-8"))
    reply = json.dumps({"data": {"sima_nb": words}, "message": ""})

    def pack(page: Page) -> None:
        page.route("**/api/translations/**", lambda route: route.fulfill(body=reply, content_type="application/json"))

    shop.save_settings("@jupyterlab/translation-extension:plugin", {"locale": "de_DE"})
    try:
        lab = open_page(before=pack)
    finally:
        shop.save_settings("@jupyterlab/translation-extension:plugin", {})
    lab.command("docmanager:open", path="small.sima")
    expect(lab.document.get_by_label("Größter Stapel")).to_be_visible(timeout=1000 * PATIENCE)
    lab.command("sima-nb:open", path="small_mpk.tar.gz")
    expect(lab.document.get_by_role("tab")).to_have_text(["Bericht", "Gantt", "Archiv", "Stapel"])
    expect(lab.page.get_by_role("button", name="Vergleichen mit …")).to_be_visible()
    lab.tab("Gantt").click()
    expect(lab.document.get_by_role("combobox", name="Reihenfolge")).to_be_visible()
    expect(lab.document.get_by_role("button", name="Faltung")).to_be_visible()
    expect(lab.document).to_contain_text("4 von 4 Schichten")
    lab.command("settingeditor:open", query="SiMa")
    expect(lab.page.locator(".jp-SettingsPanel")).to_contain_text("Einheit von Dauern", timeout=1000 * PATIENCE)


DRIVE = """() => {
  const signal = { connect: () => true, disconnect: () => true };
  const get = async path => ({
    name: path, path, type: "file", format: null, mimetype: "", content: null, writable: true,
    created: "2026-01-01T00:00:00Z", last_modified: "2026-01-01T00:00:00Z",
  });
  const drive = { name: "far", fileChanged: signal, get, listCheckpoints: async () => [], isDisposed: false };
  window.jupyterapp.serviceManager.contents.addDrive({ ...drive, dispose: () => undefined });
}"""


def test_a_file_of_another_drive_is_a_sentence_and_keys_choose_tabs(lab: LabPage) -> None:
    lab.page.evaluate(DRIVE)
    lab.command("docmanager:open", path="far:net_mpk.tar.gz")
    expect(lab.document).to_contain_text("lies on a drive that the server does not serve from a folder")
    lab.accessible()
    lab.command("docmanager:open", path="small_mpk.tar.gz")
    lab.tab("Report").focus()
    for key, tab in [("ArrowRight", "Gantt"), ("End", "Batch"), ("ArrowRight", "Report"), ("ArrowLeft", "Batch")]:
        lab.page.keyboard.press(key)
        expect(lab.tab(tab)).to_be_focused()
        expect(lab.tab(tab)).to_have_attribute("aria-selected", "true")
    lab.command("sima-nb:next-tab")
    expect(lab.tab("Report")).to_have_attribute("aria-selected", "true")


def test_settings_and_the_dark_theme(open_page: Opened, shop: Lab) -> None:
    """What the user prefers is what documents and forms begin with."""
    chosen = {"unit": "share", "colour": "cause", "order": "cycles", "compile": {"batch_size": 7, "compress": False}}
    shop.save_settings("sima-nb:documents", chosen)
    try:
        lab = open_page()
    finally:
        shop.save_settings("sima-nb:documents", {})
    lab.command("apputils:change-theme", theme="JupyterLab Dark")
    lab.double_click("small_mpk.tar.gz")
    for tab in ("Report", "Archive", "Batch", "Gantt"):
        lab.tab(tab).click()
        lab.accessible()
    for label, value in {"Unit": "share", "Colour": "cause", "Order": "cycles"}.items():
        expect(lab.document.get_by_role("combobox", name=label)).to_have_value(value)
    lab.command("docmanager:open", path="small.sima")
    expect(lab.document.get_by_label("Largest batch")).to_have_value("7", timeout=1000 * PATIENCE)
    expect(lab.document.get_by_label("Compress the weights")).not_to_be_checked()
    expect(lab.document.get_by_label("Machine")).to_have_value("mlsoc")

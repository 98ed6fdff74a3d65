"""From a model in the file browser to the finished archive, with no kernel: started, followed, cancelled, found."""

from __future__ import annotations

import onnx
from playwright.sync_api import Locator, expect

from sima_compiler import Archive
from tests.extension.conftest import Opened
from tests.extension.lab_page import LabPage
from tests.support.jupyterlab import PATIENCE
from tests.support.small_models import small_float_model, write_small_model

#: Random samples that a float model takes some seconds to be quantized with.
MANY_SAMPLES = "30000"


def compile_form(lab: LabPage, name: str) -> Locator:
    """The document of a model, by its context menu, when the check has spoken."""
    lab.menu(name).get_by_text("Compile for the MLA").click()
    expect(lab.document.locator("[data-compiles=true]")).to_be_visible(timeout=1000 * PATIENCE)
    return lab.document


def start(form: Locator) -> None:
    form.get_by_role("button", name="Compile", exact=True).click()


def shown_row(lab: LabPage, name: str) -> None:
    """Make the file browser look again, and wait for the file."""
    lab.command("filebrowser:refresh")
    lab.row(name).wait_for()


def test_from_the_context_menu_to_the_finished_view(open_page: Opened) -> None:
    lab = open_page()
    write_small_model(lab.lab.folder, "chosen")
    shown_row(lab, "chosen.onnx")
    form = compile_form(lab, "chosen.onnx")
    expect(form).to_contain_text("Compiles")
    lab.accessible()
    form.get_by_label("Largest batch").fill("0")
    expect(form.get_by_role("button", name="Compile", exact=True)).to_be_disabled()
    expect(form).to_contain_text("The batch is a whole number from 1.")
    form.get_by_label("Largest batch").fill("3")
    form.get_by_label("Output folder").fill("fresh")
    start(form)
    expect(lab.tab("Report")).to_be_visible(timeout=1000 * PATIENCE)
    expect(lab.document).to_contain_text("Batch 3 fits and is built.")
    assert Archive.open(lab.lab.folder / "fresh" / "chosen_mpk.tar.gz").batch.actual == 3
    lab.command("docmanager:open", path="chosen.onnx", factory="SiMa Viewer")
    expect(lab.document.locator("[data-state=done]")).to_contain_text("batch 3 asked for, 3 built")
    lab.document.get_by_role("button", name="Log of chosen.onnx").click()
    expect(lab.document.get_by_role("log")).to_contain_text("sima_compiler")
    lab.accessible()


def test_a_compile_is_cancelled_and_another_survives_a_reload(open_page: Opened) -> None:
    lab = open_page()
    onnx.save(small_float_model(), lab.lab.folder / "float.onnx")
    shown_row(lab, "float.onnx")
    form = compile_form(lab, "float.onnx")
    expect(form).to_contain_text("A float model. It compiles once it is quantized")
    form.get_by_label("How many random samples").fill(MANY_SAMPLES)
    start(form)
    expect(form.get_by_role("progressbar")).to_be_visible(timeout=1000 * PATIENCE)
    form.get_by_role("button", name="Cancel the compile of float.onnx").click()
    expect(form.locator("[data-state=cancelled]")).to_be_visible()
    assert not (lab.lab.folder / "float_mpk.tar.gz").exists()

    start(form)
    expect(form.get_by_role("progressbar")).to_be_visible(timeout=1000 * PATIENCE)
    lab.page.wait_for_timeout(500)
    lab.page.reload()
    lab.wait_ready()
    expect(lab.tab("Report")).to_be_visible(timeout=1000 * PATIENCE)
    expect(lab.document).to_contain_text("float")
    lab.command("sima-nb:jobs")
    states = lab.document.locator(".sima-job")
    expect(states.filter(has_text="float.onnx").nth(0)).to_have_attribute("data-state", "done")
    expect(states.filter(has_text="float.onnx").nth(1)).to_have_attribute("data-state", "cancelled")
    lab.accessible()


def test_what_does_not_compile_says_why(open_page: Opened) -> None:
    lab = open_page()
    lab.command("apputils:change-theme", theme="JupyterLab Dark")
    (lab.lab.folder / "broken.sima").write_bytes(b"no model")
    shown_row(lab, "broken.sima")
    form = lab.double_click("broken.sima")
    expect(form.locator("[data-compiles=false]")).to_contain_text("No model that can be read", timeout=1000 * PATIENCE)
    expect(form.get_by_role("button", name="Compile", exact=True)).to_be_disabled()
    lab.accessible()

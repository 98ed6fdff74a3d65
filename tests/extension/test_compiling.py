"""From a model in the file browser to the finished archive, with no kernel: started, followed, cancelled, found."""

from __future__ import annotations

import onnx
from playwright.sync_api import Locator, expect

from sima_compiler import Archive
from tests.extension.conftest import ODD, Opened
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


def test_from_the_context_menu_to_the_finished_view(lab: LabPage) -> None:
    write_small_model(lab.lab.folder, "chosen").rename(lab.lab.folder / f"{ODD}.onnx")
    shown_row(lab, f"{ODD}.onnx")
    form = compile_form(lab, f"{ODD}.onnx")
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
    assert Archive.open(lab.lab.folder / "fresh" / f"{ODD}_mpk.tar.gz").batch.actual == 3
    lab.tab("Batch").click()
    again = lab.document.get_by_role("spinbutton", name="Compile at batch size")
    again.fill("2")
    lab.document.get_by_role("button", name="Compile", exact=True).click()
    expect(lab.document.get_by_label("Largest batch")).to_have_value("2", timeout=1000 * PATIENCE)
    expect(lab.document.locator("[data-state=done]")).to_contain_text("batch 3 asked for, 3 built")
    lab.document.get_by_role("button", name=f"Log of {ODD}.onnx").click()
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
    other = lab.page.context.new_page()
    other.goto(f"{lab.lab.address}/lab/workspaces/other?token={lab.lab.token}")
    LabPage(other, lab.lab).wait_ready()
    lab.page.reload()
    lab.wait_ready()
    expect(lab.tab("Report")).to_be_visible(timeout=1000 * PATIENCE)
    expect(lab.document).to_contain_text("float")
    expect(other.locator(".sima-nb-document:not(.sima-nb-details)")).to_have_count(0)
    other.close()
    lab.command("sima-nb:jobs")
    states = lab.document.locator(".sima-job")
    expect(states.filter(has_text="float.onnx").nth(0)).to_have_attribute("data-state", "done")
    expect(states.filter(has_text="float.onnx").nth(1)).to_have_attribute("data-state", "cancelled")
    lab.accessible()


def test_what_does_not_compile_says_why(lab: LabPage) -> None:
    lab.command("apputils:change-theme", theme="JupyterLab Dark")
    (lab.lab.folder / "broken.sima").write_bytes(b"no model")
    shown_row(lab, "broken.sima")
    form = lab.double_click("broken.sima")
    expect(form.locator("[data-compiles=false]")).to_contain_text("No model that can be read", timeout=1000 * PATIENCE)
    expect(form.get_by_role("button", name="Compile", exact=True)).to_be_disabled()
    lab.accessible()


def test_a_model_that_nobody_knows_is_asked_for(lab: LabPage) -> None:
    """From an archive that came from elsewhere to another size: the model is chosen, and what was typed goes along."""
    lab.double_click("vendor_mpk.tar.gz")
    lab.tab("Batch").click()
    lab.document.get_by_role("spinbutton", name="Compile at batch size").fill("5")
    lab.document.get_by_role("button", name="Compile", exact=True).click()
    dialog = lab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Choose a model to compile")
    dialog.get_by_role("button", name="Cancel").click()
    expect(lab.document).to_contain_text("No model was chosen.")
    lab.document.get_by_role("button", name="Compile", exact=True).click()
    dialog.get_by_text("small.onnx").dblclick()
    expect(lab.document.get_by_label("Largest batch")).to_have_value("5", timeout=1000 * PATIENCE)

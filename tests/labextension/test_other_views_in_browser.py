"""Archive tree, batch negotiation and comparison in Chromium, with a kernel that answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sima_compiler.archive.report_records import BatchCandidate, Lever
from sima_compiler.view.columns import to_json
from sima_compiler.view.compare import compare_views
from sima_compiler.view.compare_text import file_cells, total_cells
from sima_compiler.view.folding import answered, folded
from sima_compiler.view.reading import view_of_path
from sima_compiler.view.records import Layer
from sima_compiler.view.tables import Table
from tests.labextension.conftest import Opened
from tests.labextension.sample_views import LAYERS, SAMPLES, cycles_of, sample_json, sample_view


def answer(page: Page, ask: str, result: Any) -> dict[str, Any]:
    """Wait for a request of that kind and answer it; gives the request."""
    page.wait_for_function("ask => model.sent.some(sent => sent.ask === ask && !sent.done)", arg=ask)
    sent = page.evaluate(
        "ask => {const sent = model.sent.find(sent => sent.ask === ask && !sent.done); sent.done = true; return sent;}",
        ask,
    )
    reply = {"id": sent["id"], **(result if "error" in result else {"answer": result.get("answer", result)})}
    page.evaluate("reply => model.fire('msg:custom', reply)", reply)
    return sent


def preview(member: str, **fields: Any) -> dict[str, Any]:
    return {
        "member": member, "kind": "listing", "lines": ["first <b>", "conv2d here", "last"], "page": 0, "pages": 3,
        "first_line": 1, "hits": 0, "hit_pages": [], **fields,
    }  # fmt: skip


@pytest.fixture
def archive(open_widget: Opened) -> Page:
    return open_widget("archive", sample_json(), _offers=["preview", "extract"])


def test_the_tree_has_roles_sizes_and_the_keys_of_a_tree(archive: Page) -> None:
    items = archive.get_by_role("treeitem")
    expect(items).to_have_count(6)
    root = items.first
    assert root.get_attribute("aria-level") == "1"
    assert root.get_attribute("aria-expanded") == "true"
    assert items.nth(1).get_attribute("aria-setsize") == "3"
    expect(items.nth(1)).to_contain_text("pipeline description")
    expect(items.nth(1)).to_contain_text("2.0 KiB")
    root.focus()
    archive.keyboard.press("End")
    expect(items.nth(5)).to_be_focused()
    archive.keyboard.press("ArrowLeft")
    expect(items.nth(3)).to_be_focused()
    archive.keyboard.press("ArrowLeft")
    expect(archive.get_by_role("treeitem")).to_have_count(4)
    archive.keyboard.press("ArrowRight")
    expect(archive.get_by_role("treeitem")).to_have_count(6)
    archive.keyboard.type("sample_s")
    expect(archive.get_by_role("treeitem", name="sample_stage1_mla.lm")).to_be_focused()


def test_a_member_is_shown_page_by_page_and_searched(archive: Page) -> None:
    archive.get_by_role("treeitem", name="sample_stage1_mla.lm").focus()
    archive.keyboard.press("Enter")
    sent = answer(archive, "preview", preview("sample_stage1_mla.lm"))
    assert (sent["member"], sent["page"], sent["search"]) == ("sample_stage1_mla.lm", 0, "")
    lines = archive.get_by_role("region", name="Lines of sample_stage1_mla.lm")
    expect(lines).to_contain_text("first <b>")
    archive.get_by_role("button", name="Next page").first.click()
    assert answer(archive, "preview", preview("sample_stage1_mla.lm", page=1, first_line=201))["page"] == 1
    expect(archive.get_by_text("page 2 of 3")).to_be_visible()
    archive.get_by_label("Search in").fill("conv2d")
    sent = answer(archive, "preview", preview("sample_stage1_mla.lm", hits=7, hit_pages=[0, 2]))
    assert (sent["page"], sent["search"]) == (0, "conv2d")
    expect(archive.get_by_text("7 lines have it.")).to_be_visible()
    expect(archive.locator(".sima-hit")).to_have_text(["conv2d here\n"])


def test_a_large_member_is_asked_about_and_a_refusal_is_shown(archive: Page) -> None:
    archive.get_by_role("treeitem", name="huge.bin").click()
    expect(archive.get_by_text("has 200.0 MiB; reading it takes a while")).to_be_visible()
    assert archive.evaluate("model.sent.length") == 0
    archive.get_by_role("button", name="Show it").click()
    answer(archive, "preview", {"error": {"type": "ArchiveError", "message": "It is gone.", "hint": "Compile again."}})
    expect(archive.get_by_role("alert")).to_contain_text("It is gone. Compile again.")


def test_marked_files_are_extracted(archive: Page) -> None:
    archive.get_by_role("treeitem", name="data", exact=False).first.focus()
    archive.keyboard.press("End")
    archive.keyboard.press("ArrowLeft")
    archive.keyboard.press(" ")
    archive.get_by_role("button", name="Extract 2 files").click()
    sent = answer(archive, "extract", {"answer": "2 files in out/"})
    assert sorted(sent["members"]) == ["data/extra.json", "data/huge.bin"]
    expect(archive.get_by_text("2 files in out/")).to_be_visible()


def test_controls_are_there_only_where_the_host_offers_them(open_widget: Opened) -> None:
    page = open_widget("archive", sample_json())
    expect(page.get_by_text("Preview")).to_have_count(0)
    expect(page.get_by_role("button")).to_have_count(0)
    expect(open_widget("batch", sample_json()).get_by_role("button")).to_have_count(0)


def test_the_pipeline_says_who_reads_what_from_whom(archive: Page) -> None:
    rows = archive.get_by_role("region", name="Plugins").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("from the model's input")
    expect(rows.nth(1)).to_contain_text("q, 4 bytes from quantize_0")
    expect(rows.nth(1)).to_contain_text("to the model's output")
    expect(rows.nth(1)).to_contain_text("4 (asked 32)")


def test_equal_rows_are_folded_and_questions_answered(open_widget: Opened) -> None:
    page = open_widget("batch", sample_json())
    rows = page.get_by_role("region", name="Sizes that were weighed").locator("tbody tr")
    sizes = [text.split("\t")[0].strip() for text in rows.all_inner_texts()]
    assert sizes == ["1", "2", "4", "5 to 32"]
    assert sizes == [row.sizes for row in folded(sample_view())], "Python folds by the same rule"
    assert [rows.nth(row).get_attribute("data-verdict") for row in range(4)] == [
        "feasible", "feasible", "built", "does not fit",
    ]  # fmt: skip
    text = page.locator(".sima-view").inner_text()
    assert "Batch 5: needs 1,250,000 bytes on chip. Limited by MLA_0/conv_5: map (976.6 KiB)." in text
    assert "Batch 2 needs 19,800 cycles per sample where 4 needs 20,000: 1.0 % fewer" in text
    assert "4 quads instead of 1: batch 8" in text
    assert "what if: a machine with 2 MiB on chip (not planned)" in text
    assert page.locator('.sima-point[data-verdict="does not fit"] path').count() > 0


def test_levers_show_though_the_size_that_was_asked_for_is_built(open_widget: Opened) -> None:
    view = sample_view()
    lever = Lever("compressed weights", feasible=True, largest_batch_size=4, cycles_per_sample=18_000.0)
    rows = [replace(row, levers=(lever,) if row.batch_size == 4 else ()) for row in view.candidates[:3]]
    view = replace(view, candidates=Table.of(BatchCandidate, rows), batch=replace(view.batch, desired_batch_size=4))
    page = open_widget("batch", to_json(replace(view, batch=answered(view))))
    expect(page.get_by_text("compressed weights: batch 4, 18,000 cycles per sample")).to_be_visible()
    bare = replace(view, candidates=Table.of(BatchCandidate, [replace(row, levers=()) for row in rows]))
    page = open_widget("batch", to_json(replace(bare, batch=answered(bare))))
    expect(page.get_by_text(view.wordings["levers_not_planned"])).to_be_visible()


def test_another_size_is_compiled_where_the_host_can(open_widget: Opened) -> None:
    page = open_widget("batch", sample_json(), _offers=["recompile"])
    page.get_by_label("Compile at batch size").fill("2")
    page.get_by_role("button", name="Compile").click()
    expect(page.get_by_role("button", name="Compile")).to_be_disabled()
    assert answer(page, "recompile", {"answer": "built batch 2"})["batch"] == 2
    expect(page.get_by_text("built batch 2")).to_be_visible()
    page.get_by_label("Compile at batch size").fill("0")
    expect(page.get_by_role("button", name="Compile")).to_be_disabled()


def test_a_comparison_lines_up_layers_and_adds_up(open_widget: Opened) -> None:
    before, after = sample_json(), sample_json()
    pairs = [[row, row] for row in range(LAYERS - 2)] + [[LAYERS - 2, -1], [-1, LAYERS - 1]]
    pairs[0], pairs[1] = [0, 1], [1, 0]
    compared = {**compare_views(sample_view(), sample_view()).to_browser(), "pairs": pairs}
    page = open_widget("comparison", before, _other_head=json.dumps(after), _other_columns=None, _compared=compared)
    change = cycles_of(LAYERS - 1) - cycles_of(LAYERS - 2)
    sign = "+" if change > 0 else "\N{MINUS SIGN}"
    expect(page.locator(".sima-count")).to_have_text(
        f"{LAYERS} of {LAYERS} layers: 1 added, 1 gone, 2 changed; {sign}{abs(change):,} cycles"
    )
    rows = page.locator(".sima-body .sima-row")
    expect(rows.first).to_contain_text("depthwise_1 was MLA_0/convolution_0")
    expect(rows.first).to_contain_text(f"+{cycles_of(1) - cycles_of(0):,}")
    page.get_by_label("Only changes over").fill("1")
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="Change").click()
    expect(page.locator('[aria-sort="descending"]')).to_contain_text("Change")
    expect(rows.first).to_contain_text("gone" if cycles_of(LAYERS - 2) > cycles_of(LAYERS - 1) else "added")


def test_a_comparison_shows_what_python_compares(open_widget: Opened) -> None:
    """Three layers are gone after, and one side has no run: static schedules are compared, and that is said."""
    view = sample_view()
    plain = replace(
        view,
        layers=Table.of(Layer, [replace(layer, runtime_cycles=None) for layer in view.layers[3:]]),
        totals=replace(view.totals, runtime_cycles=None),
    )
    found = compare_views(view, plain)
    assert found.measure == "compute_cycles"
    traits = {"_other_head": json.dumps(to_json(plain)), "_compared": found.to_browser()}
    page = open_widget("comparison", to_json(view), _other_columns=None, **traits)
    expect(page.locator(".sima-view")).to_contain_text("Only one of the two records a run")
    counts = found.counts
    sign = "+" if found.layer_change > 0 else "\N{MINUS SIGN}"
    expect(page.locator(".sima-count")).to_have_text(
        f"{len(found.layers)} of {len(found.layers)} layers: {counts['added']} added, {counts['gone']} gone, "
        f"{counts['changed']} changed; {sign}{abs(found.layer_change):,} cycles"
    )
    assert (counts["gone"], counts["added"]) == (3, 0)
    rows = page.get_by_role("region", name="Totals").locator("tbody tr")
    assert [row.split("\t") for row in rows.all_inner_texts()] == [list(total_cells(row)) for row in found.totals]


def test_files_of_archives_with_other_names_are_paired_as_python_pairs_them(open_widget: Opened) -> None:
    views = [view_of_path(SAMPLES / f"{name}_mpk.tar.gz") for name in ("report_1_0", "report_1_0_tiny")]
    found = compare_views(*views)
    traits = {"_other_head": json.dumps(to_json(views[1])), "_compared": found.to_browser()}
    page = open_widget("comparison", to_json(views[0]), _other_columns=None, **traits)
    rows = page.get_by_role("region", name="Files").locator("tbody tr")
    cells = [row.split("\t") for row in rows.all_inner_texts()]
    assert cells == [list(file_cells(file)) for file in found.files]
    assert not {"added", "gone"} & {cell for row in cells for cell in row}

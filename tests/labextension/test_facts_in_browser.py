"""Facts in the widgets: each number beside its own label, in its unit, of its own row. All numbers differ, so that one
in the wrong place is another number.
"""

from __future__ import annotations

import json
from dataclasses import replace

from playwright.sync_api import Page, expect

from sima_compiler.view import units, wordings
from sima_compiler.view.columns import to_json
from sima_compiler.view.compare import compare_views
from sima_compiler.view.folding import folded
from sima_compiler.view.reading import view_of_path
from sima_compiler.view.records import Layer, View
from sima_compiler.view.tables import Table
from tests.labextension.conftest import Opened
from tests.labextension.sample_views import SAMPLES, sample_view


def pairs(page: Page, place: str) -> dict[str, str]:
    """The terms and what stands beside them."""
    found: list[list[str]] = page.locator(place).evaluate(
        """list => [...list.querySelectorAll("dt")].map(term => [term.innerText, term.nextElementSibling.innerText])"""
    )
    return {term: " ".join(text.split()) for term, text in found}


def one_layer() -> View:
    view = sample_view()
    layer = replace(
        view.layers[4], compute_cycles=1_211, start_cycle=4_001, end_cycle=5_211, run_start_cycle=4_102,
        run_end_cycle=5_433, macs=999_001, utilization=0.432, input_bytes=1_101, output_bytes=2_202, weight_bytes=3_303,
        parameter_bytes=4_404, stored_parameter_bytes=5_505, loaded_bytes=6_606, stored_bytes=7_707, blocks=8,
        block_shape="1x2x3x4", output_shape="4x8x8x32",
    )  # fmt: skip
    layers = [layer if row == 4 else other for row, other in enumerate(view.layers)]
    return replace(view, layers=Table.of(Layer, layers))


def test_details_hold_each_number_beside_its_own_label(open_widget: Opened) -> None:
    view = one_layer()
    layer, totals, clock = view.layers[4], view.totals, view.machine.clock_mhz
    page = open_widget("explorer", to_json(view), selected=[layer.id])
    expect(page.locator(".sima-details dl")).to_be_visible()
    found = pairs(page, ".sima-details")
    cycles = layer.runtime_cycles or 0
    sizes = ("input", "output", "weight", "parameter", "stored_parameter", "loaded", "stored")
    labels = ("Input bytes", "Output bytes", "Weights", "Parameters on chip", "Parameters in DRAM", "Loaded from DRAM",
              "Stored to DRAM")  # fmt: skip
    wanted = {
        "Cycles": f"{cycles:,} ({units.duration(cycles, clock)}, {units.percent(cycles / totals.cycles)})",
        "Compute cycles": "1,211",
        "Static schedule": "4,001 to 5,211",
        "Run": "4,102 to 5,433",
        "Utilisation": "43.2 %",
        "Multiply-accumulates": "999,001",
        "Blocks": "8, the largest 1x2x3x4",
        "Placement": layer.placement,
        "Operator": layer.operator,
        "Source nodes": "node_4 relu_4",
        "Inputs": "4x8x8x16 in_4",
        "Output": "4x8x8x32 out_4",
        **{label: units.size(getattr(layer, f"{name}_bytes")) for name, label in zip(sizes, labels, strict=True)},
    }
    assert {label: found.get(label) for label in wanted} == wanted
    row = page.locator('.sima-body .sima-row[aria-selected="true"]').inner_text().split("\n")
    cells = [" ".join(cell.split()) for cell in row]
    for cell in (f"{cycles:,}", units.percent(cycles / totals.cycles), "43.2 %", "compute"):
        assert cell in cells


def test_causes_of_the_run_have_their_own_cycles_and_shares(open_widget: Opened) -> None:
    view = sample_view()
    page = open_widget("explorer", to_json(view))
    rows = page.locator(".sima-causes").first.locator("tbody tr").all_inner_texts()
    totals = view.totals
    expect(page.locator(".sima-causes figcaption").first).to_have_text(
        f"{totals.cycles:,} cycles, {view.wordings['mla_alone']}"
    )
    known = [
        (cause.label, cycles) for cause, cycles in zip(view.palette.causes, totals.cause_cycles, strict=True) if cycles
    ]
    wanted = [[label, f"{cycles:,}", units.percent(cycles / totals.cycles)] for label, cycles in known]
    assert [[cell.strip() for cell in row.split("\t")] for row in rows] == [
        *wanted, ["all", f"{totals.cycles:,}", "100.0 %"],
    ]  # fmt: skip


def test_tiles_hold_each_number_beside_its_own_label(open_widget: Opened) -> None:
    view = view_of_path(SAMPLES / "report_1_0_tiny_mpk.tar.gz")
    totals, clock = view.totals, view.machine.clock_mhz
    page = open_widget("summary", to_json(view))
    assert pairs(page, ".sima-tiles") == {
        "Batch": "12 asked for 40",
        "Cycles": f"{totals.cycles:,} stalls included",
        "Latency": f"{units.duration(totals.cycles, clock)} MLA alone",
        "Samples per second": f"{units.short_rate(totals.samples_per_second or 0)} MLA alone",
        "Efficiency": f"{units.percent(totals.efficiency or 0)} bound: {totals.bound_cycles:,} cycles",
    }
    text = page.locator(".sima-view").inner_text()
    for processor, count in view.plugin_counts.items():
        assert f"{processor}: {count} plugin" in text
    for sentence in (view.batch.sentence, *view.totals.counted, *view.warnings):
        assert sentence in text


def test_each_batch_size_has_its_own_numbers_and_reason(open_widget: Opened) -> None:
    view = view_of_path(SAMPLES / "report_1_0_tiny_mpk.tar.gz")
    page = open_widget("batch", to_json(view))
    rows = page.get_by_role("region", name="Sizes that were weighed").locator("tbody tr").all_inner_texts()
    wanted = folded(view)
    assert len(rows) == len(wanted)
    for text, row in zip(rows, wanted, strict=True):
        cells, first, last = text.split("\t"), row.first, row.last
        numbers = [
            " to ".join(dict.fromkeys(write(value) for value in values if value is not None)) or units.NOT_RECORDED
            for write, values in (
                (units.count, (first.cycles_per_sample, last.cycles_per_sample)),
                (units.short_rate, (first.samples_per_second, last.samples_per_second)),
                (units.size, (first.peak_on_chip_bytes, last.peak_on_chip_bytes)),
            )
        ]
        assert [cell.strip() for cell in cells[:6]] == [row.sizes, row.verdict, *numbers, wordings.basis(first)]
        assert first.reason in " ".join(cells[6].split())
        assert (first.limiting_layer or "") in cells[6]
    marks = page.locator(".sima-chart").first.locator(".sima-point")
    verdicts = [mark.get_attribute("data-verdict") for mark in marks.all()]
    assert verdicts == [wordings.verdict(row, 12) for row in view.candidates]
    shapes: list[list[str]] = page.locator(".sima-point").evaluate_all(
        "marks => marks.map(mark => [mark.dataset.verdict, mark.querySelector('path').getAttribute('d')])"
    )
    drawn = {(verdict, shape) for verdict, shape in shapes}
    assert len(drawn) == len({verdict for verdict, _ in drawn}) == len({shape for _, shape in drawn}), "a shape each"


def test_each_layer_of_a_comparison_has_its_own_sides(open_widget: Opened) -> None:
    found = compare_views(
        view_of_path(SAMPLES / "report_1_0_mpk.tar.gz"), view_of_path(SAMPLES / "report_1_0_tiny_mpk.tar.gz")
    )
    traits = {"_other_head": json.dumps(to_json(found.after)), "_compared": found.to_browser()}
    page = open_widget("comparison", to_json(found.before), _other_columns=None, **traits)
    cells = page.locator(".sima-body .sima-row").evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent.trim()))"
    )
    assert cells == [
        [
            row.name,
            row.what,
            f"{row.before:,}",
            f"{row.after:,}",
            units.signed(row.change),
            units.change(row.before, row.after),
        ]
        for row in found.layers
    ]
    heads = page.get_by_role("region", name="Totals").locator("thead th").all_text_contents()
    assert heads == ["Total", found.before.name, found.after.name, "Change"]


def test_a_narrow_comparison_keeps_the_ends_that_tell_its_layers_apart(open_widget: Opened) -> None:
    """At 320 px the first letters are the same in every row; the last ones lie inside of the cell."""
    view = to_json(sample_view())
    traits = {"_other_head": json.dumps(view), "_compared": compare_views(sample_view(), sample_view()).to_browser()}
    page = open_widget(
        "comparison", view, _other_columns=None, options={"viewport": {"width": 320, "height": 700}}, **traits
    )
    ends = page.locator(".sima-body .sima-row > .sima-wide").evaluate_all(
        """cells => cells.map(cell => {
            const last = cell.querySelector(".sima-cut > :last-child");
            const [box, end] = [cell.getBoundingClientRect(), last.getBoundingClientRect()];
            return [end.left >= box.left && end.right <= box.right + 0.5, last.innerText];
        })"""
    )
    assert ends
    assert all(inside for inside, _ in ends)
    assert len({end for _, end in ends}) == len(ends)

"""The explorer in Chromium: one selection everywhere, filters, orders, units, the widget's traits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sima_compiler.view import units, wordings
from sima_compiler.view.columns import to_json
from tests.labextension.conftest import Opened
from tests.labextension.pages import widget_page
from tests.labextension.sample_views import LAYERS, causes_of, cycles_of, sample_json, sample_view, stats_json

ROWS = ".sima-body .sima-row"
#: A picture of a canvas as text: what changes when its pixels do.
PIXELS = "selector => document.querySelector(selector).toDataURL()"


@pytest.fixture
def explorer(open_widget: Opened) -> Page:
    page = open_widget("explorer", sample_json(), selected=[], filter="", range=None, unit="cycles")
    frames(page, 4)
    return page


def frames(page: Page, count: int) -> None:
    page.evaluate(
        "count => new Promise(done => {const step = () => count-- ? requestAnimationFrame(step) : done(); step();})",
        count,
    )


def shown_names(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(f"{ROWS} .sima-wide").all_inner_texts()]


def test_one_selection_reaches_table_timeline_memory_and_details_within_three_frames(explorer: Page) -> None:
    before = [explorer.evaluate(PIXELS, canvas) for canvas in (".sima-timeline canvas", ".sima-map")]
    explorer.evaluate("""() => new Promise(done => {
        document.querySelectorAll(".sima-body .sima-row")[4].click();
        let count = 3;
        const step = () => count-- ? requestAnimationFrame(step) : done();
        requestAnimationFrame(step);
    })""")
    after = [explorer.evaluate(PIXELS, canvas) for canvas in (".sima-timeline canvas", ".sima-map")]
    assert before[0] != after[0], "the timeline shows no selection"
    assert before[1] != after[1], "the memory map shows no selection"
    assert explorer.locator(".sima-details").get_attribute("data-selected") == "5"
    expect(explorer.locator(f'{ROWS}[aria-selected="true"]')).to_have_count(1)
    assert explorer.evaluate("model.traits.selected") == [5]


def test_what_is_left_out_stands_beside_the_count(open_widget: Opened) -> None:
    sentence = "7 of 47 layers are not in this output, 99 cycles together."
    page = open_widget("explorer", to_json(replace(sample_view(), left_out=(sentence,))))
    expect(page.locator(".sima-status .sima-count + .sima-note")).to_have_text(sentence)


@pytest.mark.parametrize("view", ["explorer", "summary"])
def test_a_widget_says_what_the_bound_with_padding_assumes(open_widget: Opened, view: str) -> None:
    page, shown = open_widget(view, sample_json()), sample_view()
    expect(page.locator(".sima-view")).to_contain_text(wordings.padded_bound(shown.totals.padded_bound_cycles))


def test_details_name_the_source_nodes_and_the_numbers(explorer: Page) -> None:
    explorer.locator(ROWS).nth(4).click()
    text = explorer.locator(".sima-details").inner_text()
    for expected in ("node_4", "relu_4", f"{cycles_of(4):,}", "convolution is a kernel of the machine", "4x8x8x16"):
        assert expected in text, expected


def test_a_click_on_the_timeline_selects_what_lies_there(explorer: Page) -> None:
    box = explorer.locator(".sima-timeline canvas").bounding_box()
    assert box is not None
    # The last lane but two is compute; a third of the way along lies some layer.
    explorer.mouse.click(box["x"] + 64 + (box["width"] - 64) * 0.335, box["y"] + 24 + 30 + 12)
    chosen = explorer.evaluate("model.traits.selected")
    total = sum(cycles_of(layer) for layer in range(LAYERS))
    ends = [sum(cycles_of(before) for before in range(layer + 1)) for layer in range(LAYERS)]
    expected = next(layer for layer, end in enumerate(ends) if end > 0.335 * total)
    assert chosen == [expected + 1]


def test_a_click_on_the_memory_map_selects_the_layer_that_uses_it(explorer: Page) -> None:
    picture = explorer.locator(".sima-map")
    box = picture.bounding_box()
    assert box is not None
    # Just above address 0 lies the first buffer in every third layer: the very first one begins at the left edge.
    picture.click(position={"x": 64 + 4, "y": box["height"] - 22 - 8})
    assert explorer.evaluate("model.traits.selected") == [1]
    expect(explorer.locator(f'{ROWS}[aria-selected="true"]')).to_have_count(1)


def test_filter_and_slider_change_rows_bars_and_the_announced_count_together(explorer: Page) -> None:
    count = explorer.locator(".sima-count")
    expect(count).to_contain_text(f"{LAYERS} of {LAYERS} layers")
    assert count.get_attribute("role") == "status"
    bars = explorer.evaluate(PIXELS, ".sima-timeline canvas")
    explorer.get_by_label("Filter").fill("depthwise -_1")
    # Ten are depthwise; layers 1, 13 and 17 have "_1" in their names.
    expect(count).to_contain_text(f"7 of {LAYERS} layers")
    assert all("depthwise" in name for name in shown_names(explorer))
    frames(explorer, 2)
    assert explorer.evaluate(PIXELS, ".sima-timeline canvas") != bars
    explorer.get_by_label("Filter").fill("")
    expect(count).to_contain_text(f"{LAYERS} of {LAYERS} layers")
    slider = explorer.get_by_label("Least cycles")
    slider.focus()
    for _ in range(3):
        slider.press("End")
        slider.press("ArrowLeft")
    least = int(slider.get_attribute("max") or 0)
    assert least > 5
    rows = explorer.locator(ROWS).count()
    expect(count).to_contain_text(f"{rows} of {LAYERS} layers")
    assert 0 < rows < LAYERS


def test_three_orders_say_so_and_sort(explorer: Page) -> None:
    for title, sort, key in (
        ("Cycles", "descending", lambda layer: -cycles_of(layer)),
        (
            "Layer",
            "ascending",
            lambda layer: (
                sorted(("convolution", "depthwise", "elementwise", "pooling")).index(
                    ("convolution", "depthwise", "elementwise", "pooling")[layer % 4]
                ),
                layer,
            ),
        ),
        ("#", "ascending", lambda layer: layer),
    ):
        explorer.get_by_role("button", name=title, exact=True).click()
        header = explorer.get_by_role("columnheader", name=title, exact=False).first
        assert header.get_attribute("aria-sort") == sort
        expect(explorer.locator('[aria-sort]:not([aria-sort="none"])')).to_have_count(1)
        expected = sorted(range(LAYERS), key=key)
        ids = [int(text) for text in explorer.locator(f"{ROWS} .sima-number:first-child").all_inner_texts()]
        assert ids == [layer + 1 for layer in expected[: len(ids)]]
        assert len(ids) > 10


def test_units_change_every_number_and_parts_add_up(explorer: Page) -> None:
    first = explorer.locator(ROWS).first
    assert f"{cycles_of(0):,}" in first.inner_text()
    explorer.get_by_label("Unit").select_option("time")
    assert f"{cycles_of(0) / 1000:.2f} µs" in first.inner_text()
    explorer.get_by_label("Unit").select_option("cycles")
    table = explorer.locator(".sima-causes table").last
    cycles = [int(text.replace(",", "")) for text in table.locator("td:nth-child(2)").all_inner_texts()]
    shares = [float(text.rstrip(" %")) for text in table.locator("td:nth-child(3)").all_inner_texts()]
    total = sum(cycles_of(layer) for layer in range(LAYERS))
    assert sum(cycles[:-1]) == cycles[-1] == total
    assert abs(sum(shares[:-1]) - 100) < 0.2
    assert shares[-1] == 100
    assert cycles[0] == sum(causes_of(layer, 9)[0] for layer in range(LAYERS))


def test_the_peak_on_the_page_is_the_reports(explorer: Page) -> None:
    assert "Peak 768.0 KiB of 1.0 MiB" in explorer.locator(".sima-section", has_text="On-chip memory").inner_text()


def test_the_legend_filters_and_says_shares(explorer: Page) -> None:
    chip = explorer.get_by_role("button", name="pooling")
    assert chip.get_attribute("aria-pressed") == "true"
    chip.click()
    assert chip.get_attribute("aria-pressed") == "false"
    expect(explorer.locator(".sima-count")).to_contain_text(f"30 of {LAYERS} layers")
    explorer.get_by_role("button", name="Show all").click()
    expect(explorer.locator(".sima-count")).to_contain_text(f"{LAYERS} of {LAYERS} layers")
    for colour in ("cause", "utilisation"):
        before = explorer.evaluate(PIXELS, ".sima-timeline canvas")
        explorer.get_by_label("Colour").select_option(colour)
        frames(explorer, 3)
        assert explorer.evaluate(PIXELS, ".sima-timeline canvas") != before
        assert explorer.evaluate("model.traits.colour") == colour


def test_a_legend_of_causes_says_that_layers_stand_there_with_all_their_cycles(explorer: Page) -> None:
    """The share is of whole layers, so the cause alone would be another number; the other colours' keys are exact."""
    chips = explorer.locator(".sima-legend .sima-chip")
    assert not any("mostly" in text for text in chips.all_inner_texts())
    explorer.get_by_label("Colour").select_option("cause")
    view = sample_view()
    cycles: dict[str, int] = {}
    for layer in view.layers:
        largest = max(range(len(layer.cause_cycles)), key=lambda cause: layer.cause_cycles[cause])
        label = f"mostly {view.palette.causes[largest].label}"
        cycles[label] = cycles.get(label, 0) + (layer.runtime_cycles or 0)
    wanted = [f"{label} {units.percent(taken / view.totals.cycles)}" for label, taken in cycles.items()]
    expect(chips.first).to_contain_text("mostly")
    found = [" ".join(text.split()) for text in chips.all_inner_texts()]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize("layout", ["rows", "sorted"])
def test_a_row_per_layer_is_drawn_and_picked(explorer: Page, layout: str) -> None:
    explorer.get_by_role("combobox", name="Timeline").select_option(layout)
    frames(explorer, 3)
    box = explorer.locator(".sima-timeline canvas").bounding_box()
    assert box is not None
    assert box["height"] > 200
    explorer.mouse.click(box["x"] + 300, box["y"] + 24 + 20 * 2 + 10)
    order = sorted(range(LAYERS), key=lambda layer: -cycles_of(layer)) if layout == "sorted" else list(range(LAYERS))
    assert explorer.evaluate("model.traits.selected") == [order[2] + 1]


def test_the_range_is_zoomed_panned_and_filters_the_table(explorer: Page) -> None:
    explorer.locator(".sima-timeline").focus()
    explorer.keyboard.press("+")
    explorer.keyboard.press("+")
    low, high = explorer.evaluate("model.traits.range")
    total = sum(cycles_of(layer) for layer in range(LAYERS))
    assert abs((high - low) - total / 4) < 4
    starts = [sum(cycles_of(before) for before in range(layer)) for layer in range(LAYERS)]
    inside = sum(1 for layer in range(LAYERS) if starts[layer] < high and starts[layer] + cycles_of(layer) >= low)
    expect(explorer.locator(".sima-count")).to_contain_text(f"{inside} of {LAYERS} layers")
    explorer.keyboard.press("Shift+ArrowRight")
    assert explorer.evaluate("model.traits.range")[0] > low
    explorer.keyboard.press("0")
    assert explorer.evaluate("model.traits.range") is None


def test_what_python_sets_is_shown_and_not_told_back(explorer: Page) -> None:
    explorer.evaluate("model.sets = []; model.assign('selected', [7, 8]); model.assign('order', 'cycles')")
    expect(explorer.locator(".sima-details")).to_contain_text("2 layers")
    expect(explorer.locator('[aria-sort="descending"]')).to_have_count(1)
    assert explorer.evaluate("model.sets") == []
    explorer.evaluate(
        "model.assign('selected', 'nonsense'); model.assign('unit', 'parsecs'); model.assign('range', [5])"
    )
    expect(explorer.locator(".sima-details")).to_contain_text("2 layers")


def test_new_data_are_shown_and_errors_are_shown_and_told(explorer: Page) -> None:
    explorer.evaluate("model.assign('_head', 'no JSON at all')")
    expect(explorer.get_by_role("alert")).to_contain_text("could not be shown")
    assert explorer.evaluate("model.sent.at(-1).ask") == "failed"


def test_a_picture_that_fails_is_said_under_the_view_once(explorer: Page) -> None:
    explorer.evaluate(
        "() => { CanvasRenderingContext2D.prototype.fillRect = () => { throw new RangeError('no paint') } }"
    )
    explorer.locator(ROWS).nth(4).click()
    explorer.locator(ROWS).nth(5).click()
    expect(explorer.get_by_role("alert")).to_have_count(1)
    expect(explorer.get_by_role("alert")).to_contain_text("could not be shown: RangeError: no paint")
    expect(explorer.locator(".sima-details")).to_have_attribute("data-selected", "6")
    explorer.evaluate("window.dispose()")
    assert explorer.evaluate("el.childNodes.length") == 0


@pytest.mark.parametrize("way", ["click", "timer", "trait"])
def test_an_error_in_what_answers_a_person_is_said_under_the_view_once(
    browser: Browser, tmp_path: Path, way: str
) -> None:
    """Whatever a handler, a timer or the kernel's own message runs into: the page says it, not only the console."""
    path = tmp_path / "page.html"
    path.write_text(widget_page("explorer", sample_json(), selected=[], filter=""), "utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_function("window.ready")
    page.evaluate("setTimeout(() => { throw new RangeError('of the page') })")
    page.evaluate("() => { model.set = () => { throw new RangeError('no trait') } }")
    if way == "click":
        page.locator(ROWS).nth(4).click()
        page.locator(ROWS).nth(5).click()
    elif way == "timer":
        page.get_by_label("Filter").fill("conv")
    else:
        page.evaluate("() => { Number.isInteger = () => { throw new RangeError('no trait') } }")
        page.evaluate("model.assign('selected', [3])")
        assert page.evaluate("model.sent.at(-1).ask") == "failed"
    what = "This widget" if way == "trait" else 'What was done last in "Profile"'
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_role("alert")).to_contain_text(f"{what} could not be shown: RangeError: no trait")
    expect(page.locator(ROWS).first).to_be_visible()
    page.evaluate("window.dispose()")
    assert page.evaluate("el.childNodes.length") == 0
    page.close()


def test_disposing_leaves_nothing_behind(explorer: Page) -> None:
    explorer.evaluate("""() => {
        window.watched = new WeakRef(document.querySelector(".sima-timeline"));
        window.canvas = document.querySelector(".sima-timeline canvas");
        window.dispose();
    }""")
    assert explorer.evaluate("el.childNodes.length") == 0
    assert explorer.evaluate("model.listeners()") == 0
    assert explorer.evaluate("[canvas.width, canvas.height]") == [0, 0]
    explorer.evaluate("window.canvas = null")
    explorer.wait_for_timeout(50)
    explorer.evaluate("gc()")
    explorer.wait_for_timeout(50)
    explorer.evaluate("gc()")
    assert explorer.evaluate("watched.deref() === undefined"), "the timeline is still held by something"


def test_a_plain_statistics_file_shows_what_it_has_and_says_what_it_has_not(
    open_widget: Opened, tmp_path: Path
) -> None:
    page = open_widget("explorer", stats_json(tmp_path))
    frames(page, 3)
    assert shown_names(page) == ["conv2d_0", "add_1", "conv2d_2"]
    text = page.locator(".sima-view").inner_text()
    for sentence in ("Not recorded: all but names", "no memory map", "not record why"):
        assert sentence in text, sentence
    expect(page.get_by_label("Colour").locator("option")).to_have_count(1)
    box = page.locator(".sima-timeline canvas").bounding_box()
    assert box is not None
    # The second half of the lane belongs to the layer that overlaps: it has a row of its own below the other.
    page.mouse.click(box["x"] + 64 + (box["width"] - 64) * 0.56, box["y"] + 24 + 2 + 18)
    assert page.evaluate("model.traits.selected") == [3]
    page.mouse.click(box["x"] + 64 + (box["width"] - 64) * 0.31, box["y"] + 24 + 2 + 6)
    assert page.evaluate("model.traits.selected") == [], "a gap is nobody's"

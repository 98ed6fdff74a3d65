"""What holds for every view: accessible, hostile names as text, narrow, zoomed, without colours, on paper, keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sima_compiler.view.compare import compare_views
from sima_compiler.view.html.comparison import comparison_html
from sima_compiler.view.page import page_html
from tests.labextension.conftest import Opened
from tests.labextension.pages import report_page
from tests.labextension.sample_views import HOSTILE, LAYERS, sample_json, sample_view

VIEWS = ("explorer", "archive", "batch", "summary", "comparison")
OFFERS = ["preview", "extract", "recompile", "simulate"]


def traits_of(view: str, data: dict[str, Any]) -> dict[str, Any]:
    """What a widget of that kind has besides its data: all offers, and for a comparison the other side."""
    if view != "comparison":
        return {"_offers": OFFERS}
    pairs = [[row, row] for row in range(LAYERS - 2)] + [[LAYERS - 2, -1], [-1, LAYERS - 1]]
    compared = {**compare_views(sample_view(), sample_view()).to_browser(), "pairs": pairs}
    return {"_other_head": json.dumps(data), "_other_columns": None, "_compared": compared}


def settled(page: Page) -> Page:
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page


@pytest.fixture
def open_view(open_widget: Opened) -> Opened:
    def opened(view: str, suffix: str = "", **options: Any) -> Page:
        data = sample_json(suffix)
        return settled(open_widget(view, data, options=options, **traits_of(view, data)))

    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(open_view: Opened, axe: str, view: str, scheme: str) -> None:
    page = open_view(view, color_scheme=scheme)
    page.add_style_tag(content="body { background: Canvas; color-scheme: light dark }")
    if view == "explorer":
        page.locator(".sima-body .sima-row").nth(3).click()
    assert_accessible(page, axe, "#here")


def assert_accessible(page: Page, axe: str, place: str) -> None:
    """axe-core finds no violation of level A or AA there."""
    page.evaluate(axe)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = page.evaluate("([place, tags]) => axe.run(place, { runOnly: tags })", [place, tags])
    broken = [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"][:3]
    ]
    assert not broken, "\n".join(broken)
    assert len(found["passes"]) >= 8


@pytest.mark.parametrize("width", [320, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scripts", [True, False], ids=["script", "static"])
def test_axe_finds_nothing_on_the_page_that_a_compile_writes(
    open_html: Opened, axe: str, scripts: bool, scheme: str, width: int
) -> None:
    """The whole document, as ``--html`` writes it; without its scripts it is what a reader without scripts gets."""
    html = str(page_html(sample_view()))
    if not scripts:
        html = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    page = open_html(html, color_scheme=scheme, viewport={"width": width, "height": 900})
    if scripts:
        expect(page.locator(".sima-body .sima-row").first).to_be_visible()
    assert page.locator("table.layers").is_visible() != scripts
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert_accessible(page, axe, "html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_static_comparison(open_html: Opened, axe: str, scheme: str) -> None:
    found = comparison_html(compare_views(sample_view(), sample_view()))
    head = (
        '<!doctype html><html lang="en"><head><title>c</title><meta name="color-scheme" content="light dark">'
        "<style>body{background:Canvas}</style></head>"
    )
    page = open_html(f"{head}<body><main>{found}</main></body></html>", color_scheme=scheme)
    assert_accessible(page, axe, "html")


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_names_are_text_and_run_nothing(open_view: Opened, view: str) -> None:
    page = open_view(view, HOSTILE)
    if view == "explorer":
        page.locator(".sima-body .sima-row").nth(3).click()
        page.locator(".sima-timeline").hover(position={"x": 300, "y": 40})
    assert page.locator("img").count() == 0
    assert page.evaluate("window.hit") is None
    text = page.locator(".sima-view").inner_text()
    assert "<img src=x" in text or "</script>" in text
    assert not re.search("[\u2028\u2029\u202e\u0007]", text), "marks that mislead are shown as code points"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200


@pytest.mark.parametrize("width", [320, 600])
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_sticks_out(open_view: Opened, view: str, width: int) -> None:
    """320 px is a phone and 400 % zoom; 600 px with twice the pixels is a page of 1200 at 200 %."""
    page = open_view(view, "", viewport={"width": width, "height": 700}, device_scale_factor=2 if width == 600 else 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate("""() => [...document.querySelectorAll(".sima-view :is(button, select, input)")]
        .map(node => node.getBoundingClientRect()).filter(box => box.width && box.height).map(box => box.height)""")
    assert all(height >= 15 for height in sizes)


@pytest.mark.parametrize("view", VIEWS)
def test_letters_follow_the_readers_size(open_view: Opened, view: str) -> None:
    page = open_view(view)
    before = page.locator(".sima-view").evaluate("node => parseFloat(getComputedStyle(node).fontSize)")
    page.add_style_tag(content="html { font-size: 200% }")
    after = page.locator(".sima-view").evaluate("node => parseFloat(getComputedStyle(node).fontSize)")
    assert after == pytest.approx(2 * before)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200


def test_without_colours_bars_have_patterns(open_view: Opened) -> None:
    page = open_view("explorer", forced_colors="active")
    colours = page.locator(".sima-timeline canvas").evaluate("""canvas => {
        const { data } = canvas.getContext("2d", { willReadFrequently: true }).getImageData(64, 30, 400, 20);
        const seen = new Set();
        for (let i = 0; i < data.length; i += 4) seen.add(data[i] * 65536 + data[i + 1] * 256 + data[i + 2]);
        return seen.size;
    }""")
    assert colours > 4, "plain bars have one colour each"


def test_paper_gets_every_layer(open_view: Opened) -> None:
    page = open_view("explorer", color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator(".sima-body .sima-row")).to_have_count(LAYERS)
    assert page.locator(".sima-view").evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(255, 255, 255)"
    corner = page.locator(".sima-timeline canvas").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(2, 2, 1, 1).data].slice(0, 3)"
    )
    assert corner == [255, 255, 255], "the canvas is repainted for paper"


@pytest.mark.parametrize("view", VIEWS)
def test_no_key_leaves_the_view_and_every_stop_says_so(open_view: Opened, view: str) -> None:
    page = open_view(view)
    for _ in range(60):
        page.keyboard.press("Tab")
        inside = page.evaluate("document.activeElement.closest('.sima-view') !== null")
        if not inside:
            break
        stop = page.evaluate("""() => {
            const node = document.activeElement;
            return [node.outerHTML.slice(0, 200), node.getAttribute("data-lm-suppress-shortcuts")];
        }""")
        assert stop[1] == "true", f"no own keys: {stop[0]}"
        if not page.evaluate("document.activeElement.matches('input, select, button')"):
            for key in ("b", "a", "d", "d", "x", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight"):
                page.keyboard.press(key)
    reached = [key for key in page.evaluate("window.reached") if key not in {"Tab", "Shift"}]
    assert not reached, f"the notebook heard {reached}"


def test_everything_by_keyboard(open_view: Opened) -> None:
    page = open_view("explorer")
    page.locator(".sima-timeline").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("model.traits.selected") == [2]
    expect(page.locator("[aria-live=polite]")).to_contain_text("depthwise_1")
    page.get_by_role("grid").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("model.traits.selected") == [3]
    active = page.get_by_role("grid").get_attribute("aria-activedescendant")
    assert page.locator(f"[id='{active}']").get_attribute("aria-selected") == "true"
    page.keyboard.press("End")
    assert page.evaluate("model.traits.selected") == [LAYERS]
    expect(page.locator('.sima-body [aria-selected="true"]')).to_be_in_viewport()
    page.get_by_role("application", name="On-chip memory").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.evaluate("model.traits.selected") == [1]
    page.keyboard.press("Escape")
    page.get_by_role("grid").focus()
    page.keyboard.press("Escape")
    assert page.evaluate("model.traits.selected") == []


def test_views_of_one_document_share_no_id(open_view: Opened) -> None:
    """A label of the second view must not belong to a field of the first."""
    page = open_view("explorer")
    page.evaluate("""() => {
        const second = document.createElement("section");
        document.body.append(second);
        widget.render({ model, el: second });
    }""")
    settled(page)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(node => node.id)")
    assert len(ids) > 20
    assert len(ids) == len(set(ids))
    assert page.evaluate("""[...document.querySelectorAll("label")].every(
        label => label.control?.closest(".sima-view") === label.closest(".sima-view"))""")


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_report_is_upgraded_in_place(open_html: Opened, packed: bool) -> None:
    page = open_html(report_page(sample_json(), packed=packed))
    expect(page.locator(".sima-body .sima-row").first).to_be_visible()
    expect(page.locator("#static")).to_be_hidden()
    page.emulate_media(media="print")
    expect(page.locator("#static")).to_be_visible()


def test_without_scripts_the_static_form_is_there(open_html: Opened) -> None:
    page = open_html(report_page(sample_json()), java_script_enabled=False)
    expect(page.locator("#static")).to_be_visible()


def test_data_of_another_format_leave_the_static_form_and_say_why(open_html: Opened) -> None:
    page = open_html(report_page({**sample_json(), "format": 99}))
    expect(page.get_by_role("alert")).to_contain_text("of format 99")
    expect(page.locator("#static")).to_be_visible()


def test_a_theme_that_changes_repaints(open_view: Opened, tmp_path: Path) -> None:
    page = open_view("explorer")
    canvas = page.locator(".sima-timeline canvas")
    light = canvas.evaluate("node => node.toDataURL()")
    page.evaluate("""() => {
        document.body.style.setProperty("--jp-layout-color0", "#111111");
        document.body.style.setProperty("--jp-ui-font-color0", "#eeeeee");
        document.body.setAttribute("data-jp-theme-light", "false");
    }""")
    settled(page)
    assert canvas.evaluate("node => node.toDataURL()") != light

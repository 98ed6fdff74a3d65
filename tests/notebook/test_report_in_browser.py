"""The offline report in a real browser: it fits, draws, switches tabs, and follows the system's theme."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sima_compiler import Archive
from sima_nb import Summary


@pytest.fixture(scope="module")
def report(small_archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    summary = Summary.of(small_archive, warnings=["a <b>warning</b>"])
    return summary.to_html(tmp_path_factory.mktemp("report") / "r.html")


@pytest.fixture(
    params=[
        (scheme, width, script) for scheme in ("light", "dark") for width in (1200, 320) for script in (True, False)
    ],
    ids=lambda p: f"{p[0]}-{p[1]}-{'script' if p[2] else 'no script'}",
)
def page(browser: Browser, report: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme, width, script = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=script
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda sent: complaints.extend([] if sent.url.startswith("file:") else [sent.url]))
    page.goto(report.as_uri())
    if script:
        page.wait_for_selector("[data-sima-live]")
    yield page
    context.close()
    assert not complaints


def test_nothing_sticks_out(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_every_layer_is_there_on_screen_and_in_print(page: Page, small_archive: Archive) -> None:
    """Without a script the table is on the screen; in print it is there either way, whole."""
    assert small_archive.stats is not None
    rows = page.locator(".layers tbody tr")
    assert rows.count() == len(small_archive.stats.layers)
    live = page.locator("[data-sima-live]").count() > 0
    expect(rows.first).to_be_visible(visible=not live)
    page.emulate_media(media="print")
    for index in range(rows.count()):
        expect(rows.nth(index)).to_be_visible()
    expect(page.locator(".sima-view")).to_have_count(1 if live else 0)
    if live:
        expect(page.locator(".sima-view")).to_be_hidden()


def test_bars_stand_in_order_and_can_be_seen(page: Page) -> None:
    page.emulate_media(media="print")
    boxes = [bar.bounding_box() for bar in page.locator(".layers td > i").all()]
    assert all(box is not None and box["width"] >= 0.3 and box["height"] > 5 for box in boxes)
    lefts = [box["x"] for box in boxes if box]
    assert lefts == sorted(lefts)


def test_text_stands_out_from_its_background(page: Page) -> None:
    """Contrast of at least 4.5 to 1 for every piece of text, the measure of WCAG AA."""
    weakest = page.evaluate(CONTRAST)
    assert weakest["ratio"] >= 4.5, weakest


#: The smallest contrast of any element that holds text of its own, on the page's background.
CONTRAST = """() => {
  const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  let weakest = {ratio: 99, text: ""};
  for (const node of document.querySelectorAll(".sima *")) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.getClientRects().length || ["STYLE", "SCRIPT"].includes(node.tagName)) continue;
    const style = getComputedStyle(node);
    const ink = numbers(node instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < weakest.ratio) weakest = {ratio, text: node.textContent.slice(0, 40)};
  }
  return weakest;
}"""

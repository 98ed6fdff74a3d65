"""How fast the explorer is in Chromium, beside plotly and beside a bare canvas, all in one run: ``make bench-ui``.

Prints milliseconds and frames per second, and fails when a ratio is over its limit. Ratios, not times: the machine that
runs this is anybody's. *Upgrade* is from the page's first script to the first painted frame with
bars; both sides carry their own code and data, as offline pages do. *Frame* is what one step
of panning costs the page's thread: the wheel event, the paint, and the flush of the canvas.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import plotly
from playwright.sync_api import Browser, Page, sync_playwright

from sima_compiler.view.columns import to_json
from sima_compiler.view.reading import view_of_path
from sima_compiler.view.records import Event, Layer, View
from sima_compiler.view.tables import Table, coded_texts, integers
from tests.benchmarks.opening import LAYERS, MOST_OF_READING, opening_times, stats_file
from tests.conftest import TOOLS
from tests.labextension.pages import report_page, widget_page

SAMPLE = Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_mpk.tar.gz"
#: Of plotly's paint of as many bars.
MOST_OF_PLOTLY = 1 / 8
#: Of a bare canvas that merges bars the plain way.
MOST_OF_BARE = 2.0
FRAMES = 40
ROUNDS = 5
SIZE = {"width": 1200, "height": 800}


@dataclass(frozen=True, slots=True)
class Ratio:
    """A measured quotient and what it may be at most."""

    what: str
    ours: float
    theirs: float
    limit: float

    def line(self) -> str:
        """The row that is printed."""
        verdict = "ok" if self.is_met else "TOO SLOW"
        return (
            f"{self.what:44} {self.ours:9.1f} ms {self.theirs:9.1f} ms   ratio {self.ours / self.theirs:6.3f}"
            f"   at most {self.limit:.3f}   {1000 / max(self.ours, 1e-9):6.0f} per s   {verdict}"
        )

    @property
    def is_met(self) -> bool:
        """Whether the limit holds."""
        return self.ours <= self.limit * self.theirs


def big_view(layers: int) -> View:
    """``layers`` layers of uneven length, each with one stretch of compute, one of loading."""
    base = view_of_path(SAMPLE)
    draw = np.random.default_rng(7)
    cycles = draw.integers(50, 2000, layers)
    ends = np.cumsum(cycles)
    starts = ends - cycles
    ids = np.arange(1, layers + 1)
    families = draw.integers(0, 4, layers)
    names = [f"MLA_0/conv2d_add_relu_{number}" for number in range(layers)]
    columns = {
        "id": integers(ids),
        "name": coded_texts(np.arange(layers), names),
        "family": coded_texts(families, ["convolution", "depthwise", "pooling", "elementwise"]),
        "start_cycle": integers(starts),
        "end_cycle": integers(ends - 1),
        "runtime_cycles": integers(cycles),
    }
    events = {
        "engine": coded_texts(np.repeat([0, 1], layers), ["compute", "dma_in"]),
        "layer": integers(np.tile(ids, 2)),
        "start_cycle": integers(np.concatenate([starts + cycles // 10, starts])),
        "end_cycle": integers(np.concatenate([ends - 1, starts + cycles // 3])),
    }
    total = int(ends[-1])
    return replace(
        base,
        totals=replace(base.totals, layers=layers, cycles=total, runtime_cycles=total, static_cycles=total),
        layers=Table(Layer, layers, columns),
        events=Table(Event, 2 * layers, events),
    )


#: A canvas with nothing around it: the same lanes from the same columns, bars below a pixel merged in one plain loop.
BARE = """
const canvas = document.querySelector("canvas");
const context = canvas.getContext("2d", { alpha: false });
const colours = ["#0072B2", "#56B4E9", "#009E73", "#E69F00"];
const lanes = LANES.map(lane => ({
  start: Float64Array.from(lane.start), end: Float64Array.from(lane.end), kind: Uint8Array.from(lane.kind),
}));
let from = 0, span = TOTAL;
function paint() {
  const width = 1136, factor = width / span;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  lanes.forEach((lane, row) => {
    let last = -1;
    for (let i = 0; i < lane.start.length; i++) {
      const left = Math.floor((lane.start[i] - from) * factor);
      if (left >= width) break;
      const right = Math.max(left + 1, Math.floor((lane.end[i] - from) * factor));
      if (right <= last || right < 0) continue;
      context.fillStyle = colours[lane.kind[i]];
      context.fillRect(64 + Math.max(left, last), 26 + row * 30, right - Math.max(left, last), 25);
      last = right;
    }
  });
}
window.step = share => {
  from = Math.max(0, Math.min(TOTAL - span, from + share * span));
  requestAnimationFrame(paint);
};
window.zoom = () => { span = TOTAL / 4; };
paint();
"""

#: One pan per frame; the time from the event to the end of the frame's work, with the canvas's commands flushed.
PAN = """async ([frames, selector]) => {
  const canvas = document.querySelector(selector);
  const flush = () => canvas.getContext("2d").getImageData(0, 0, 1, 1);
  const times = [];
  for (let at = 0; at < frames; at++) {
    await new Promise(done => requestAnimationFrame(done));
    const begun = performance.now();
    const sign = at % 20 < 10 ? 1 : -1;
    if (window.step) window.step(sign * 0.02);
    else canvas.dispatchEvent(new WheelEvent("wheel", { deltaX: sign * 24, bubbles: true, cancelable: true }));
    await new Promise(done => requestAnimationFrame(() => { flush(); done(); }));
    times.push(performance.now() - begun);
  }
  return times;
}"""

#: The work of a frame alone, without waiting for the screen: painted again and again as fast as it goes.
WORK = """async ([frames, selector]) => {
  const canvas = document.querySelector(selector);
  const times = [];
  const real = window.requestAnimationFrame;
  let waiting = [];
  window.requestAnimationFrame = handle => waiting.push(handle);
  for (let at = 0; at < frames; at++) {
    const sign = at % 20 < 10 ? 1 : -1;
    const begun = performance.now();
    if (window.step) window.step(sign * 0.02);
    else canvas.dispatchEvent(new WheelEvent("wheel", { deltaX: sign * 24, bubbles: true, cancelable: true }));
    const handles = waiting;
    waiting = [];
    for (const handle of handles) handle(begun);
    canvas.getContext("2d").getImageData(0, 0, 1, 1);
    times.push(performance.now() - begun);
  }
  window.requestAnimationFrame = real;
  return times;
}"""


@contextmanager
def chromium() -> Generator[Browser]:
    """The installed browser."""
    path = next(tool for tool in TOOLS if tool.name == "chromium").find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Browser, html: str, folder: Path) -> Page:
    """The page of that text, shown."""
    path = folder / "page.html"
    path.write_text(html, "utf-8")
    page = browser.new_page(viewport={"width": SIZE["width"], "height": SIZE["height"]})
    page.set_default_timeout(60_000)
    page.goto(path.as_uri(), timeout=60_000)
    return page


def bare_page(view: View) -> str:
    """The same lanes on a canvas with nothing around it."""
    layers, events = view.layers.columns, view.events.columns
    kind = layers["family"].values.tolist()
    half = len(view.layers)
    start, end = events["start_cycle"].values, events["end_cycle"].values + 1
    lanes = [
        {
            "start": layers["start_cycle"].values.tolist(),
            "end": (layers["end_cycle"].values + 1).tolist(),
            "kind": kind,
        },
        {"start": start[:half].tolist(), "end": end[:half].tolist(), "kind": kind},
        {"start": start[half:].tolist(), "end": end[half:].tolist(), "kind": kind},
    ]
    script = BARE.replace("LANES", str(lanes).replace("'", '"')).replace("TOTAL", str(view.totals.cycles))
    return f'<body><canvas width="1200" height="120"></canvas><script>{script}</script></body>'


def plotly_page(view: View) -> str:
    """Plotly's horizontal bars, one per layer, as its users draw a Gantt chart."""
    source = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text("utf-8")
    columns = view.layers.columns
    cycles, starts = columns["runtime_cycles"].values.tolist(), columns["start_cycle"].values.tolist()
    return (
        '<body><div id="chart" style="height:500px"></div><script>const begun = performance.now();</script>'
        f"<script>{source}</script><script>Plotly.newPlot('chart', [{{type: 'bar', orientation: 'h', base: {starts},"
        f"x: {cycles}, y: {list(range(len(cycles)))}}}], {{}}).then(() => requestAnimationFrame(() => setTimeout("
        "() => { window.took = performance.now() - begun; })));</script></body>"
    )


def upgrade_times(browser: Browser, view: View, folder: Path) -> tuple[float, float]:
    """Milliseconds until the upgraded report, and until plotly's chart, is painted."""
    page = report_page(to_json(view)).replace(
        "<script>/* Built", "<script>const begun = performance.now();</script><script>/* Built"
    )
    seen = (
        "<script>const wait = () => { if (!document.querySelector('.sima-timeline')) return setTimeout(wait);"
        "requestAnimationFrame(() => setTimeout(() => { window.took = performance.now() - begun; })); };"
        "wait();</script>"
    )
    ours = took(opened(browser, page.replace("</body>", f"{seen}</body>"), folder))
    return ours, took(opened(browser, plotly_page(view), folder))


def took(page: Page) -> float:
    """What the page measured of itself."""
    page.wait_for_function("window.took !== undefined", timeout=60_000)
    found = float(page.evaluate("window.took"))
    page.close()
    return found


def frame_times(browser: Browser, view: View, folder: Path) -> tuple[float, float, float]:
    """Milliseconds of work per frame, ours and the bare canvas's; and ours from frame to frame.

    Rounds alternate, and each side's best round counts: what else the machine does slows both, but never at once.
    """
    ours = opened(browser, widget_page("explorer", to_json(view), range=[0, view.totals.cycles // 4]), folder)
    ours.wait_for_selector(".sima-timeline canvas")
    ours.wait_for_timeout(500)
    bare = opened(browser, bare_page(view), folder)
    bare.evaluate("window.zoom()")
    rounds: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        pair: list[float] = []
        for page, canvas in ((ours, ".sima-timeline canvas"), (bare, "canvas")):
            page.bring_to_front()
            pair.append(median(page.evaluate(WORK, [FRAMES, canvas])))
        rounds.append((pair[0], pair[1]))
    ours.bring_to_front()
    pace = median(ours.evaluate(PAN, [FRAMES, ".sima-timeline canvas"]))
    ours.close()
    bare.close()
    return min(pair[0] for pair in rounds), min(pair[1] for pair in rounds), pace


def best_upgrade(browser: Browser, view: View, folder: Path) -> tuple[float, float]:
    """The best of some rounds for either side."""
    rounds = [upgrade_times(browser, view, folder) for _ in range(ROUNDS)]
    return min(ours for ours, _ in rounds), min(theirs for _, theirs in rounds)


def measured(folder: Path) -> list[Ratio]:
    """Every ratio, printed as it is known."""
    ratios: list[Ratio] = []

    def add(ratio: Ratio, **extra: Any) -> None:
        ratios.append(ratio)
        sys.stdout.write(ratio.line() + "".join(f"   {name} {value:.1f}" for name, value in extra.items()) + "\n")
        sys.stdout.flush()

    with chromium() as browser:
        ours, theirs = best_upgrade(browser, big_view(10_000), folder)
        add(Ratio("upgrade of 10,000 layers, plotly's paint", ours, theirs, MOST_OF_PLOTLY))
        for layers in (5_000, 50_000, 500_000):
            work, bare, pace = frame_times(browser, big_view(layers), folder)
            add(Ratio(f"frame, {2 * layers:,} events, bare canvas", work, bare, MOST_OF_BARE), pace_ms=pace)
    ours, theirs = opening_times(stats_file(folder, LAYERS))
    add(Ratio(f"statistics of {LAYERS:,} layers, reading", ours, theirs, MOST_OF_READING))
    return ratios


def main() -> int:
    """Measure and print; 1 when a limit is not met."""
    with tempfile.TemporaryDirectory() as folder:
        return int(not all(ratio.is_met for ratio in measured(Path(folder))))


if __name__ == "__main__":
    raise SystemExit(main())

"""The whole summary as one piece of HTML: facts on top, three tabs below, no scripts.

In: `Facts` and an identifier that is unique on the page. Out: markup with its own style element. Without styles (as
GitHub shows notebooks) every tab's content stands below the other, each under its heading.
"""

from __future__ import annotations

from importlib import resources

from sima_nb import units
from sima_nb.facts import Facts
from sima_nb.html.archive import archive_view
from sima_nb.html.batch import batch_view
from sima_nb.html.gantt import gantt_table, swatch
from sima_nb.html.markup import Markup, join, tag
from sima_nb.palette import stall_colour


def summary_html(facts: Facts, identifier: str) -> Markup:
    """The summary of one archive as an HTML fragment."""
    return join(
        [
            tag("style", stylesheet()),
            tag(
                "div",
                _header(facts),
                _tiles(facts),
                _stalls(facts),
                _warnings(facts),
                _tabs(facts, identifier),
                class_="sima",
            ),
        ]
    )


def document(facts: Facts, identifier: str = "report") -> Markup:
    """A whole HTML document that needs no network and no other file."""
    title = f"{facts.name}: compile report"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
    )
    body = tag("body", tag("main", summary_html(facts, identifier)), class_="sima-page")
    return Markup(f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n")


def stylesheet() -> Markup:
    """The style sheet that every summary carries along."""
    return Markup((resources.files("sima_nb.html") / "summary.css").read_text("utf-8"))


def _header(facts: Facts) -> Markup:
    machine = f"{facts.machine or 'machine not named'}, {facts.clock_mhz:,g} MHz"
    if facts.clock_assumed:
        machine += " assumed"
    if facts.quads:
        machine += f", {facts.quads} quads"
    return tag(
        "header",
        tag("h3", facts.name),
        tag("span", machine, class_="sima-machine"),
        tag("code", facts.path, class_="sima-path"),
    )


def _tiles(facts: Facts) -> Markup:
    tiles = [_batch_tile(facts)]
    known = facts.runtime_cycles is not None
    if facts.cycles:
        samples = facts.actual_batch or 1
        per_run = f"for {samples} samples" if samples > 1 else "for one sample"
        tiles += [
            _tile("Latency", units.duration(facts.cycles, facts.clock_mhz), per_run),
            _tile("Throughput", units.short_rate(facts.samples_per_second), "samples per second"),
            _tile("Cycles", units.count(facts.cycles), "stalls included" if known else "compute only, no stalls"),
        ]
    if facts.efficiency is not None:
        bound = f"bound {units.count(facts.bound_cycles)}" if facts.bound_cycles else "of the lower bound"
        tiles.append(_tile("Efficiency", units.percent(facts.efficiency), bound))
    if facts.plugins:
        counts = " · ".join(f"{count} {name}" for name, count in facts.plugin_counts.items())
        tiles.append(_tile("Plugins", str(len(facts.plugins)), counts))
    host = tag("p", facts.host_sentence, class_="sima-lead") if facts.left_to_host else ""
    return join([tag("dl", *tiles, class_="sima-tiles"), tag("p", facts.batch_sentence, class_="sima-lead"), host])


def _batch_tile(facts: Facts) -> Markup:
    if facts.desired_batch is None or facts.desired_batch == facts.actual_batch:
        return _tile("Batch", str(facts.actual_batch or "?"), "as asked" if facts.desired_batch else "")
    value = join([tag("span", facts.desired_batch, class_="sima-desired"), " → ", str(facts.actual_batch)])
    return _tile("Batch", value, "desired → actual")


def _tile(label: str, value: str, note: str) -> Markup:
    return tag("div", tag("dt", label), tag("dd", tag("b", value), tag("small", note)))


def _stalls(facts: Facts) -> Markup:
    if facts.runtime_cycles is None or not facts.runtime_cycles or not facts.stall_cycles:
        return Markup("")
    parts = {"compute": facts.compute_cycles, **facts.stall_cycles}
    left, bars = 0.0, list[Markup]()
    for name, cycles in parts.items():
        width = 100 * cycles / facts.runtime_cycles
        title = tag("title", f"{name}: {units.count(cycles)} cycles")
        bar = tag("rect", x=f"{left:.3f}%", y="0", width=f"{width:.3f}%", height="12", fill=stall_colour(name))
        bars.append(tag("g", title, bar))
        left += width
    chart = tag(
        "svg", *bars, width="100%", height="12", role="img", aria_label="runtime cycles by cause", class_="sima-stack"
    )
    entries = [
        tag(
            "li",
            swatch(stall_colour(name)),
            name if name == "compute" else f"{name} stalls",
            tag("b", units.count(cycles)),
        )
        for name, cycles in parts.items()
    ]
    total = tag("li", "= runtime", tag("b", units.count(sum(parts.values()))))
    return tag("div", chart, tag("ul", *entries, total, class_="sima-legend"), class_="sima-stalls")


def _warnings(facts: Facts) -> Markup:
    if not facts.other_warnings:
        return Markup("")
    return tag(
        "ul",
        *(tag("li", warning) for warning in facts.other_warnings),
        class_="sima-warnings",
        role="note",
        aria_label="Warnings",
    )


def _tabs(facts: Facts, identifier: str) -> Markup:
    views = (("Gantt", gantt_table(facts)), ("Archive", archive_view(facts)), ("Batch", batch_view(facts)))
    controls, panels = list[Markup](), list[Markup]()
    for index, (name, view) in enumerate(views):
        key = f"sima-{identifier}-{index}"
        controls.append(
            tag("input", type="radio", name=f"sima-{identifier}", id=key, checked=index == 0, aria_label=name)
        )
        controls.append(tag("label", name, for_=key))
        panels.append(tag("section", tag("h4", name, class_="sima-heading"), view, class_="sima-panel"))
    return tag("div", *controls, *panels, class_="sima-tabs")

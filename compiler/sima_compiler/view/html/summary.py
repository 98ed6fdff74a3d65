"""The whole summary as one piece of HTML: facts on top, three tabs below, no scripts.

In: a `View` and an identifier that is unique on the page. Out: markup with its own style element. Without styles (as
GitHub shows notebooks) every tab's content stands below the other, each under its heading.
"""

from __future__ import annotations

from importlib import resources

from sima_compiler.view import units
from sima_compiler.view.html.archive import archive_view
from sima_compiler.view.html.batch import batch_view
from sima_compiler.view.html.gantt import gantt_table, swatch
from sima_compiler.view.html.markup import Markup, join, tag
from sima_compiler.view.records import View


def summary_html(view: View, identifier: str) -> Markup:
    """The summary of one archive as an HTML fragment."""
    return join(
        [
            tag("style", stylesheet()),
            tag(
                "div",
                _header(view),
                _tiles(view),
                _stalls(view),
                _warnings(view),
                _tabs(view, identifier),
                class_="sima",
            ),
        ]
    )


def stylesheet() -> Markup:
    """The style sheet that every summary carries along."""
    return Markup((resources.files("sima_compiler.view.html") / "summary.css").read_text("utf-8"))


def _header(view: View) -> Markup:
    found = view.machine
    machine = f"{found.name or 'machine not named'}, {units.clock(found.clock_mhz)}"
    if found.clock_assumed:
        machine += " assumed"
    if found.quads:
        machine += f", {found.quads} quads"
    return tag(
        "header",
        tag("h3", view.name),
        tag("span", machine, class_="sima-machine"),
        tag("code", view.path, class_="sima-path"),
    )


def _tiles(view: View) -> Markup:
    tiles = [_batch_tile(view)]
    totals, clock = view.totals, view.machine.clock_mhz
    if totals.cycles:
        samples = view.batch.actual_batch_size or 1
        per_run = f"for {samples} samples" if samples > 1 else "for one sample"
        known = view.wordings["cycles_static" if totals.runtime_cycles is None else "cycles_run"]
        tiles += [
            _tile("Latency", units.duration(totals.cycles, clock), f"{per_run}, {view.wordings['mla_alone']}"),
            _tile("Throughput", units.short_rate(totals.samples_per_second or 0.0), "samples per second"),
            _tile("Cycles", units.count(totals.cycles), known),
        ]
    if totals.efficiency is not None:
        bound = f"bound {units.count(totals.bound_cycles)}" if totals.bound_cycles else "of the lower bound"
        tiles.append(_tile("Efficiency", units.percent(totals.efficiency), bound))
    if view.plugins:
        counts = " · ".join(f"{count} {name}" for name, count in view.plugin_counts.items())
        tiles.append(_tile("Plugins", str(len(view.plugins)), counts))
    host = tag("p", view.host_sentence, class_="sima-lead") if view.left_to_host else ""
    return join([tag("dl", *tiles, class_="sima-tiles"), tag("p", view.batch.sentence, class_="sima-lead"), host])


def _batch_tile(view: View) -> Markup:
    desired, actual = view.batch.desired_batch_size, view.batch.actual_batch_size
    if desired is None or desired == actual:
        return _tile("Batch", str(actual or "?"), "as asked" if desired else "")
    value = join([tag("span", desired, class_="sima-desired"), " → ", str(actual)])
    return _tile("Batch", value, "desired → actual")


def _tile(label: str, value: str, note: str) -> Markup:
    return tag("div", tag("dt", label), tag("dd", tag("b", value), tag("small", note)))


def _stalls(view: View) -> Markup:
    """Where the run's cycles go, as one bar and a legend that adds up."""
    totals = view.totals
    if not totals.runtime_cycles or not totals.cause_cycles:
        return Markup("")
    parts = [(cause, cycles) for cause, cycles in zip(view.palette.causes, totals.cause_cycles, strict=True) if cycles]
    left, bars = 0.0, list[Markup]()
    for cause, cycles in parts:
        width = 100 * cycles / totals.runtime_cycles
        title = tag("title", f"{cause.label}: {units.count(cycles)} cycles")
        bar = tag("rect", x=f"{left:.3f}%", y="0", width=f"{width:.3f}%", height="12", fill=cause.colour)
        bars.append(tag("g", title, bar))
        left += width
    chart = tag(
        "svg", *bars, width="100%", height="12", role="img", aria_label="runtime cycles by cause", class_="sima-stack"
    )
    entries = [
        tag("li", swatch(cause.colour), cause.label, tag("b", units.count(cycles)), title=cause.note)
        for cause, cycles in parts
    ]
    total = tag("li", "= runtime", tag("b", units.count(sum(cycles for _, cycles in parts))))
    return tag("div", chart, tag("ul", *entries, total, class_="sima-legend"), class_="sima-stalls")


def _warnings(view: View) -> Markup:
    if not view.warnings:
        return Markup("")
    return tag(
        "ul",
        *(tag("li", warning) for warning in view.warnings),
        class_="sima-warnings",
        role="note",
        aria_label="Warnings",
    )


def _tabs(view: View, identifier: str) -> Markup:
    views = (("Gantt", gantt_table(view)), ("Archive", archive_view(view)), ("Batch", batch_view(view)))
    controls, panels = list[Markup](), list[Markup]()
    for index, (name, content) in enumerate(views):
        key = f"sima-{identifier}-{index}"
        controls.append(
            tag("input", type="radio", name=f"sima-{identifier}", id=key, checked=index == 0, aria_label=name)
        )
        controls.append(tag("label", name, for_=key))
        panels.append(tag("section", tag("h4", name, class_="sima-heading"), content, class_="sima-panel"))
    return tag("div", *controls, *panels, class_="sima-tabs")

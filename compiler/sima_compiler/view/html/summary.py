"""The whole report as one piece of HTML, complete without a script: facts, causes, layers, memory, batch, archive.

In: a `View`. Out: markup with its own style element. Where styles are taken away too (an untrusted notebook, GitHub)
headings, lists and tables still tell everything, and blanks stand between words. Parts that a script may upgrade are
marked by ``data-sima-upgrade``; they are shown again in print.
"""

from __future__ import annotations

from importlib import resources

from sima_compiler.view import units, wordings
from sima_compiler.view.hosts import host_markup
from sima_compiler.view.html.archive import archive_html
from sima_compiler.view.html.batch import batch_html
from sima_compiler.view.html.causes import causes_html
from sima_compiler.view.html.layers import layers_html
from sima_compiler.view.html.markup import Markup, join, tag
from sima_compiler.view.html.memory import memory_html
from sima_compiler.view.records import Finding, View


def summary_html(view: View) -> Markup:
    """The report as an HTML fragment."""
    # All that the live explorer says too: it takes the place of this part.
    explorer = [
        _findings(view),
        causes_html(view),
        tag("h4", "Layers"),
        layers_html(view),
        memory_html(view),
        _notes("How it was counted", view.totals.counted),
        _notes("Not recorded in this file", view.not_recorded),
    ]
    parts = [
        _header(view),
        _facts(view),
        *(tag("p", sentence) for sentence in (view.batch.sentence, view.host_sentence) if sentence),
        host_markup(view.host_layers) if view.host_layers else "",
        _notes("Warnings", view.warnings),
        tag("section", *explorer, data_sima_upgrade="explorer"),
        tag("section", tag("h4", "Batch sizes"), batch_html(view)) if view.kind == "archive" else "",
        tag("section", archive_html(view)) if view.files else "",
    ]
    return join([tag("style", stylesheet()), tag("div", *parts, class_="sima")])


def stylesheet() -> Markup:
    """The style sheet that every report carries along, without its comments and line breaks."""
    text = (resources.files("sima_compiler.view.html") / "summary.css").read_text("utf-8")
    lines = [line.strip() for line in text.split("\n")]
    return Markup("".join(line for line in lines if not line.startswith("/*")))


def _header(view: View) -> Markup:
    found = view.machine
    machine = f"{found.name or 'machine not named'}, {units.clock(found.clock_mhz)}"
    machine += " (assumed)" if found.clock_assumed else ""
    machine += f", {found.quads} quad{'s' * (found.quads != 1)}" if found.quads else ""
    return join([tag("h3", view.name), tag("p", machine, ", ", tag("code", view.path), class_="note")])


def _facts(view: View) -> Markup:
    totals, clock = view.totals, view.machine.clock_mhz
    facts = [_batch_fact(view)] if view.kind == "archive" else []
    if totals.cycles:
        samples = view.batch.actual_batch_size or 1
        per_run = f"for {samples} samples" if samples > 1 else "for one sample"
        known = view.wordings["cycles_static" if totals.runtime_cycles is None else "cycles_run"]
        alone = view.wordings["mla_alone"]
        facts += [
            ("Latency", units.duration(totals.cycles, clock), f"{per_run}, {alone}"),
            ("Throughput", units.short_rate(totals.samples_per_second or 0.0), f"samples per second, {alone}"),
            ("Cycles", units.count(totals.cycles), known),
        ]
    if totals.efficiency is not None:
        bound = f"of the bound, {units.count(totals.bound_cycles)} cycles" if totals.bound_cycles else "of the bound"
        facts.append(("Efficiency", units.percent(totals.efficiency), bound))
    if view.plugins:
        counts = ", ".join(f"{count} {name}" for name, count in view.plugin_counts.items())
        facts.append(("Plugins", str(len(view.plugins)), counts))
    return tag("dl", *(_tile(*fact) for fact in facts), class_="facts")


def _tile(label: str, value: str, note: str) -> Markup:
    return tag("div", tag("dt", label), tag("dd", tag("b", value), " ", tag("small", note)))


def _batch_fact(view: View) -> tuple[str, str, str]:
    desired, actual = view.batch.desired_batch_size, view.batch.actual_batch_size
    shown = "?" if actual is None else str(actual)
    if desired is None or desired == actual:
        return "Batch", shown, "as asked" if desired else "desired size not recorded"
    return "Batch", f"{desired} → {shown}", "desired → actual"


def _findings(view: View) -> Markup:
    if not view.findings:
        return Markup("")
    return join([tag("h4", "Advice"), tag("ol", *map(_finding, view.findings))])


def _finding(finding: Finding) -> Markup:
    gain = wordings.gain(finding.cycles, finding.bytes, finding.steps)
    return tag("li", tag("b", finding.title), f" ({gain}): " if gain else ": ", f"{finding.evidence} {finding.advice}")


def _notes(title: str, sentences: tuple[str, ...]) -> Markup:
    if not sentences:
        return Markup("")
    items = [tag("li", sentence) for sentence in sentences]
    kind = "warnings" if title == "Warnings" else "note"
    return join([tag("h4", title), tag("ul", *items, class_=kind)])

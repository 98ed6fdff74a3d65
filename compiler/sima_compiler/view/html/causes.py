"""Where the cycles of the run went: parts that sum up to the whole, and what they say about the efficiency.

In: a `View`. Out: markup; nothing where the file does not record causes.
"""

from __future__ import annotations

from sima_compiler.view import units
from sima_compiler.view.html.layers import swatch
from sima_compiler.view.html.markup import Markup, join, tag
from sima_compiler.view.records import Label, View


def causes_html(view: View) -> Markup:
    """A bar, a table with its sum, and the sentence that ties them to the efficiency."""
    totals = view.totals
    if not totals.runtime_cycles or not totals.cause_cycles:
        return Markup("")
    parts = [(cause, cycles) for cause, cycles in zip(view.palette.causes, totals.cause_cycles, strict=True) if cycles]
    bar = tag("div", *(_piece(cause, cycles, totals.runtime_cycles) for cause, cycles in parts), class_="stack")
    return join([tag("h4", "Where the cycles go"), bar, _table(parts), tag("p", efficiency_sentence(view))])


def efficiency_sentence(view: View) -> str:
    """The efficiency in words, with the largest part of what is lost; empty where there is none."""
    totals = view.totals
    if totals.efficiency is None or not totals.bound_cycles:
        return ""
    what = "multiply-accumulates at the peak rate" if totals.bound_by == "macs" else "bytes at DRAM's full rate"
    bound = f"{units.count(totals.bound_cycles)} cycles ({what})"
    found = f"Efficiency {units.percent(totals.efficiency)}: the lower bound of {bound} over those of the run."
    lost = [
        (cycles, cause.label)
        for cause, cycles in zip(view.palette.causes, totals.cause_cycles, strict=False)
        if cycles and cause.key != "useful"
    ]
    if not lost or not totals.runtime_cycles:
        return found
    cycles, label = max(lost)
    return f"{found} The largest other part: {label}, {units.percent(cycles / totals.runtime_cycles)}."


def _piece(cause: Label, cycles: int, total: int) -> Markup:
    return tag("i", style=f"width:{100 * cycles / total:.4g}%;background:{cause.colour}")


def _table(parts: list[tuple[Label, int]]) -> Markup:
    shares = units.percents([cycles for _, cycles in parts])
    rows = [
        tag(
            "tr",
            tag("th", swatch(cause.colour), cause.label, scope="row"),
            tag("td", units.count(cycles), class_="n"),
            tag("td", share, class_="n"),
            tag("td", cause.note, class_="wide"),
        )
        for (cause, cycles), share in zip(parts, shares, strict=True)
    ]
    whole = tag(
        "tr",
        tag("th", "Runtime", scope="row"),
        tag("td", units.count(sum(cycles for _, cycles in parts)), class_="n"),
        tag("td", units.percent(1), class_="n"),
        tag("td", class_="wide"),
    )
    head = tag(
        "tr",
        tag("th", "Cause", scope="col"),
        tag("th", "Cycles", scope="col", class_="n"),
        tag("th", "Share", scope="col", class_="n"),
        tag("th", "What it is", scope="col", class_="wide"),
    )
    table = tag("table", tag("thead", head), tag("tbody", *rows), tag("tfoot", whole))
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Cycles by cause")

"""The static Gantt chart: a table with a bar per layer, readable without scripts and, as a table, without styles.

In: a `View`. Out: markup. Rows are in schedule order; beyond `MAX_ROWS` layers only the longest are drawn, and a
sentence says how many are left out and how many cycles they take together.
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.view import units
from sima_compiler.view.details import bound_text, layer_details, layer_share
from sima_compiler.view.html.markup import Markup, join, tag
from sima_compiler.view.layers import family_cycles, longest_layers, scheduled_count
from sima_compiler.view.palette import label_of
from sima_compiler.view.records import Layer, View

MAX_ROWS = 300
_CAPTION = "Static schedule of the MLA: compute cycles only, no stalls."


def gantt_table(view: View) -> Markup:
    """Legend and table of the layers, or a sentence when the archive has no statistics."""
    rows = longest_layers(view.layers, MAX_ROWS)
    if not rows:
        return tag("p", view.wordings["no_stats"], class_="sima-note")
    return join(
        [
            _legend(view),
            tag(
                "div",
                _table(view, rows),
                class_="sima-scroll sima-gantt",
                tabindex="0",
                role="region",
                aria_label="Layers and their cycles",
            ),
            _left_out(view, rows),
            tag("p", view.totals.overlaps, class_="sima-note") if view.totals.overlaps else "",
            tag("p", f"{_CAPTION} Hover a row for its details.", class_="sima-note sima-static"),
            tag("p", f"{_CAPTION} The chart below zooms and pans; hover a bar.", class_="sima-note sima-below"),
        ]
    )


def _name(name: str) -> Markup:
    segment, slash, rest = name.partition("/")
    if not slash:
        return tag("span", name, class_="sima-name")
    return tag("span", tag("span", f"{segment}/", class_="sima-segment"), rest, class_="sima-name")


def _legend(view: View) -> Markup:
    cycles = family_cycles(view.layers)
    total = view.totals.compute_cycles or 1
    entries = [
        tag("li", swatch(family.colour), family.label, tag("b", units.percent(cycles[family.key] / total)))
        for family in view.palette.families
        if family.key in cycles
    ]
    return tag("ul", *entries, class_="sima-legend", aria_label="Operator families and their share of the cycles")


def swatch(colour: str) -> Markup:
    """A small square of that colour."""
    square = tag("rect", width="10", height="10", rx="2", fill=colour)
    return tag("svg", square, width="10", height="10", aria_hidden="true", class_="sima-swatch")


def _table(view: View, rows: Sequence[Layer]) -> Markup:
    total = max(1, view.totals.static_cycles)
    columns = view.layers.columns
    has_bound, has_use = "bound_by" in columns, "utilization" in columns
    head = tag(
        "tr",
        tag("th", "Layer", scope="col"),
        tag("th", _axis(total), scope="col", class_="sima-track"),
        tag("th", "Cycles", scope="col", class_="sima-number"),
        tag("th", "Share", scope="col", class_="sima-number"),
        tag("th", "Use", scope="col", class_="sima-number sima-wide", title="share of the peak MACs")
        if has_use
        else "",
        tag("th", "Bound by", scope="col", class_="sima-wide") if has_bound else "",
    )
    body = [_row(view, layer, total, has_use, has_bound) for layer in rows]
    return tag("table", tag("thead", head), tag("tbody", *body), style=_grid_step(total))


def _grid_step(total: int) -> str:
    marks = units.ticks(total)
    return f"--sima-step: {100 * marks[1] / total:.3f}%" if len(marks) > 1 else ""


def _axis(total: int) -> Markup:
    labels = [
        tag(
            "text",
            units.short_count(mark),
            x=f"{100 * mark / total:.2f}%",
            y="11",
            text_anchor="start" if mark == 0 else "middle",
        )
        for mark in units.ticks(total)
        if mark < 0.97 * total
    ]
    return tag("svg", *labels, width="100%", height="14", aria_label=f"time axis, 0 to {total} cycles", role="img")


def _row(view: View, layer: Layer, total: int, has_use: bool, has_bound: bool) -> Markup:
    use = units.percent(layer.utilization) if layer.macs and layer.utilization is not None else units.NOT_RECORDED
    return tag(
        "tr",
        tag("th", _name(layer.name), scope="row"),
        tag("td", _bar(view, layer, total), class_="sima-track"),
        tag("td", units.count(layer.compute_cycles or 0), class_="sima-number"),
        tag("td", units.percent(layer_share(layer, view)), class_="sima-number"),
        tag("td", use, class_="sima-number sima-wide") if has_use else "",
        tag("td", bound_text(layer, view), class_="sima-wide") if has_bound else "",
        title=layer_details(layer, view),
    )


def _bar(view: View, layer: Layer, total: int) -> Markup:
    family = label_of(view.palette.families, layer.family)
    left, width = 100 * (layer.start_cycle or 0) / total, 100 * (layer.compute_cycles or 0) / total
    bar = tag(
        "rect",
        x=f"{min(left, 99.75):.3f}%",
        y="2",
        width=f"{max(width, 0.25):.3f}%",
        height="10",
        rx="1.5",
        fill=family.colour,
        class_="sima-bar",
    )
    return tag("svg", bar, width="100%", height="14", role="img", aria_label=family.label)


def _left_out(view: View, rows: Sequence[Layer]) -> Markup:
    count = scheduled_count(view.layers)
    if len(rows) == count:
        return Markup("")
    cycles = sum(family_cycles(view.layers).values()) - sum(layer.compute_cycles or 0 for layer in rows)
    text = (
        f"The {units.count(len(rows))} longest of {units.count(count)} layers are drawn; "
        f"the others take {units.count(cycles)} cycles together."
    )
    return tag("p", text, class_="sima-note sima-static")

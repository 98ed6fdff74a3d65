"""Every layer as a row of one table, readable without a script, and without styles.

In: a `View`. Out: markup. Rows are in schedule order; columns that the file records nothing for are not there. A row
closes no cell, as HTML allows: with thousands of layers the closing tags would be a third of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sima_compiler.view import units
from sima_compiler.view.details import bound_text, layer_share
from sima_compiler.view.html.markup import Child, Markup, escape, join, tag
from sima_compiler.view.layers import family_cycles
from sima_compiler.view.palette import label_of
from sima_compiler.view.records import Layer, View

#: Source nodes that a row names; the others are counted. Fused layers have three or four, a long chain has hundreds.
MOST_SOURCES = 3


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its head, what a row says, and the field without which it has nothing to say."""

    title: str
    cell: Callable[[Layer, View], Child]
    field: str = ""
    is_number: bool = False
    note: str = ""


def layers_html(view: View) -> Markup:
    """Legend, table and how it was counted; a sentence where the file has no statistics."""
    if not view.layers:
        return tag("p", view.wordings["no_stats"])
    columns = [column for column in _COLUMNS if not column.field or column.field in view.layers.columns]
    head = join(
        tag("th", column.title, scope="col", class_="n" if column.is_number else None, title=column.note or None)
        for column in columns
    )
    body = "".join(_row(layer, view, columns) for layer in view.layers)
    numbers = ",".join(f":nth-child({place})" for place, column in enumerate(columns, 1) if column.is_number)
    aligned = f".sima.sima .layers td:is({numbers}){{text-align:right;white-space:nowrap;min-width:0}}"
    style = tag("style", Markup(aligned + _colours(view)))
    table = Markup(f"<table class=layers><thead><tr>{head}</thead><tbody>{body}</tbody></table>{style}")
    label = f"{units.count(len(view.layers))} layers"
    notes = [view.totals.overlaps, *view.left_out, f"Bars: {view.wordings['static']}."]
    return join(
        [
            _kinds(view),
            tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=label),
            *(tag("p", note, class_="note") for note in notes if note),
        ]
    )


def _colours(view: View) -> str:
    """A rule for each kind of layer that there is, shorter than its colour on every bar."""
    known = {layer.family for layer in view.layers}
    return "".join(
        f".sima.sima .k{place}{{background:{escape(family.colour)}}}"
        for place, family in enumerate(view.palette.families)
        if family.key in known
    )


def _row(layer: Layer, view: View, columns: list[_Column]) -> Markup:
    return Markup("<tr>" + "".join(_cells(layer, view, columns)))


def _cells(layer: Layer, view: View, columns: list[_Column]) -> Iterator[str]:
    for column in columns:
        opening = "<th scope=row>" if column.title == "Layer" else "<td>"
        yield opening + escape(column.cell(layer, view))


def _count(cycles: int | None) -> str:
    return units.NOT_RECORDED if cycles is None else units.count(cycles)


def _use(layer: Layer) -> str:
    known = layer.macs and layer.utilization is not None
    return units.percent(layer.utilization or 0.0) if known else units.NOT_RECORDED


def _sources(layer: Layer) -> str:
    rest = len(layer.sources) - MOST_SOURCES
    if rest <= 1:  # a shortened list has counted the others itself
        return ", ".join(layer.sources)
    return f"{', '.join(layer.sources[:MOST_SOURCES])} and {units.count(rest)} more"


def _bar(layer: Layer, view: View) -> Markup:
    """Where the layer stands in the static schedule, in percent of it; at least a hair wide."""
    if layer.start_cycle is None:
        return Markup(units.NOT_RECORDED)
    total = max(1, view.totals.static_cycles)
    left, width = 100 * layer.start_cycle / total, 100 * (layer.compute_cycles or 0) / total
    width = max(width, 0.3)
    kind = next((place for place, family in enumerate(view.palette.families) if family.key == layer.family), "")
    return Markup(f"<i class=k{kind} style=margin-left:{min(left, 100 - width):.3g}%;width:{width:.3g}%></i>")


def _kinds(view: View) -> Markup:
    cycles = family_cycles(view.layers)
    total = view.totals.compute_cycles or 1
    entries = [
        join([swatch(family.colour), family.label, " ", tag("b", units.percent(cycles[family.key] / total))])
        for family in view.palette.families
        if family.key in cycles
    ]
    return tag("ul", *(tag("li", entry) for entry in entries), class_="legend", aria_label="Kinds and their share")


def swatch(colour: str) -> Markup:
    """A small square of that colour."""
    return tag("i", class_="swatch", style=f"background:{colour}")


_COLUMNS = (
    _Column("#", lambda layer, _: layer.id, is_number=True),
    _Column("Layer", lambda layer, _: layer.name),
    _Column("Kind", lambda layer, view: label_of(view.palette.families, layer.family).label),
    _Column("Static schedule", _bar),
    _Column("Compute cycles", lambda layer, _: _count(layer.compute_cycles), is_number=True),
    _Column("Share", lambda layer, view: units.percent(layer_share(layer, view)), is_number=True),
    _Column("Run cycles", lambda layer, _: _count(layer.runtime_cycles), "runtime_cycles", True, "stalls included"),
    _Column("Use", lambda layer, _: _use(layer), "utilization", True, "share of the peak multiply-accumulates"),
    _Column("Bound by", bound_text, "bound_by"),
    _Column("Source nodes", lambda layer, _: _sources(layer), "sources"),
)

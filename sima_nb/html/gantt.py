"""The static Gantt chart: a table with a bar per layer, readable without scripts and, as a table, without styles.

In: `Facts`. Out: markup. Rows are in schedule order; beyond `MAX_ROWS` layers only the longest are drawn, and a
sentence says how many are left out and how many cycles they take together.
"""

from __future__ import annotations

from sima_compiler import printable
from sima_nb import units
from sima_nb.facts import Facts, LayerFact
from sima_nb.html.markup import Markup, join, tag
from sima_nb.palette import FAMILY_COLOURS

MAX_ROWS = 300
_CAPTION = "Static schedule of the MLA: compute cycles only, no stalls."


def gantt_table(facts: Facts) -> Markup:
    """Legend and table of the layers, or a sentence when the archive has no statistics."""
    if not facts.layers:
        return tag("p", "The archive holds no per-layer statistics.", class_="sima-note")
    rows = shown_layers(facts.layers)
    return join(
        [
            _legend(facts),
            tag(
                "div",
                _table(facts, rows),
                class_="sima-scroll sima-gantt",
                tabindex="0",
                role="region",
                aria_label="Layers and their cycles",
            ),
            _left_out(facts.layers, rows),
            tag("p", facts.counting, class_="sima-note") if facts.counting else "",
            tag("p", f"{_CAPTION} Hover a row for its details.", class_="sima-note sima-static"),
            tag("p", f"{_CAPTION} The chart below zooms and pans; hover a bar.", class_="sima-note sima-below"),
        ]
    )


def shown_layers(layers: tuple[LayerFact, ...]) -> tuple[LayerFact, ...]:
    """All layers, or the `MAX_ROWS` longest in schedule order."""
    if len(layers) <= MAX_ROWS:
        return layers
    longest = sorted(layers, key=lambda layer: -layer.cycles)[:MAX_ROWS]
    return tuple(sorted(longest, key=lambda layer: layer.id))


def layer_details(layer: LayerFact, clock_mhz: float) -> str:
    """What a hover says about a layer: one fact per line."""
    lines = [
        printable(layer.name),
        f"{units.count(layer.cycles)} cycles ({units.duration(layer.cycles, clock_mhz)}), {units.percent(layer.share)}",
        f"cycle {units.count(layer.start_cycle)} to {units.count(layer.end_cycle)}",
    ]
    if layer.macs:
        lines.append(f"{units.count(layer.macs)} MACs")
    if layer.utilisation is not None:
        lines.append(f"{units.percent(layer.utilisation)} of peak MACs")
    if layer.runtime_cycles is not None:
        lines.append(f"{units.count(layer.runtime_cycles)} cycles with stalls")
    if layer.bound_by:
        lines.append(f"bound by {reading_name(layer.bound_by)}")
    return "\n".join(lines)


def reading_name(bound_by: str | None) -> str:
    """A cause as people read it: ``weights_dma`` is ``weights DMA``; a dash when unknown."""
    return (bound_by or "–").replace("_dma", " DMA").replace("_", " ")


def _name(name: str) -> Markup:
    segment, slash, rest = name.partition("/")
    if not slash:
        return tag("span", name, class_="sima-name")
    return tag("span", tag("span", f"{segment}/", class_="sima-segment"), rest, class_="sima-name")


def _legend(facts: Facts) -> Markup:
    shares: dict[str, float] = {}
    for layer in facts.layers:
        shares[layer.family] = shares.get(layer.family, 0.0) + layer.share
    entries = [
        tag("li", swatch(colour), label, tag("b", units.percent(shares[label])))
        for label, colour in FAMILY_COLOURS.items()
        if label in shares
    ]
    return tag("ul", *entries, class_="sima-legend", aria_label="Operator families and their share of the cycles")


def swatch(colour: str) -> Markup:
    """A small square of that colour."""
    square = tag("rect", width="10", height="10", rx="2", fill=colour)
    return tag("svg", square, width="10", height="10", aria_hidden="true", class_="sima-swatch")


def _table(facts: Facts, rows: tuple[LayerFact, ...]) -> Markup:
    total = max(1, *(layer.end_cycle + 1 for layer in facts.layers))
    has_bound = any(layer.bound_by for layer in facts.layers)
    has_use = any(layer.utilisation is not None for layer in facts.layers)
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
    body = [_row(facts, layer, total, has_use, has_bound) for layer in rows]
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


def _row(facts: Facts, layer: LayerFact, total: int, has_use: bool, has_bound: bool) -> Markup:
    use = units.percent(layer.utilisation) if layer.utilisation is not None else "–"
    return tag(
        "tr",
        tag("th", _name(layer.name), scope="row"),
        tag("td", _bar(layer, total), class_="sima-track"),
        tag("td", units.count(layer.cycles), class_="sima-number"),
        tag("td", units.percent(layer.share), class_="sima-number"),
        tag("td", use, class_="sima-number sima-wide") if has_use else "",
        tag("td", reading_name(layer.bound_by), class_="sima-wide") if has_bound else "",
        title=layer_details(layer, facts.clock_mhz),
    )


def _bar(layer: LayerFact, total: int) -> Markup:
    left, width = 100 * layer.start_cycle / total, 100 * layer.cycles / total
    bar = tag(
        "rect",
        x=f"{min(left, 99.75):.3f}%",
        y="2",
        width=f"{max(width, 0.25):.3f}%",
        height="10",
        rx="1.5",
        fill=FAMILY_COLOURS[layer.family],
        class_="sima-bar",
    )
    return tag("svg", bar, width="100%", height="14", role="img", aria_label=layer.family)


def _left_out(layers: tuple[LayerFact, ...], rows: tuple[LayerFact, ...]) -> Markup:
    if len(rows) == len(layers):
        return Markup("")
    cycles = sum(layer.cycles for layer in layers) - sum(layer.cycles for layer in rows)
    text = (
        f"The {units.count(len(rows))} longest of {units.count(len(layers))} layers are drawn; "
        f"the others take {units.count(cycles)} cycles together."
    )
    return tag("p", text, class_="sima-note sima-static")

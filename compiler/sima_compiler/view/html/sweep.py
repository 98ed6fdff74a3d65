"""A sweep as HTML that needs no script: the best rows, latency against throughput as a picture, and every row.

In: a `SweepTable`. Out: markup. Always: what the picture shows stands in the table too.
"""

from __future__ import annotations

from math import floor, log10

from sima_compiler.view import units
from sima_compiler.view.html import plain
from sima_compiler.view.html.markup import Markup, join, tag
from sima_compiler.view.sweep import SweepRow, SweepTable, varied
from sima_compiler.view.sweep_text import columns_of, described, facts_of, failures_of, right_of, rows_of, summary

#: The picture in its own units; it scales with the page.
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _EDGE = 640, 300, 70, 40, 14
#: Marks on an axis: at most so many, at 1, 2 or 5 times a power of ten.
_MOST_MARKS = 6


def sweep_page(table: SweepTable) -> Markup:
    """The report as a file of its own."""
    return plain.document(f"Sweep of {table[0].network}" if len(table) else "Sweep", sweep_html(table))


def sweep_html(table: SweepTable) -> Markup:
    """The report."""
    parts = [plain.pairs("Sweep", facts_of(table))]
    if len(table.built) > 1:
        parts.append(_picture(table))
    parts.append(plain.table("Every combination", columns_of(table), rows_of(table), right=right_of(table)))
    if table.failed:
        parts.append(plain.table("Failed", ("combination", "error", "reason", "what to try"), failures_of(table)))
    return plain.report("sweep", *parts)


def _picture(table: SweepTable) -> Markup:
    """Latency to the right, samples per second upwards; the frontier is filled and joined."""
    frontier = table.pareto
    right = max(row.latency_us or 0.0 for row in table.built)
    top = max(row.samples_per_second or 0.0 for row in table.built)
    names = varied(table)

    def place(row: SweepRow) -> tuple[float, float]:
        return _x(row.latency_us or 0.0, right), _y(row.samples_per_second or 0.0, top)

    keys = {row.key for row in frontier}
    dots = [_dot(*place(row), f"{described(row, names)}: {summary(row)}", row.key in keys) for row in table.built]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, frontier))
    line = tag("polyline", points=path, fill="none", stroke="currentColor", stroke_opacity=".5")
    title = f"Latency against throughput of {len(table.built)} combinations; {len(frontier)} are on the Pareto frontier"
    picture = tag(
        "svg",
        tag("title", title),
        *_axes(right, top),
        line,
        *dots,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        style="max-width:48em;width:100%;height:auto;color:inherit;font:12px sans-serif",
    )
    return tag("figure", picture, tag("figcaption", f"{title} (filled, joined)."), style="margin:.6em 0")


def _dot(x: float, y: float, text: str, is_on_frontier: bool) -> Markup:
    fill = "currentColor" if is_on_frontier else "none"
    return tag("g", tag("title", text), _circle(x, y, fill))


def _circle(x: float, y: float, fill: str) -> Markup:
    return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=5, fill=fill, stroke="currentColor", pointer_events="all")


def _axes(right: float, top: float) -> list[Markup]:
    floor_y, parts = _HEIGHT - _BOTTOM, []
    parts.append(_line(_LEFT, floor_y, _WIDTH - _EDGE, floor_y))
    parts.append(_line(_LEFT, _EDGE, _LEFT, floor_y))
    for value in _marks(right):
        x = _x(value, right)
        parts += [
            _line(x, floor_y, x, floor_y + 4),
            _text(x, floor_y + 17, units.duration(value, 1.0) if value else "0", "middle"),
        ]
    for value in _marks(top):
        y = _y(value, top)
        parts += [
            _line(_LEFT - 4, y, _LEFT, y),
            _text(_LEFT - 8, y + 4, units.short_rate(value) if value else "0", "end"),
        ]
    parts.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 4, "latency of a batch", "middle"))
    parts.append(_text(_LEFT + 6, _EDGE + 4, "samples per second", "start"))
    return parts


def _marks(largest: float) -> list[float]:
    """Round values from 0 to the largest."""
    if largest <= 0:
        return [0.0]
    power = 10.0 ** floor(log10(largest / _MOST_MARKS))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if largest / (power * factor) <= _MOST_MARKS)
    return [step * index for index in range(int(largest / step) + 1)]


def _x(latency: float, right: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _EDGE - 10) * latency / right


def _y(rate: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _EDGE - 20) * rate / top


def _line(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return tag("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", stroke="currentColor")


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return join([tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill="currentColor")])

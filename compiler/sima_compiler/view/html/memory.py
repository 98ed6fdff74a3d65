"""The on-chip memory of each segment in a table: peak, bound, and what went to DRAM.

In: a `View`. Out: markup; nothing where no segment records its memory.
"""

from __future__ import annotations

from sima_compiler.view import units
from sima_compiler.view.html.markup import Markup, join, tag
from sima_compiler.view.records import Segment, View


def memory_html(view: View) -> Markup:
    """Segments with their peaks and spills."""
    known = [segment for segment in view.segments if segment.peak_bytes is not None]
    if not known:
        return Markup("")
    columns = ("Segment", "Peak", "Lower bound", "On chip", "Spilled to DRAM")
    head = tag("tr", *(tag("th", column, scope="col") for column in columns))
    table = tag("table", tag("thead", head), tag("tbody", *map(_row, known)))
    return join(
        [
            tag("h4", "On-chip memory"),
            tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Memory"),
        ]
    )


def _row(segment: Segment) -> Markup:
    spilled = ", ".join(
        tensor.name if tensor.bytes is None else f"{tensor.name} ({units.size(tensor.bytes)})"
        for tensor in segment.spilled
    )
    return tag(
        "tr",
        tag("th", segment.name, scope="row"),
        tag("td", _size(segment.peak_bytes)),
        tag("td", _size(segment.lower_bound_bytes)),
        tag("td", _size(segment.on_chip_bytes)),
        tag("td", spilled or "nothing"),
    )


def _size(value: int | None) -> str:
    return units.NOT_RECORDED if value is None else units.size(value)

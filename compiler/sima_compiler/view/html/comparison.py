"""Two archives or statistics files side by side as HTML that is whole without a script or a style.

In: a `Comparison`. Out: markup with the report's style sheet; the cells are those of the text form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sima_compiler.view.compare import Comparison
from sima_compiler.view.compare_text import (
    FILE_COLUMNS,
    LAYER_COLUMNS,
    TOTAL_COLUMNS,
    file_cells,
    layer_cells,
    layers_sentence,
    total_cells,
)
from sima_compiler.view.html.markup import Markup, join, tag
from sima_compiler.view.html.summary import stylesheet


def comparison_html(found: Comparison) -> Markup:
    """What is compared, totals, every layer, files."""
    measured = "run" if found.measure == "runtime_cycles" else "static schedule"
    parts = [
        tag("h3", f"{found.before.name} and {found.after.name}"),
        tag("p", "Before: ", tag("code", found.before.path or found.before.name), class_="note"),
        tag("p", "After: ", tag("code", found.after.path or found.after.name), class_="note"),
        *(tag("p", note) for note in found.notes),
        _table("Totals", TOTAL_COLUMNS, map(total_cells, found.totals)),
        *(tag("p", sentence) for sentence in found.after.left_out or (layers_sentence(found),)),
        _table(f"Layers, {measured}", LAYER_COLUMNS, map(layer_cells, found.layers)),
        _table("Files", FILE_COLUMNS, map(file_cells, found.files)) if found.files else "",
    ]
    return join([tag("style", stylesheet()), tag("div", *parts, class_="sima")])


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A table whose first column names the row and whose others are numbers, but for a last one without a head."""
    head = tag("tr", *(tag("th", column, scope="col", class_=_class(column, columns)) for column in columns))
    body = (
        tag(
            "tr",
            tag("th", cells[0], scope="row"),
            *(
                tag("td", cell, class_=_class(column, columns))
                for cell, column in zip(cells[1:], columns[1:], strict=True)
            ),
        )
        for cells in rows
    )
    table = tag("table", tag("thead", head), tag("tbody", *body))
    return join([tag("h4", title), tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=title)])


def _class(column: str, columns: Sequence[str]) -> str | None:
    return None if column in ("", columns[0]) else "n"

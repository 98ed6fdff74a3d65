"""Plain tables, for terminals and for pages without a script.

In: values as text. Out: text without trailing blanks, or escaped markup. Always: a cell is one line of what has a
glyph, whatever stands in it.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Sequence

from sima_compiler.screen import printable

#: Longest name of a node in full: exporters join the names of what they fused.
LONGEST_NAME = 60
#: Where sentences are broken, so that with a label they fit a terminal of 120 columns.
LONGEST_LINE = 100
#: Own light and dark defaults, so that a table reads well in any notebook and on a page of its own.
STYLE = (
    "<style>.sima-plain{border-collapse:collapse;margin:.4em 0;color:inherit;font-size:inherit}"
    ".sima-plain th,.sima-plain td{text-align:left;vertical-align:top;padding:.2em .7em .2em 0;"
    "border-bottom:1px solid rgba(128,128,128,.35);overflow-wrap:anywhere}"
    ".sima-plain caption{text-align:left;font-weight:bold;padding:.3em 0}"
    ".sima-plain .number{text-align:right;white-space:nowrap}.sima-scroll{overflow-x:auto}</style>"
)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns padded to their widest cell; those in ``right`` end flush."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in cells) for cells in zip(columns, *rows, strict=True)]
    return "\n".join(_line(row, widths, right) for row in (columns, *rows))


def shortened(name: str) -> str:
    """A long name with its middle left out; what is left out stands in the JSON."""
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def paragraph(label: str, sentence: str) -> list[tuple[str, str]]:
    """A long sentence as pairs, its label at the first line."""
    return [("" if number else label, line) for number, line in enumerate(textwrap.wrap(sentence, LONGEST_LINE))]


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """``label      value`` lines with the values in one column; pairs without a value are left out."""
    kept = [(label, value) for label, value in rows if value]
    width = max((len(label) for label, _ in kept), default=0)
    return "\n".join(f"{label:<{width}}  {printable(value)}".rstrip() for label, value in kept)


def pairs_markup(caption: str, rows: Iterable[tuple[str, str]]) -> str:
    """The same as a table whose first column heads its rows."""
    body = "".join(
        f'<tr><th scope="row">{_escaped(label)}</th><td>{_escaped(value)}</td></tr>' for label, value in rows if value
    )
    return f'<div class="sima-scroll"><table class="sima-plain">{_caption(caption)}<tbody>{body}</tbody></table></div>'


def table_markup(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table with a caption; the columns in ``right`` hold numbers."""
    head = "".join(
        f'<th scope="col"{_number(place, right)}>{_escaped(name)}</th>' for place, name in enumerate(columns)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{_number(place, right)}>{_escaped(cell)}</td>" for place, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="sima-scroll"><table class="sima-plain">{_caption(caption)}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    cells = (
        f"{cell:>{width}}" if index in right else f"{cell:<{width}}"
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _caption(text: str) -> str:
    return f"<caption>{_escaped(text)}</caption>" if text else ""


def _number(place: int, right: Sequence[int]) -> str:
    return ' class="number"' if place in right else ""


def _escaped(text: str) -> str:
    return html.escape(printable(text))

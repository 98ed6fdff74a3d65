"""Plain tables for terminals.

In: values as text. Out: text without trailing blanks. Always: a cell is one line of what has a glyph, whatever stands
in it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from sima_compiler.screen import printable

#: Longest name of a node in full: exporters join the names of what they fused.
LONGEST_NAME = 60
#: Where sentences are broken, so that with a label they fit a terminal of 120 columns.
LONGEST_LINE = 100


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


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    cells = (
        f"{cell:>{width}}" if index in right else f"{cell:<{width}}"
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()

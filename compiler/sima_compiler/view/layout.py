"""Plain text in columns, for terminals.

In: cells. Out: lines without trailing blanks. Always holds: a cell is one line, whatever stands in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.printable import printable


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = (), indent: str = "") -> str:
    """Columns padded to their widest cell; those in ``right`` end flush; every line starts with ``indent``."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in cells) for cells in zip(columns, *rows, strict=True)]
    return "\n".join(indent + _line(row, widths, right) for row in (columns, *rows))


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    cells = (
        f"{cell:>{width}}" if index in right else f"{cell:<{width}}"
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()

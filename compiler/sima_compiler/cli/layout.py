"""Plain-text layout for terminals: tables, sizes, counts.

In: values. Out: text without trailing blanks. Always holds: a cell is one line, whatever stands in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sima_compiler.archive.tree import human_size
from sima_compiler.screen import printable


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns padded to their widest cell; those in ``right`` end flush."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in cells) for cells in zip(columns, *rows, strict=True)]
    return "\n".join(_line(row, widths, right) for row in (columns, *rows))


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """``label      value`` lines with the values in one column; pairs without a value are left out."""
    kept = [(label, value) for label, value in rows if value]
    width = max((len(label) for label, _ in kept), default=0)
    return "\n".join(f"{label:<{width}}  {printable(value)}".rstrip() for label, value in kept)


def size(value: int) -> str:
    """Bytes with a binary unit: ``512 bytes``, ``1.5 KiB``, ``24.4 MiB``."""
    return human_size(value)


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    cells = (
        f"{cell:>{width}}" if index in right else f"{cell:<{width}}"
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()

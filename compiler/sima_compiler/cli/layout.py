"""Plain-text layout for terminals: tables, pairs, sizes.

In: values. Out: text without trailing blanks. Always holds: a cell is one line, whatever stands in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sima_compiler.archive.tree import human_size
from sima_compiler.printable import printable
from sima_compiler.view.layout import table

__all__ = ["pairs", "size", "table"]


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """``label      value`` lines with the values in one column; pairs without a value are left out."""
    kept = [(label, value) for label, value in rows if value]
    width = max((len(label) for label, _ in kept), default=0)
    return "\n".join(f"{label:<{width}}  {printable(value)}".rstrip() for label, value in kept)


def size(value: int) -> str:
    """Bytes with a binary unit: ``512 bytes``, ``1.5 KiB``, ``24.4 MiB``."""
    return human_size(value)

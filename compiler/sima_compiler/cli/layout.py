"""Plain-text layout for terminals: tables, pairs, sizes.

In: values. Out: text without trailing blanks. Always holds: a cell is one line, whatever stands in it.
"""

from __future__ import annotations

from sima_compiler.archive.tree import human_size
from sima_compiler.view.plain import pairs, table

__all__ = ["pairs", "size", "table"]


def size(value: int) -> str:
    """Bytes with a binary unit: ``512 bytes``, ``1.5 KiB``, ``24.4 MiB``."""
    return human_size(value)

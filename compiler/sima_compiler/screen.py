"""Text from files as text on a screen: whoever named a layer cannot steer a terminal or turn a page's lines around.

In: any text. Out: the same text in which every character without a glyph of its own is written as Python writes it.
Always holds: the result has no escape codes, no line breaks that were not asked for, no marks that change direction,
and nothing invisible; text that has none of these comes back unchanged.
"""

from __future__ import annotations

import unicodedata

#: Controls, invisible formatting and direction marks, halves of surrogate pairs, line and paragraph separators.
_WITHOUT_GLYPH = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""``text`` on one line: an escape code reads ``\x1b[31m``, a line break ``\n``, a direction mark ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(repr(char)[1:-1] if unicodedata.category(char) in _WITHOUT_GLYPH else char for char in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines: its line breaks stay."""
    return "\n".join(printable(line) for line in text.split("\n"))

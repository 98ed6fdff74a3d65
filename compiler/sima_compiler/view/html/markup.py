"""HTML from Python calls, escaped by construction.

In: tag names, attributes and children. Out: `Markup`. A child or attribute value that is not `Markup` is escaped, so
text from a model or an archive can never become an element, and what has no glyph (escape codes, marks that turn the
direction of writing) is written out; only this module and literals make `Markup`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from sima_compiler.screen import printable


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


Child = str | int | float | None

#: Elements that the next of their kind closes, as HTML lets it: in a table that is a third of what a cell takes.
_CLOSED_BY_THE_NEXT = frozenset({"td", "th", "tr", "li", "dt", "dd"})
#: Values that need no quotes; a notebook, whose outputs are JSON, would keep each quote as two letters.
_BARE = re.compile(r"[A-Za-z0-9_#:;%.,-]+")
_SHAPES = frozenset({"rect", "line", "circle", "polyline"})
_VOID = frozenset({"input", "meta", "br"}) | _SHAPES


def escape(value: Child) -> Markup:
    """``value`` as HTML: `Markup` unchanged, None as nothing, all else escaped."""
    if value is None:
        return Markup("")
    return value if isinstance(value, Markup) else Markup(html.escape(printable(str(value)), quote=True))


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """One element. ``class_`` and ``for_`` lose the underscore, other underscores become dashes; None and False are
    left out, True stands alone.
    """
    opening = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    if name in _VOID:
        # A blank before the end: a value without quotes would take the slash in.
        return Markup(f"{opening[:-1]} />" if name in _SHAPES else opening)
    closing = "" if name in _CLOSED_BY_THE_NEXT else f"</{name}>"
    return Markup(f"{opening}{''.join(escape(child) for child in children)}{closing}")


def join(parts: Iterable[Child], separator: str = "") -> Markup:
    """Children one after the other."""
    return Markup(escape(separator).join(escape(part) for part in parts))


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    if _BARE.fullmatch(text := str(value)):
        return f" {name}={text}"
    lines = "\n".join(printable(line) for line in text.split("\n"))
    return f' {name}="{html.escape(lines, quote=True)}"'

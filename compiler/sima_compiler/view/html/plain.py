"""Plain tables as HTML that needs no script and no stylesheet from elsewhere.

In: values as text. Out: `Markup`. Always: colours are the page's own, so that a table reads well in light, dark and
forced colours; what is wider than the page scrolls by itself, also by keyboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sima_compiler.view.html.markup import Child, Markup, tag

#: The class is written twice so that a notebook's own rules for tables do not win.
_STYLE = Markup(
    ".sima-plain.sima-plain{border-collapse:collapse;margin:.4em 0;color:inherit;font-size:inherit}"
    ".sima-plain.sima-plain :is(th,td){text-align:left;vertical-align:top;padding:.25em 1.2em .25em 0;"
    "border-bottom:1px solid rgba(128,128,128,.4);overflow-wrap:anywhere;min-width:7em;max-width:40em}"
    ".sima-plain.sima-plain caption{text-align:left;font-weight:bold;padding:.4em 0;color:inherit}"
    ".sima-plain.sima-plain .sima-number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
    ".sima-plain-scroll{overflow-x:auto}"
)


def report(kind: str, *parts: Markup) -> Markup:
    """A report of tables, one below the other."""
    return tag("div", tag("style", _STYLE), *parts, class_=f"sima-{kind}")


def document(title: str, body: Child) -> Markup:
    """A whole page around a report, which needs nothing from elsewhere."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
    )
    main = tag("main", body, style="max-width:72em;margin:1.5em auto;padding:0 1em;font-family:system-ui,sans-serif")
    return Markup(f"<!DOCTYPE html>\n{tag('html', head, tag('body', main), lang='en')}\n")


def pairs(caption: str, rows: Iterable[tuple[str, str]]) -> Markup:
    """Labels and values; a row without a label goes on with the value above, one without a value is left out."""
    joined: list[tuple[str, str]] = []
    for label, value in rows:
        if not label and joined:
            joined[-1] = (joined[-1][0], f"{joined[-1][1]} {value}")
        elif value:
            joined.append((label, value))
    body = [tag("tr", tag("th", label, scope="row"), tag("td", value)) for label, value in joined]
    return _scrolling(caption, tag("tbody", *body))


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Markup:
    """A table with a caption; the columns in ``right`` hold numbers, the first one heads its row."""
    head = [tag("th", name, scope="col", class_=_number(place, right)) for place, name in enumerate(columns)]
    return _scrolling(caption, tag("thead", tag("tr", *head)), tag("tbody", *(_row(row, right) for row in rows)))


def _row(row: Sequence[str], right: Sequence[int]) -> Markup:
    cells = [tag("td", cell, class_=_number(place, right)) for place, cell in enumerate(row) if place]
    return tag("tr", tag("th", row[0], scope="row"), *cells)


def _scrolling(caption: str, *parts: Markup) -> Markup:
    body = tag("table", tag("caption", caption), *parts, class_="sima-plain")
    return tag("div", body, class_="sima-plain-scroll", role="region", tabindex=0, aria_label=caption)


def _number(place: int, right: Sequence[int]) -> str | None:
    return "sima-number" if place in right else None

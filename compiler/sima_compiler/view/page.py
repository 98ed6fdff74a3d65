"""One offline file: the static report, the View as data, and the script that upgrades the report in place.

In: a `View`. Out: an HTML document, or the file. Always holds: nothing is fetched; without scripts the report is
complete; text out of files can neither close the element that carries the data nor start another.
"""

from __future__ import annotations

import base64
import gzip
import json
from importlib import resources
from pathlib import Path
from typing import Any

from sima_compiler.errors import OutputError
from sima_compiler.files.whole import check_target, write_whole
from sima_compiler.view.columns import to_json
from sima_compiler.view.fitting import saved_forms
from sima_compiler.view.html.markup import Markup, join, tag
from sima_compiler.view.html.summary import summary_html
from sima_compiler.view.records import View
from sima_compiler.view.saved import explorer_view
from sima_compiler.view.text import short_text, view_text

#: Letters of base85 that an HTML reader might take for its own -> letters that base85 does not use.
_PLAIN_LETTERS = str.maketrans("<>&", ",:.")
#: Characters that end or open an element, a comment or a line of script, in a form that JSON reads as the same.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def page_html(view: View) -> Markup:
    """A whole HTML document that needs no network and no other file."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{view.name}: compile report" if view.kind == "archive" else view.name),
    )
    report = tag("div", summary_html(view), data_element(view), data_sima_report=True)
    body = tag("body", tag("main", report), script_element(), class_="sima-page")
    return Markup(f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n")


def output_html(view: View) -> Markup:
    """The report as a notebook keeps it: as much of a large View as fits, data and script in compressed form."""
    return saved_forms(view, lambda kept, _: {"text/html": output_of(kept)})["text/html"]


def output_forms(view: View) -> dict[str, Any]:
    """The same by MIME type, with the plain text: as much as fits into both together."""
    return saved_forms(view, report_forms)


def report_forms(kept: View, is_text_whole: bool = True) -> dict[str, Any]:
    """The report of all that is in the View, by MIME type; the plain form may have to be short."""
    return {"text/html": output_of(kept), "text/plain": view_text(kept) if is_text_whole else short_text(kept)}


def output_of(kept: View) -> Markup:
    """All that is in the View, data and script in compressed form."""
    script, boot = (_script(name).strip() for name in ("inline.packed", "boot.js"))
    data = packed_json(to_json(explorer_view(kept)))
    return tag(
        "div",
        summary_html(kept),
        Markup(f"<script type=text/plain data-sima-view data-sima-gzip>{data}</script>"),
        Markup(f"<script type=text/plain data-sima-packed>{script}</script><script>{boot}</script>"),
        data_sima_report=True,
    )


def write_page(view: View, path: str | Path) -> Path:
    """Write the page to ``path``, whole or not at all; returns the path.

    Raises:
        OutputError: the file cannot be written.
    """
    target = Path(path).expanduser()
    write_whole(target, page_html(view).encode("utf-8"))
    return target


def check_page(path: str | Path) -> None:
    """Find out that a page cannot be written before the work starts.

    Raises:
        OutputError: the folder of ``path`` does not exist or may not be written to, or no page can have that name.
    """
    try:
        check_target(Path(path).expanduser())
    except OutputError as error:
        raise OutputError(f"--html {error.message}", hint=error.hint) from error


def data_element(view: View) -> Markup:
    """The View's JSON as an element that no browser shows or runs."""
    text = json.dumps(to_json(view), ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)
    return Markup(f'<script type="application/json" data-sima-view>{text}</script>')


def script_element() -> Markup:
    """The built script, inline; it looks for reports on its page once and upgrades them."""
    return join([Markup("<script>"), Markup(_script("inline.js")), Markup("</script>")])


def _script(name: str) -> str:
    return (resources.files("sima_compiler.view") / "static" / name).read_text("ascii")


def packed_json(value: Any) -> str:
    """A JSON value as `packed_text`."""
    return packed_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def packed_text(text: str) -> str:
    """Text as `letters` of its gzip; always the same. ``hosts/unpack.ts`` reads it."""
    return letters(gzip.compress(text.encode("utf-8"), 9, mtime=0))


def letters(data: bytes) -> str:
    """base85 in letters that mean nothing in HTML."""
    return base64.b85encode(data).decode("ascii").translate(_PLAIN_LETTERS)

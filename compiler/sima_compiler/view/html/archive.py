"""The archive view: the files as a tree with sizes, and the pipeline's plugins in order.

In: a `View`. Out: markup.
"""

from __future__ import annotations

from pathlib import PurePath

from sima_compiler.view import units
from sima_compiler.view.html.markup import Markup, tag
from sima_compiler.view.palette import label_of
from sima_compiler.view.records import FileRow, Plugin, View
from sima_compiler.view.tables import Table


def archive_view(view: View) -> Markup:
    """File tree and plugin table side by side."""
    return tag("div", _files(view), _plugins(view.plugins), class_="sima-columns")


def _files(view: View) -> Markup:
    total = sum(file.bytes for file in view.files)
    head = tag(
        "div",
        tag("span", PurePath(view.path).name or view.name, class_="sima-name"),
        tag("span", units.size(total), class_="sima-size"),
        class_="sima-root",
    )
    tree = tag("ul", *(_file(file, view) for file in view.files), class_="sima-tree")
    return tag("section", tag("h4", f"Files ({len(view.files)})"), head, tree)


def _file(file: FileRow, view: View) -> Markup:
    return tag(
        "li",
        tag("span", file.name, class_="sima-name"),
        tag("small", label_of(view.palette.roles, file.role).label),
        tag("span", units.size(file.bytes), class_="sima-size", title=f"{units.count(file.bytes)} bytes"),
    )


def _plugins(plugins: Table[Plugin]) -> Markup:
    if not plugins:
        return Markup("")
    head = tag(
        "tr",
        tag("th", "#", scope="col", class_="sima-number"),
        tag("th", "Plugin", scope="col"),
        tag("th", "Runs on", scope="col"),
        tag("th", "Kernel or file", scope="col"),
    )
    table = tag("table", tag("thead", head), tag("tbody", *map(_plugin, plugins)), class_="sima-table")
    return tag("section", tag("h4", f"Plugins ({len(plugins)})"), tag("div", table, class_="sima-scroll"))


def _plugin(plugin: Plugin) -> Markup:
    return tag(
        "tr",
        tag("td", plugin.sequence, class_="sima-number"),
        tag("th", tag("span", plugin.name, class_="sima-name"), scope="row"),
        tag("td", plugin.processor),
        tag("td", plugin.detail),
    )

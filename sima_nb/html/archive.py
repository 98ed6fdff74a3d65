"""The archive view: the files as a tree with sizes, and the pipeline's plugins in order.

In: `Facts`. Out: markup.
"""

from __future__ import annotations

from pathlib import PurePath

from sima_nb import units
from sima_nb.facts import Facts, FileFact, PluginFact
from sima_nb.html.markup import Markup, tag

#: How a file name ends -> what the file is.
KINDS: tuple[tuple[str, str], ...] = (
    ("_mla_stats.yaml", "cycles per layer"),
    ("_mpk.json", "pipeline description"),
    ("_compile_report.json", "compile report"),
    (".lm", "MLA program"),
    (".elf", "MLA program"),
    (".so", "Cortex-A65 library"),
    (".json", "JSON"),
    (".yaml", "YAML"),
)


def archive_view(facts: Facts) -> Markup:
    """File tree and plugin table side by side."""
    return tag("div", _files(facts), _plugins(facts.plugins), class_="sima-columns")


def file_kind(name: str) -> str:
    """What a file of an archive is, by the end of its name; empty when unknown."""
    return next((kind for ending, kind in KINDS if name.endswith(ending)), "")


def _files(facts: Facts) -> Markup:
    total = sum(file.bytes for file in facts.files)
    head = tag(
        "div",
        tag("span", PurePath(facts.path).name or facts.name, class_="sima-name"),
        tag("span", units.size(total), class_="sima-size"),
        class_="sima-root",
    )
    tree = tag("ul", *(_file(file) for file in facts.files), class_="sima-tree")
    return tag("section", tag("h4", f"Files ({len(facts.files)})"), head, tree)


def _file(file: FileFact) -> Markup:
    return tag(
        "li",
        tag("span", file.name, class_="sima-name"),
        tag("small", file_kind(file.name)),
        tag("span", units.size(file.bytes), class_="sima-size", title=f"{units.count(file.bytes)} bytes"),
    )


def _plugins(plugins: tuple[PluginFact, ...]) -> Markup:
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


def _plugin(plugin: PluginFact) -> Markup:
    return tag(
        "tr",
        tag("td", plugin.sequence, class_="sima-number"),
        tag("th", tag("span", plugin.name, class_="sima-name"), scope="row"),
        tag("td", plugin.processor),
        tag("td", plugin.detail),
    )

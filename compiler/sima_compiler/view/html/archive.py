"""What is in the archive: files with role and size, and the pipeline's plugins with their processors and buffers.

In: a `View`. Out: markup; nothing for plain statistics.
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.view import units
from sima_compiler.view.html.markup import Child, Markup, join, tag
from sima_compiler.view.palette import label_of
from sima_compiler.view.records import FileRow, Placement, Plugin, Port, View


def archive_html(view: View) -> Markup:
    """Files, plugins and placements."""
    if not view.files:
        return Markup("")
    total = units.size(sum(file.bytes for file in view.files))
    parts = [
        tag("h4", f"Files: {len(view.files)}, {total} unpacked"),
        _table("Files", ("File", "Role", "Size"), [_file(file, view) for file in view.files]),
    ]
    if view.plugins:
        columns = ("#", "Plugin", "Runs on", "Kernel or file", "Reads", "Writes")
        parts += [
            tag("h4", f"Plugins: {len(view.plugins)}"),
            _table("Plugins", columns, [_plugin(one) for one in view.plugins]),
        ]
    elsewhere = [one for one in view.placements if one.processor != "MLA"]
    if elsewhere:
        columns = ("Node", "Runs on", "Why")
        parts += [
            tag("h4", "Not on the MLA"),
            _table("Not on the MLA", columns, [_placement(one) for one in elsewhere]),
        ]
    return join(parts)


def _table(label: str, columns: Sequence[str], rows: Sequence[Sequence[Child]]) -> Markup:
    head = tag("tr", *(tag("th", column, scope="col") for column in columns))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", *body)),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=label,
    )


def _file(file: FileRow, view: View) -> tuple[Child, ...]:
    return tag("code", file.name), label_of(view.palette.roles, file.role).label, units.size(file.bytes)


def _plugin(plugin: Plugin) -> tuple[Child, ...]:
    reads, writes = _ports(plugin.inputs), _ports(plugin.outputs)
    return plugin.sequence, tag("code", plugin.name), plugin.processor, plugin.detail, reads, writes


def _ports(ports: tuple[Port, ...]) -> str:
    return ", ".join(port.name if port.bytes is None else f"{port.name} ({units.size(port.bytes)})" for port in ports)


def _placement(placement: Placement) -> tuple[Child, ...]:
    return tag("code", placement.node), placement.processor, placement.reason

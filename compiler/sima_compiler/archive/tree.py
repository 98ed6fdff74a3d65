"""An archive's members as a tree, and the tree as text.

In: names with slashes and sizes. Out: nested `ArchiveTree` nodes; `render_text` draws them like the ``tree`` command.
Always holds: a folder's size is the sum of its children's; children keep the archive's order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sima_compiler.screen import printable

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
# From here on, one decimal place would show 1024.0.
_ROUNDS_UP = 1023.95


@dataclass(frozen=True, slots=True)
class ArchiveTree:
    """One node: a file, or a folder with children. ``path`` is the full name inside the archive, ``size`` in bytes.

    ``kind`` is ``archive`` for the root, ``folder``, or a file's kind.
    """

    name: str
    path: str
    size: int
    kind: str
    children: tuple[ArchiveTree, ...] = ()

    def files(self) -> Iterator[ArchiveTree]:
        """Every file below this node, depth first."""
        if self.kind not in ("archive", "folder"):
            yield self
        for child in self.children:
            yield from child.files()

    def __str__(self) -> str:
        return render_text(self)


def build_tree(name: str, files: Iterable[tuple[str, int, str]]) -> ArchiveTree:
    """The tree of ``(path, size in bytes, kind)`` triples under a root called ``name``."""
    return _node(name, "", [(path.split("/"), size, kind) for path, size, kind in files], "archive")


def render_text(tree: ArchiveTree) -> str:
    """The tree as lines of text with sizes aligned in a column, then a count; ends without a newline."""
    rows = [(printable(tree.name), ""), *_rows(tree, "")]
    width = max(len(label) for label, _ in rows)
    count = sum(1 for _ in tree.files())
    lines = [f"{label:<{width}}  {size:>10}".rstrip() for label, size in rows]
    return "\n".join([*lines, "", f"{count} file{'s' * (count != 1)}, {human_size(tree.size)}"])


def human_size(size: int) -> str:
    """A size in bytes in the largest binary unit that leaves at least 1, e.g. ``24.5 MiB``."""
    value, unit = float(size), 0
    while value >= (1024 if unit == 0 else _ROUNDS_UP) and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    if unit == 0:
        return f"{size} byte{'s' * (size != 1)}"
    return f"{value:.1f} {_UNITS[unit]}"


def _node(name: str, path: str, files: list[tuple[list[str], int, str]], kind: str) -> ArchiveTree:
    groups: dict[str, list[tuple[list[str], int, str]]] = {}
    for parts, size, file_kind in files:
        groups.setdefault(parts[0], []).append((parts[1:], size, file_kind))
    children: list[ArchiveTree] = []
    for child, members in groups.items():
        child_path = f"{path}/{child}" if path else child
        if members[0][0]:
            children.append(_node(child, child_path, members, "folder"))
        else:
            children.append(ArchiveTree(child, child_path, members[0][1], members[0][2]))
    return ArchiveTree(name, path, sum(child.size for child in children), kind, tuple(children))


def _rows(tree: ArchiveTree, indent: str) -> Iterator[tuple[str, str]]:
    for index, child in enumerate(tree.children):
        last = index == len(tree.children) - 1
        is_folder = child.kind == "folder"
        branch = "└── " if last else "├── "
        yield f"{indent}{branch}{printable(child.name)}{'/' * is_folder}", human_size(child.size)
        yield from _rows(child, indent + ("    " if last else "│   "))

"""The fast way to read `*_mla_stats.yaml`: texts of which every byte has one of the forms that compilers write.

In: UTF-8 bytes with plain line ends. Out: columns, or None, which sends the text to `stats_yaml`.
Always holds: what is read here is what the event reader would read; a text that differs by one byte from a form is
not read here. A part of the file is matched and turned into numbers before the next one, so memory stays small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]
#: ids, names, first and last cycles: one value per layer, in the order of the file.
Columns = tuple[Int64Array, list[str], Int64Array, Int64Array]

# A name with a slash, made of these characters, is a text under every YAML schema and needs no quotes.
NAME = r"[A-Za-z][A-Za-z0-9_.\-]*+/[A-Za-z0-9_./\-]++"
COUNT = r"(?:0|[1-9][0-9]{0,14}+)"
# Layers that are matched at once: enough that the calls cost nothing, few enough that their groups fit in a cache.
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class _Form:
    """``part`` matches up to `_AT_ONCE` entries with balanced quotes, ``entry`` one of them without any quotes.

    ``order`` says which groups of ``entry`` are id, name, start and end; a list has no ids.
    """

    part: re.Pattern[bytes]
    entry: re.Pattern[bytes]
    order: tuple[int | None, int, int, int]


def _form(template: str, order: tuple[int | None, int, int, int]) -> _Form:
    def filled(quoted: bool) -> str:
        groups = iter(range(1, 9))

        def value(content: str) -> str:
            return f"(['\"]?){content}\\{next(groups)}" if quoted else content

        id_ = value(COUNT if quoted else f"({COUNT})") if "ID" in template else ""
        text = template.replace("ID", id_)
        fields = {"NAME": NAME, "START": COUNT, "END": COUNT}
        for key in sorted(fields, key=template.index):
            content = fields[key] if quoted else f"({fields[key]})"
            tail = "" if key == "NAME" else r"(?:\.0)?"
            text = text.replace(key, value(content + tail))
        return text

    part = re.compile(f"(?:{filled(quoted=True)}){{1,{_AT_ONCE}}}+".encode())
    return _Form(part, re.compile(filled(quoted=False).encode()), order)


_FORMS = (
    _form("ID:\n  name: NAME\n  start_cycle: START\n  end_cycle: END\n", (0, 1, 2, 3)),
    _form("ID:\n  end_cycle: END\n  name: NAME\n  start_cycle: START\n", (0, 2, 3, 1)),
    _form("- name: NAME\n  start_cycle: START\n  end_cycle: END\n", (None, 0, 1, 2)),
    _form("- end_cycle: END\n  name: NAME\n  start_cycle: START\n", (None, 1, 2, 0)),
)


def read_fast(data: bytes) -> Columns | None:
    """Columns of a text that has one of the forms throughout, else None."""
    form = next((form for form in _FORMS if form.part.match(data)), None)
    if form is None:
        return None
    parts = list(_parts(data, form))
    if not parts or parts[-1] is None:
        return None
    rows = [part for part in parts if part is not None]
    ids, starts, ends = (np.concatenate([part[column] for part in rows]) for column in (0, 2, 3))
    names = [name for part in rows for name in part[1]]
    if form.order[0] is None:
        ids = np.arange(1, len(names) + 1, dtype=np.int64)
    return ids, names, starts, ends


def is_plain_name(name: str) -> bool:
    """Whether ``name`` needs no quotes in any YAML."""
    return _PLAIN_NAME.fullmatch(name) is not None


def _parts(data: bytes, form: _Form) -> Iterator[Columns | None]:
    """The columns of each part; None at the first byte that does not fit."""
    position = 0
    while position < len(data):
        found = form.part.match(data, position)
        if found is None:
            yield None
            return
        yield _columns(found[0], form)
        position = found.end()


def _columns(part: bytes, form: _Form) -> Columns:
    groups = list(zip(*form.entry.findall(part.translate(None, b"'\"")), strict=True))
    id_, name, start, end = form.order
    names = b"\n".join(groups[name]).decode("ascii").split("\n")
    return _numbers(groups[start if id_ is None else id_]), names, _numbers(groups[start]), _numbers(groups[end])


def _numbers(column: tuple[bytes, ...]) -> Int64Array:
    return np.array(list(map(int, column)), dtype=np.int64)


_PLAIN_NAME = re.compile(NAME)

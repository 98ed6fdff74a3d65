"""A View as JSON and bytes: one head, one string table, little-endian columns.

In: a `View`. Out: `to_json`, one JSON value with the columns as base64; or `to_binary`, the same head with offsets into
one buffer. Always holds: texts stand once, in ``strings``; a column has the narrowest type that holds its values, so
that whole numbers up to 2**53 are exact in the browser; a column that is absent is "not recorded".

The head: ``{"format": 1, "view": {...}, "strings": [...], "tables": {name: table}}`` with a table being
``{"count": n, "columns": {field: column}}``. ``view`` holds every field of the View that is no table. A column:
``{"kind", "dtype", "data"}``; ``dtype`` is u1, u2, u4, i1, i2, i4, f4 or f8, little-endian; ``data`` is base64, in
binary form ``{"offset", "length"}`` in bytes, offsets being multiples of 8. Texts are indexes into ``strings``. A
list's values stand one row after another: with ``width``, each row has so many; otherwise ``starts`` is a column of
``count`` + 1 positions. ``rows`` lists have a nested table in ``rows`` in place of values.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from sima_compiler.archive.typed_json import encode
from sima_compiler.view.records import View
from sima_compiler.view.tables import Column, Kind, Table

#: Version of this layout.
FORMAT = 1

Json = dict[str, Any]
Array = npt.NDArray[Any]

_ALIGNMENT = 8
_TYPES = ("u1", "u2", "u4", "i1", "i2", "i4")
_TEXTS = (Kind.TEXT, Kind.TEXTS)


def to_json(view: View, strings: Sequence[str] = ()) -> Json:
    """The View as one JSON value. ``strings`` are texts that the reader has already; they come first in the table."""
    return _head(view, _Strings.starting(strings), _embedded)


def to_binary(view: View) -> tuple[Json, bytes]:
    """The View as a head and one buffer that it points into."""
    buffer = bytearray()

    def place(values: Array) -> Json:
        buffer.extend(bytes(-len(buffer) % _ALIGNMENT))
        data = values.tobytes()
        found: Json = {"offset": len(buffer), "length": len(data)}
        buffer.extend(data)
        return found

    return _head(view, _Strings(), place), bytes(buffer)


@dataclass(slots=True)
class _Strings:
    """The string table while it grows."""

    codes: dict[str, int] = field(default_factory=dict[str, int])

    @staticmethod
    def starting(texts: Sequence[str]) -> _Strings:
        return _Strings({text: code for code, text in enumerate(dict.fromkeys(texts))})

    def codes_of(self, texts: Sequence[str]) -> Array:
        """Codes of these texts, the new ones added."""
        return np.array([self.codes.setdefault(text, len(self.codes)) for text in texts], np.int64)


def _head(view: View, strings: _Strings, place: Callable[[Array], Json]) -> Json:
    plain: Json = {}
    tables: Json = {}
    for name in (item.name for item in fields(view)):
        value = getattr(view, name)
        if isinstance(value, Table):
            tables[name] = _table(value, strings, place)
        else:
            plain[name] = encode(value)
    return {"format": FORMAT, "view": plain, "strings": list(strings.codes), "tables": tables}


def _table(table: Table[Any], strings: _Strings, place: Callable[[Array], Json]) -> Json:
    columns: Mapping[str, Column] = table.columns
    packed = {name: _column(column, strings, place) for name, column in columns.items()}
    return {"count": len(table), "columns": packed}


def _column(column: Column, strings: _Strings, place: Callable[[Array], Json]) -> Json:
    head: Json = {"kind": column.kind.value}
    if column.starts is not None:
        head |= _list_layout(column.starts, place)
    if column.rows is not None:
        return head | {"rows": _table(column.rows, strings, place)}
    values = column.values
    if column.kind in _TEXTS:
        codes = np.append(strings.codes_of(column.texts), -1)  # a code of -1 picks the last: not recorded
        values = codes[values]
    packed = _narrowest(values)
    return head | {"dtype": packed.dtype.str[1:]} | place(packed)


def _list_layout(starts: Array, place: Callable[[Array], Json]) -> Json:
    widths = np.diff(starts)
    if len(widths) and (widths == widths[0]).all():
        return {"width": int(widths[0])}
    packed = _narrowest(starts)
    return {"starts": {"kind": Kind.INTEGER.value, "dtype": packed.dtype.str[1:], **place(packed)}}


def _narrowest(values: Array) -> Array:
    """The same values in the narrowest little-endian type; numbers keep seven digits where that is all they have."""
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            short = values.astype("<f4")
        same = np.array_equal(short.astype("<f8"), values, equal_nan=True)
        return short if same else values.astype("<f8")
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    for name in _TYPES:
        limits = np.iinfo(name)
        if limits.min <= low and high <= limits.max:
            return values.astype(f"<{name}")
    return values.astype("<f8")


def _embedded(values: Array) -> Json:
    return {"data": base64.b64encode(values.tobytes()).decode("ascii")}

"""A reader of the View's JSON and binary form, written apart from the writer: what the browser does, in Python."""

from __future__ import annotations

import base64
import gzip
import math
import struct
from itertools import pairwise
from typing import Any

CODES = {"u1": "B", "u2": "H", "u4": "I", "i1": "b", "i2": "h", "i4": "i", "f4": "f", "f8": "d"}


def rows_of(head: dict[str, Any], name: str, buffer: bytes = b"") -> list[dict[str, Any]]:
    """A table as objects; fields without a column are absent."""
    return _table(head["tables"][name], head["strings"], buffer)


def unpacked_text(packed: str) -> str:
    """Text out of base85 of gzip with three letters replaced, as saved outputs carry it."""
    return gzip.decompress(base64.b85decode(packed.strip().translate(str.maketrans(",:.", "<>&")))).decode("utf-8")


def _table(table: dict[str, Any], strings: list[str], buffer: bytes) -> list[dict[str, Any]]:
    count = table["count"]
    columns = {name: _column(column, count, strings, buffer) for name, column in table["columns"].items()}
    return [{name: values[index] for name, values in columns.items()} for index in range(count)]


def _column(column: dict[str, Any], count: int, strings: list[str], buffer: bytes) -> list[Any]:
    kind = column["kind"]
    if kind in ("integers", "texts", "rows"):
        if "width" in column:
            starts = [column["width"] * index for index in range(count + 1)]
        else:
            starts = [int(value) for value in _numbers(column["starts"], buffer)]
        items = (
            _table(column["rows"], strings, buffer)
            if kind == "rows"
            else [strings[int(v)] if kind == "texts" else int(v) for v in _numbers(column, buffer)]
        )
        assert starts[-1] == len(items)
        return [items[first:end] for first, end in pairwise(starts)]
    values = _numbers(column, buffer)
    assert len(values) == count
    read = {
        "integer": lambda v: None if v == -1 else int(v),
        "number": lambda v: None if math.isnan(v) else v,
        "flag": lambda v: None if v == -1 else bool(v),
        "text": lambda v: None if v == -1 else strings[int(v)],
    }[kind]
    return [read(value) for value in values]


def _numbers(column: dict[str, Any], buffer: bytes) -> list[Any]:
    code = CODES[column["dtype"]]
    data = (
        base64.b64decode(column["data"])
        if "data" in column
        else buffer[column["offset"] : column["offset"] + column["length"]]
    )
    if "offset" in column:
        assert column["offset"] % 8 == 0
    return [value for (value,) in struct.iter_unpack(f"<{code}", data)]

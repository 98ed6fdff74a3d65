"""The contract between the languages: a JSON Schema of what `sima_compiler.view.columns` writes.

In: the record classes. Out: the schema as a plain value; ``schema.json`` beside this module is its committed text, and
a test holds the two together. TypeScript types are generated from it: an interface for each record in ``$defs``. In
``tables``, ``x-row`` names the record that the rows are. In such a record ``x-kind`` says what a field's column holds,
and ``default`` what a field without a column reads as.
"""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from importlib import resources
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from sima_compiler.archive.typed_json import encode
from sima_compiler.view import columns
from sima_compiler.view.records import View
from sima_compiler.view.tables import Kind, Table, field_kinds

Json = dict[str, Any]

_SCALARS: dict[Any, str] = {int: "integer", float: "number", str: "string", bool: "boolean"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_TABLE: Json = {
    "description": "Rows as columns. A field without a column is not recorded for any row.",
    "type": "object",
    "required": ["count", "columns"],
    "properties": {
        "count": _COUNT,
        "columns": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Column"}},
    },
}
_COLUMN: Json = {
    "description": "Values of one field: -1 and NaN are not recorded. Base64 in `data`, or a range of the buffer.",
    "type": "object",
    "required": ["kind"],
    "properties": {
        "kind": {"enum": [kind.value for kind in Kind]},
        "dtype": {"enum": ["u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8"]},
        "data": {"type": "string", "contentEncoding": "base64"},
        "offset": _COUNT,
        "length": _COUNT,
        "width": {**_COUNT, "description": "Values per row of a list whose rows are of equal length."},
        "starts": {
            "$ref": "#/$defs/Column",
            "description": "count + 1 positions: row i is starts[i] to starts[i + 1].",
        },
        "rows": {"$ref": "#/$defs/Table", "description": "Nested rows in place of values."},
    },
}


def view_schema() -> Json:
    """The schema of `columns.to_json`, and of the head that `columns.to_binary` gives."""
    tables = dict(_tables())
    rows = _sorted(_with_nested(tables.values()))
    heads = [record for record in _sorted(_records_in(View, skipped=set(tables))) if record is not View]
    table_properties = {
        name: {"allOf": [{"$ref": "#/$defs/Table"}], "x-row": row.__name__} for name, row in tables.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ViewFile",
        "description": inspect.cleandoc(columns.__doc__ or ""),
        "type": "object",
        "required": ["format", "view", "strings", "tables"],
        "properties": {
            "format": {"const": columns.FORMAT},
            "view": {"$ref": "#/$defs/View"},
            "strings": {"type": "array", "items": {"type": "string"}},
            "tables": {"type": "object", "required": list(tables), "properties": table_properties},
        },
        "$defs": {
            "Table": _TABLE,
            "Column": _COLUMN,
            "View": _definition(View, is_row=False, skipped=set(tables)),
            **{record.__name__: _definition(record, is_row=False) for record in heads},
            **{row.__name__: _definition(row, is_row=True) for row in rows},
        },
    }


def schema_text() -> str:
    """The schema as the text of ``schema.json``."""
    return json.dumps(view_schema(), indent=2) + "\n"


def committed_schema() -> str:
    """The text of ``schema.json``."""
    return (resources.files("sima_compiler.view") / "schema.json").read_text("utf-8")


def _tables() -> Iterator[tuple[str, type]]:
    """Fields of the View that are tables, and their row classes."""
    for name, hint in get_type_hints(View).items():
        if get_origin(hint) is Table:
            yield name, get_args(hint)[0]


def _with_nested(rows: Iterable[type]) -> set[type]:
    found = set(rows)
    nested = {field.row for row in found for field in field_kinds(row) if field.row is not None}
    return found | (_with_nested(nested) if nested else set())


def _records_in(record: type, skipped: Iterable[str] = ()) -> Iterator[type]:
    """The record and every record class inside its fields."""
    yield record
    for name, hint in get_type_hints(record).items():
        if name not in skipped:
            for inner in _inner(hint):
                yield from _records_in(inner)


def _inner(hint: Any) -> Iterator[type]:
    if is_dataclass(hint):
        yield cast("type", hint)
    for argument in get_args(hint):
        yield from _inner(argument)


def _sorted(records: Iterable[type]) -> list[type]:
    return sorted(set(records), key=lambda record: record.__name__)


def _definition(record: type, *, is_row: bool, skipped: Iterable[str] = ()) -> Json:
    """A record as an object: the head writes all fields, a row may leave out those that have a default."""
    hints = {name: hint for name, hint in get_type_hints(record).items() if name not in set(skipped)}
    kinds = {field.name: field.kind.value for field in field_kinds(record)} if is_row else {}
    defaults = {field.name: field.default for field in fields(record) if is_row and field.default is not MISSING}
    return {
        "description": inspect.cleandoc(inspect.getdoc(record) or ""),
        "type": "object",
        "required": [name for name in hints if name not in defaults],
        "properties": {
            name: {
                **_type(hint),
                **({"x-kind": kinds[name]} if is_row else {}),
                **({"default": encode(defaults[name])} if name in defaults else {}),
            }
            for name, hint in hints.items()
        },
    }


def _type(hint: Any) -> Json:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return {"anyOf": [_type(inner), {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0])}
    if origin is not None:  # a mapping
        return {"type": "object", "additionalProperties": _type(arguments[1])}
    if is_dataclass(hint):
        return {"$ref": f"#/$defs/{cast('type', hint).__name__}"}
    return {"type": _SCALARS[hint]}

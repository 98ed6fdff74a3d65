"""Frozen records from JSON values and back, by the records' own annotations.

In: a record class and a parsed JSON value. Out: the record; or from a record plain JSON values. Always holds: keys are
field names; a key that the class does not know is passed over (newer minor versions add some); a field without a
default is required; a value of the wrong kind is a SchemaError that gives the place.

Annotations that are understood: int, float, str, bool, a record class, ``X | None``, ``tuple[X, ...]``,
``tuple[X, Y]`` and ``Mapping[str, X]``.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from sima_compiler.errors import SchemaError

Record = TypeVar("Record")

#: The largest whole number that every reader of JSON holds exactly; all whole numbers of our records are counts.
LARGEST_COUNT = (1 << 53) - 1

_KINDS = {int: "a whole number from 0 to 2**53 - 1", float: "a number", str: "a text", bool: "true or false"}


def decode(record: type[Record], value: Any, entry: str) -> Record:
    """The record that ``value`` holds; ``entry`` names the document in errors.

    Raises:
        SchemaError: a required key is missing, or a value is of the wrong kind.
    """
    return cast("Record", _record(record, value, entry, ""))


def encode(value: Any) -> Any:
    """Plain JSON values: a record becomes an object with its fields in order, a tuple a list."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    return value


@cache
def _hints(record: type) -> dict[str, Any]:
    return get_type_hints(record)


def _record(record: type, value: Any, entry: str, place: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(entry, place, "an object", value)
    hints = _hints(record)
    known: dict[str, Any] = {}
    for field in fields(record):
        where = f"{place}.{field.name}" if place else field.name
        if field.name in value:
            known[field.name] = _value(hints[field.name], value[field.name], entry, where)
        elif _is_required(field):
            raise SchemaError(f"{entry}: {where} is missing", entry=entry)
    return record(**known)


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _value(wanted: Any, value: Any, entry: str, place: str) -> Any:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _value(inner, value, entry, place)
    if origin is tuple:
        return _items(arguments, value, entry, place)
    if origin is not None:  # a mapping
        if not isinstance(value, dict):
            raise _wrong(entry, place, "an object", value)
        return {key: _value(arguments[1], item, entry, f"{place}.{key}") for key, item in value.items()}
    if is_dataclass(wanted):
        return _record(cast("type", wanted), value, entry, place)
    return _scalar(wanted, value, entry, place)


def _items(arguments: tuple[Any, ...], value: Any, entry: str, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(entry, place, "a list", value)
    kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
    if len(kinds) != len(value):
        raise _wrong(entry, place, f"a list of {len(kinds)}", value)
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(_value(kind, item, entry, f"{place}[{index}]") for index, (kind, item) in pairs)


def _scalar(wanted: type, value: Any, entry: str, place: str) -> Any:
    if wanted is float and type(value) in (int, float):
        return float(value)
    if type(value) is not wanted or (wanted is int and not 0 <= value <= LARGEST_COUNT):
        raise _wrong(entry, place, _KINDS[wanted], value)
    return value


def _wrong(entry: str, place: str, wanted: str, found: Any) -> SchemaError:
    shown = "null" if found is None else repr(found)[:40]
    where = place or "the document"
    return SchemaError(f"{entry}: {where} must be {wanted}, found {shown}", entry=entry)

"""Rows as columns: a table of a million layers costs a few arrays, and a row is a record when someone looks at it.

In: a frozen record class and either its rows or arrays. Out: a read-only `Table`, a sequence of such records. Always
holds: a column has one value (or one list) per row; a column that is absent is "not recorded" for every row, and reads
as its field's default. Within a column -1 (integers, flags, texts) and NaN (numbers) mean "not recorded".

Fields may be annotated ``int``, ``float``, ``bool``, ``str``, each also with ``| None``; ``tuple[int, ...]``,
``tuple[str, ...]`` and ``tuple[Row, ...]`` for another record class.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints, overload

import numpy as np
import numpy.typing as npt

Row = TypeVar("Row")
Array = npt.NDArray[Any]


class Kind(StrEnum):
    """What a column holds; lists end in s."""

    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    TEXT = "text"
    INTEGERS = "integers"
    TEXTS = "texts"
    ROWS = "rows"


_SCALARS: dict[Any, Kind] = {int: Kind.INTEGER, float: Kind.NUMBER, bool: Kind.FLAG, str: Kind.TEXT}
_LISTS: dict[Any, Kind] = {int: Kind.INTEGERS, str: Kind.TEXTS}


@dataclass(frozen=True, slots=True)
class FieldKind:
    """A field of a row: its name, what its column holds, the record class of nested rows, whether None may stand."""

    name: str
    kind: Kind
    row: type | None
    is_optional: bool


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Values of one field. Texts are codes into ``texts``; row i of a list is ``starts[i]`` to ``starts[i + 1]``."""

    kind: Kind
    values: Array
    starts: Array | None = None
    texts: tuple[str, ...] = ()
    rows: Table[Any] | None = None

    def value(self, index: int) -> Any:
        """The field's value in that row."""
        if self.starts is None:
            return self._scalar(self.values[index])
        first, end = int(self.starts[index]), int(self.starts[index + 1])
        if self.rows is not None:
            return tuple(self.rows[first:end])
        return tuple(self._scalar(value) for value in self.values[first:end])

    def _scalar(self, value: Any) -> Any:
        match self.kind:
            case Kind.NUMBER:
                return None if np.isnan(value) else float(value)
            case Kind.TEXT | Kind.TEXTS:
                return None if value < 0 else self.texts[value]
            case Kind.FLAG:
                return None if value < 0 else bool(value)
            case _:
                return None if value < 0 and self.kind is Kind.INTEGER else int(value)


class Table(Sequence[Row], Generic[Row]):
    """Records of one class as columns; see the module's text."""

    __slots__ = ("_length", "columns", "row")

    def __init__(self, row: type[Row], count: int, columns: Mapping[str, Column]) -> None:
        self.row = row
        self._length = count
        self.columns = types.MappingProxyType(dict(columns))

    @staticmethod
    def of(row: type[Row], rows: Iterable[Row]) -> Table[Row]:
        """The table of these records; a field that no row has recorded gets no column."""
        listed = list(rows)
        columns: dict[str, Column] = {}
        for field in field_kinds(row):
            values = [getattr(item, field.name) for item in listed]
            if any(value is not None and value != () for value in values):
                columns[field.name] = _column(field, values)
        return Table(row, len(listed), columns)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(self._length)))
        place = index + self._length if index < 0 else index
        if not 0 <= place < self._length:
            raise IndexError(index)
        return self.row(**{name: column.value(place) for name, column in self.columns.items()})

    def __iter__(self) -> Iterator[Row]:
        return (self[index] for index in range(self._length))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return self.row is other.row and list(self) == list(other)

    def __hash__(self) -> int:
        return hash((self.row, self._length))

    def __repr__(self) -> str:
        return f"<{self._length} {self.row.__name__} rows>"


@cache
def field_kinds(row: type) -> tuple[FieldKind, ...]:
    """Every field of a row class and what its column holds."""
    hints = get_type_hints(row)
    return tuple(_field_kind(field.name, hints[field.name]) for field in fields(row))


def integers(values: npt.ArrayLike) -> Column:
    """A column of whole numbers; -1 is "not recorded"."""
    return Column(Kind.INTEGER, np.asarray(values, dtype=np.int64))


def numbers(values: npt.ArrayLike) -> Column:
    """A column of numbers; NaN is "not recorded"."""
    return Column(Kind.NUMBER, np.asarray(values, dtype=np.float64))


def coded_texts(codes: npt.ArrayLike, texts: Sequence[str]) -> Column:
    """A column of texts by their codes; -1 is "not recorded"."""
    return Column(Kind.TEXT, np.asarray(codes, dtype=np.int64), texts=tuple(texts))


def _field_kind(name: str, hint: Any) -> FieldKind:
    is_optional = get_origin(hint) in (Union, types.UnionType)
    if is_optional:
        (hint,) = (argument for argument in get_args(hint) if argument is not type(None))
    if get_origin(hint) is not tuple:
        return FieldKind(name, _SCALARS[hint], None, is_optional)
    item = get_args(hint)[0]
    if is_dataclass(item):
        return FieldKind(name, Kind.ROWS, cast("type", item), is_optional)
    return FieldKind(name, _LISTS[item], None, is_optional)


def _column(field: FieldKind, values: Sequence[Any]) -> Column:
    match field.kind:
        case Kind.INTEGER | Kind.FLAG:
            return Column(field.kind, np.array([-1 if value is None else int(value) for value in values], np.int64))
        case Kind.NUMBER:
            return numbers([np.nan if value is None else value for value in values])
        case Kind.TEXT:
            codes, texts = _coded(values)
            return Column(Kind.TEXT, codes, texts=texts)
        case _:
            return _list_column(field, values)


def _list_column(field: FieldKind, values: Sequence[Sequence[Any]]) -> Column:
    starts = np.cumsum([0, *map(len, values)], dtype=np.int64)
    items = [item for value in values for item in value]
    if field.row is not None:
        return Column(Kind.ROWS, np.zeros(0, np.int64), starts, rows=Table.of(field.row, items))
    if field.kind is Kind.TEXTS:
        codes, texts = _coded(items)
        return Column(Kind.TEXTS, codes, starts, texts)
    return Column(Kind.INTEGERS, np.array(items, np.int64), starts)


def _coded(values: Sequence[str | None]) -> tuple[Array, tuple[str, ...]]:
    codes: dict[str, int] = {}
    found = [-1 if value is None else codes.setdefault(value, len(codes)) for value in values]
    return np.array(found, np.int64), tuple(codes)

"""Long texts and long lists of a record in a shorter form, whatever the record is.

In: a record, how many letters a text and how many items a list may have. Out: the same record where nothing was too
long, else one with shorter texts (both ends stay) and shorter lists (the first items stay; a list of texts says how
many more there are). Always holds: palettes and wordings, which are ours, stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from sima_compiler.view import units
from sima_compiler.view.records import Palette
from sima_compiler.view.tables import Column, Kind, Table

T = TypeVar("T")

#: Sentences quote names, and their own words are no longer than this many of them.
SENTENCE = 4
#: Lists of sentences are not repeated in every row.
OUTSIDE = 6
_GAP = "…"


@dataclass(frozen=True, slots=True)
class Lengths:
    """The most letters of a name, and the most items of a list in a row of a table.

    A text with blanks is a sentence: `SENTENCE` times as long. Lists outside tables may have `OUTSIDE` times the items.
    """

    letters: int
    items: int

    def of(self, text: str) -> int:
        """The most letters of ``text``."""
        return self.letters * SENTENCE if " " in text else self.letters


def shortened(value: T, lengths: Lengths) -> T:
    """``value`` with everything in it as short as ``lengths`` says."""
    return _short(value, lengths)


def short_text(text: str, letters: int) -> str:
    """The text, or its two ends with a mark between them: names of layers differ in their last letters."""
    if len(text) <= letters:
        return text
    end = (letters - len(_GAP)) // 2
    return f"{text[: letters - len(_GAP) - end]}{_GAP}{text[len(text) - end :]}"


def _short(value: Any, lengths: Lengths) -> Any:
    match value:
        case str():
            return short_text(value, lengths.of(value))
        case tuple():
            return _short_list(value, lengths)
        case Table():
            return _short_table(value, lengths)
        case Palette() | Mapping():
            return value
        case _ if is_dataclass(value) and not isinstance(value, type):
            found = {item.name: getattr(value, item.name) for item in fields(value)}
            changed = {name: short for name, old in found.items() if (short := _short(old, lengths)) is not old}
            return replace(value, **changed) if changed else value
        case _:
            return value


def _short_list(values: tuple[Any, ...], lengths: Lengths) -> tuple[Any, ...]:
    if not values or isinstance(values[0], int | float):
        return values
    kept = tuple(_short(value, lengths) for value in values[: lengths.items * OUTSIDE])
    more = len(values) - len(kept)
    if more and isinstance(values[0], str):
        return (*kept, _more(more))
    return values if not more and all(map(_is, kept, values)) else kept


def _more(count: int) -> str:
    return f"and {units.count(count)} more"


def _is(one: object, other: object) -> bool:
    return one is other


def _short_table(table: Table[Any], lengths: Lengths) -> Table[Any]:
    columns = {name: _short_column(column, lengths) for name, column in table.columns.items()}
    is_same = all(column is table.columns[name] for name, column in columns.items())
    return table if is_same else Table(table.row, len(table), columns)


def _short_column(column: Column, lengths: Lengths) -> Column:
    """Column by column: a table of thousands of rows has few texts."""
    texts = tuple(short_text(text, lengths.of(text)) for text in column.texts)
    rows = None if column.rows is None else _short_table(column.rows, lengths)
    found = column if texts == column.texts and rows is column.rows else replace(column, texts=texts, rows=rows)
    if found.starts is None or (np.diff(found.starts) <= lengths.items).all():
        return found
    return _cut_rows(found, lengths.items) if found.rows is not None else _cut_texts(found, lengths.items)


def _cut_rows(column: Column, most: int) -> Column:
    assert column.starts is not None
    assert column.rows is not None
    counts = np.diff(column.starts)
    places = np.arange(len(column.rows)) - np.repeat(column.starts[:-1], counts)
    kept = [column.rows[index] for index in np.flatnonzero(places < most).tolist()]
    starts = np.cumsum([0, *np.minimum(counts, most)])
    return replace(column, starts=starts, rows=Table.of(column.rows.row, kept))


def _cut_texts(column: Column, most: int) -> Column:
    """The first texts of each list, and one that counts the others; numbers stay."""
    assert column.starts is not None
    if column.kind is not Kind.TEXTS:
        return column
    codes = {text: code for code, text in reversed(list(enumerate(column.texts)))}
    texts, values, starts = list(column.texts), list[int](), [0]
    for first, end in pairwise(column.starts.tolist()):
        values += column.values[first : min(end, first + most)].tolist()
        if end - first > most:
            said = _more(end - first - most)
            if said not in codes:
                codes[said] = len(texts)
                texts.append(said)
            values.append(codes[said])
        starts.append(len(values))
    return replace(column, values=np.array(values, np.int64), starts=np.array(starts, np.int64), texts=tuple(texts))

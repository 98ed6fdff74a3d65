"""Allocation problems as CSV, in the public form of the MiniMalloc project.

In: a file with the columns ``id``, ``lower``, ``upper`` (exclusive) and ``size`` in any order. Out: a `Table`, and the
same file with the column ``offset``. Always holds: rows and columns keep their order, columns that are not known here
are kept as they are; an ``alignment`` column counts where it is there, an ``offset`` column that is already there is
filled anew.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sima_compiler.errors import OptionError
from sima_compiler.files.whole import write_whole
from sima_compiler.stages.allocation.problem import Buffer

REQUIRED = ("id", "lower", "upper", "size")
#: Larger numbers are taken for damage: they would not be addresses anywhere.
LARGEST = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class Table:
    """The columns' names, the fields of each row as text, and the buffers that the rows stand for."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    buffers: tuple[Buffer, ...]


def read_table(path: Path) -> Table:
    """The problem in ``path``.

    Raises:
        OptionError: not readable, a column is missing, or a row is wrong: with the number of its line.
    """
    try:
        reader = csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline=""), strict=True)
        lines = [(reader.line_num, [field.strip() for field in row]) for row in reader]
    except OSError as error:
        raise OptionError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"{path}: not a CSV file in UTF-8: {error}") from error
    lines = [(number, row) for number, row in lines if any(row)]
    columns = _columns(path, lines[0] if lines else (1, []))
    rows = tuple(tuple(row) for _, row in lines[1:])
    return Table(columns, rows, _buffers(path, columns, lines[1:]))


def write_table(path: Path, table: Table, offsets: Sequence[int]) -> None:
    """The table with the column ``offset``; the file appears whole or not at all.

    Raises:
        OutputError: with the system's reason.
    """
    known = "offset" in table.columns
    where = table.columns.index("offset") if known else len(table.columns)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for row, field in zip((table.columns, *table.rows), ("offset", *map(str, offsets)), strict=True):
        writer.writerow((*row[:where], field, *row[where + known :]))
    write_whole(path, text.getvalue().encode("utf-8"))


def _columns(path: Path, header: tuple[int, list[str]]) -> tuple[str, ...]:
    number, columns = header
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise OptionError(
            f"{path}, line {number}: no column {', '.join(missing)}",
            hint=f"the first line names the columns: {','.join(REQUIRED)}",
        )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise OptionError(f"{path}, line {number}: column {', '.join(map(repr, twice))} stands there twice")
    return tuple(columns)


def _buffers(path: Path, columns: tuple[str, ...], lines: Sequence[tuple[int, list[str]]]) -> tuple[Buffer, ...]:
    buffers: list[Buffer] = []
    seen: dict[str, int] = {}
    for number, row in lines:
        where = f"{path}, line {number}"
        if len(row) != len(columns):
            raise OptionError(f"{where}: {len(row)} fields, the first line names {len(columns)}")
        fields = dict(zip(columns, row, strict=True))
        name = fields["id"]
        if not name:
            raise OptionError(f"{where}: the id is empty")
        if name in seen:
            raise OptionError(f"{where}: id {name} already stands in line {seen[name]}")
        seen[name] = number
        lower, upper, size = (_number(where, column, fields[column]) for column in REQUIRED[1:])
        alignment = _number(where, "alignment", fields.get("alignment") or "1")
        try:
            buffers.append(Buffer(name, lower, upper, size, alignment))
        except OptionError as error:
            raise OptionError(f"{where}: {error.message}") from error
    return tuple(buffers)


def _number(where: str, column: str, text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > len(str(LARGEST)) or int(digits) > LARGEST:
        raise OptionError(f"{where}: {column} is {text[:40]!r}, expected a whole number below 2**62")
    return int(text)

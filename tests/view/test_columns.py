"""What the browser reads out of the columns equals the View's records."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sima_compiler.archive.typed_json import encode
from sima_compiler.view.columns import _list_layout, to_binary, to_json  # pyright: ignore[reportPrivateUsage]
from sima_compiler.view.reading import view_of_path
from sima_compiler.view.records import Finding, View
from sima_compiler.view.schema import committed_schema, schema_text
from sima_compiler.view.tables import Table, integers
from tests.view.column_reader import rows_of

SAMPLES = sorted((Path(__file__).parents[1] / "archive" / "samples").glob("*_mpk.tar.gz"))


@dataclass(frozen=True, slots=True)
class Part:
    """A nested row."""

    name: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One field of every kind."""

    count: int
    share: float | None = None
    flag: bool | None = None
    text: str | None = None
    counts: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


VIEW = view_of_path(SAMPLES[0])
LARGEST = (1 << 53) - 1
COUNTS = st.integers(0, LARGEST)
TEXTS = st.text(max_size=6)
ROWS = st.lists(
    st.builds(
        Row,
        count=COUNTS,
        share=st.none() | st.floats(allow_nan=False),
        flag=st.none() | st.booleans(),
        text=st.none() | TEXTS,
        counts=st.lists(COUNTS, max_size=3).map(tuple),
        texts=st.lists(TEXTS, max_size=3).map(tuple),
        parts=st.lists(st.builds(Part, TEXTS, st.none() | COUNTS), max_size=2).map(tuple),
    ),
    max_size=5,
)


def plain(table: Table[Any]) -> list[dict[str, Any]]:
    return [encode(row) for row in table]


def with_defaults(rows: list[dict[str, Any]], row: type) -> list[dict[str, Any]]:
    """Fields without a column read as their defaults."""
    defaults = {field.name: encode(field.default) for field in fields(row)}
    return [{name: found.get(name, defaults[name]) for name in defaults} for found in rows]


def same(rows: list[dict[str, Any]], row: type, expected: list[dict[str, Any]]) -> bool:
    completed = with_defaults(rows, row)
    nested = [{**item, "parts": with_defaults(item["parts"], Part)} if row is Row else item for item in completed]
    return nested == expected


@given(ROWS)
def test_every_kind_of_column_comes_back(rows: list[Row]) -> None:
    table = Table.of(Row, rows)
    assert list(table) == rows
    changed: View = replace(VIEW, layers=table)
    embedded = json.loads(json.dumps(to_json(changed)))
    head, buffer = to_binary(changed)
    for found in (rows_of(embedded, "layers"), rows_of(json.loads(json.dumps(head)), "layers", buffer)):
        assert same(found, Row, plain(table))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_table_of_an_archive_comes_back(path: Path) -> None:
    view = view_of_path(path)
    head = json.loads(json.dumps(to_json(view)))
    Draft202012Validator(json.loads(committed_schema())).validate(head)
    tables = {field.name: getattr(view, field.name) for field in fields(View)}
    tables = {name: value for name, value in tables.items() if isinstance(value, Table)}
    assert set(head["tables"]) == set(tables)
    assert set(head["view"]) == {field.name for field in fields(View)} - set(tables)
    for name, table in tables.items():
        found = rows_of(head, name)
        assert len(found) == len(table)
        for row, record in zip(found, table, strict=True):
            for key, value in row.items():
                assert _matches(value, encode(getattr(record, key))), (name, key)


def _matches(found: Any, expected: Any) -> bool:
    """Equal, nested rows without the fields that no row has recorded."""
    if isinstance(expected, list) and expected and isinstance(expected[0], dict):
        return len(found) == len(expected) and all(
            row.items() <= full.items() for row, full in zip(found, expected, strict=True)
        )
    return found == expected


def test_texts_stand_once() -> None:
    strings = to_json(view_of_path(SAMPLES[0]))["strings"]
    assert len(strings) == len(set(strings))


def test_the_head_holds_findings_as_they_are() -> None:
    finding = Finding("lanes", "3 of 16 lanes", "12 cycles", "use 16 channels", cycles=12, layers=(1,))
    head = to_json(replace(view_of_path(SAMPLES[0]), findings=(finding,)))
    assert head["view"]["findings"] == [encode(finding)]


def test_the_committed_schema_is_that_of_the_records() -> None:
    """To renew it: python -m sima_compiler.view --schema > compiler/sima_compiler/view/schema.json"""
    assert committed_schema() == schema_text()
    Draft202012Validator.check_schema(json.loads(committed_schema()))


def test_a_row_beyond_the_end_is_an_index_error() -> None:
    table: Table[Part] = Table.of(Part, [Part("a", 1)])
    assert table[-1] == Part("a", 1)
    with pytest.raises(IndexError):
        table[1]


def test_a_table_is_read_only() -> None:
    table: Any = Table(Part, 1, {"size": integers(np.array([3]))})
    with pytest.raises(TypeError):
        table.columns["size"] = integers([4])


def test_lists_of_one_length_are_written_without_their_starts() -> None:
    """A million intervals have two numbers each: their starts would be as long as a third of them."""

    def place(values: np.ndarray) -> dict[str, object]:
        return {"at": values.tolist()}

    assert _list_layout(np.array([0, 2, 4, 6]), place) == {"width": 2}
    starts = _list_layout(np.array([0, 2, 3]), place)["starts"]
    assert isinstance(starts, dict)
    assert starts["at"] == [0, 2, 3]
    assert "starts" in _list_layout(np.array([0]), place)

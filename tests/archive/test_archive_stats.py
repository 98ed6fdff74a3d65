"""The stats file: the published form to the byte, every other YAML spelling of it, and what is refused."""

from __future__ import annotations

import json
import random
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sima_compiler.archive import stats as stats_module
from sima_compiler.archive.stats import LayerStats, MlaStats
from sima_compiler.errors import InvalidArchiveError, SchemaError

PUBLISHED = """\
4:
  name: MLA_0/conv2d_add_relu_3
  start_cycle: 63615
  end_cycle: 71558
5:
  name: MLA_0/conv2d_add_relu_4
  start_cycle: 71559
  end_cycle: 79502
"""

Row = tuple[int, str, int, int]


def stats_of(rows: list[Row]) -> MlaStats:
    return MlaStats.from_columns(*zip(*rows, strict=True)) if rows else MlaStats.from_columns([], [], [], [])


def rows_of(stats: MlaStats) -> list[Row]:
    return [(layer.id, layer.name, layer.start_cycle, layer.end_cycle) for layer in stats.layers]


def oracle(text: str | bytes) -> list[Row]:
    """PyYAML's reading of the same text, as what the numbers mean."""
    loaded = yaml.safe_load(text)
    items = list(enumerate(loaded, 1)) if isinstance(loaded, list) else list(loaded.items())
    rows: list[Row] = []
    for key, layer in items:
        start = whole(layer.get("start_cycle"), rows[-1][3] + 1 if rows else 0)
        rows.append((whole(key, 0), layer["name"], start, whole(layer.get("end_cycle"), start - 1)))
    return sorted(rows)


def whole(value: Any, absent: int) -> int:
    """A number as PyYAML gives it: an integer, a float without a fraction, a text of either, or nothing."""
    return absent if value is None else int(Decimal(str(value)))


names = st.one_of(
    st.from_regex(r"MLA_[0-9]/[a-z][a-z0-9_]{0,20}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["yes", "null", "1.5", "0x1F", "2024-01-01", "~", "a: b", "- x", "#no", "", " x ", "'", '"', "\\"]),
)


@st.composite
def row_lists(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    last = cycle = 0
    for name in draw(st.lists(names, max_size=8)):
        last += draw(st.integers(1, 1000))
        cycle += draw(st.integers(0, 10**10))
        rows.append((last, name, cycle, cycle + draw(st.integers(-1, 10**6))))
    return rows


def test_the_published_excerpt_reads_and_writes_to_the_byte() -> None:
    stats = MlaStats.parse(PUBLISHED)
    assert rows_of(stats) == oracle(PUBLISHED)
    assert stats.layers[0] == LayerStats(4, "MLA_0/conv2d_add_relu_3", 63615, 71558)
    assert stats.layers[0].cycles == 7944
    assert stats.layers[-1].id == 5
    assert [layer.id for layer in stats.layers[0:9]] == [4, 5]
    assert len(stats.layers) == 2
    assert stats.total_cycles == 15888
    assert stats.to_yaml() == PUBLISHED


@given(row_lists())
def test_whatever_is_written_reads_back_here_and_in_pyyaml(rows: list[Row]) -> None:
    text = stats_of(rows).to_yaml()
    assert rows_of(MlaStats.parse(text)) == rows
    assert rows_of(MlaStats.parse(text.encode())) == rows
    assert oracle(text) == rows


def spelled_number(digits: str, source: random.Random) -> str:
    return source.choice([digits, f"'{digits}'", f'"{digits}"', f"{digits}.0", f"'{digits}.0'", f"+{digits}"])


def spelled(rows: list[Row], source: random.Random) -> str:
    """The same layers in another YAML spelling: comments, quotes, flow style, other key order, extra keys, indents."""
    parts: list[str] = []
    for layer_id, name, start, end in rows:
        quoted = source.choice([json.dumps(name), "'" + name.replace("'", "''") + "'"])
        pairs = [("name", quoted), ("start_cycle", str(start)), ("end_cycle", str(end))]
        pairs += [("notes", "[1, {a: b}]"), ("unit", "cycles")][: source.randrange(3)]
        pairs = [(key, spelled_number(value, source) if value.isdigit() else value) for key, value in pairs]
        source.shuffle(pairs)
        if source.random() < 0.4:
            parts.append(f"{layer_id}: {{{', '.join(f'{key}: {value}' for key, value in pairs)}}}")
        else:
            indent = " " * source.choice([1, 2, 4, 7])
            lines = [f"{layer_id}:  # a layer", *(f"{indent}{key}:  {value}  # note" for key, value in pairs)]
            parts += [*lines, *[""] * source.randrange(2)]
    return ("---\n" if source.random() < 0.5 else "# head\n") + "\n".join(parts) + "\n"


@pytest.mark.parametrize("seed", range(40))
def test_every_spelling_gives_the_same_layers_as_the_published_form(seed: int) -> None:
    source = random.Random(seed)
    rows: list[Row] = []
    cycle = 0
    for layer_id in sorted(source.sample(range(1, 10_000), source.randrange(1, 30))):
        length = source.randrange(1, 10**6)
        rows.append(
            (layer_id, f"MLA_0/{source.choice(['conv2d', 'dense', 'pool'])}_{layer_id - 1}", cycle, cycle + length)
        )
        cycle += length + 1
    published = stats_of(rows).to_yaml()
    text = spelled(rows, source)
    assert stats_module.parse_known_form(published.encode()) is not None
    assert stats_module.parse_known_form(text.encode()) is None
    assert MlaStats.parse(text) == MlaStats.parse(published)
    assert oracle(text) == oracle(published) == rows


@pytest.mark.parametrize("seed", range(60))
def test_one_changed_byte_never_makes_the_fast_reading_differ_from_the_event_reading(seed: int) -> None:
    source = random.Random(seed)
    data = bytearray(PUBLISHED.encode())
    for _ in range(source.choice([1, 1, 2])):
        data[source.randrange(len(data))] = source.choice(b"0123456789 \n:abc/_-'\"#{}[]&*!\t.,")
    fast = stats_module.parse_known_form(bytes(data))
    if fast is not None:
        assert rows_of(fast) == oracle(bytes(data))
    try:
        slow = rows_of(stats_module.parse_any_form(bytes(data), "x"))
    except SchemaError:
        assert fast is None
    else:
        assert slow == oracle(bytes(data))
        assert fast is None or rows_of(fast) == slow


def test_line_ends_of_another_system_change_nothing() -> None:
    data = PUBLISHED.replace("\n", "\r\n").encode()
    assert MlaStats.parse(data) == MlaStats.parse(PUBLISHED) == stats_module.parse_any_form(data, "x")


def test_layers_come_sorted_by_id_from_any_order() -> None:
    first, second = PUBLISHED[: len(PUBLISHED) // 2], PUBLISHED[len(PUBLISHED) // 2 :]
    assert MlaStats.parse(second + first) == MlaStats.parse(PUBLISHED)
    assert MlaStats.parse("# c\n" + second + first) == MlaStats.parse(PUBLISHED)
    assert MlaStats.parse(second + first).to_yaml() == PUBLISHED


def test_hundred_thousand_layers_in_under_a_second() -> None:
    count = 100_000
    starts = np.arange(count) * 7
    stats = MlaStats.from_columns(
        np.arange(1, count + 1), [f"MLA_0/conv2d_add_relu_{i}" for i in range(count)], starts, starts + 6
    )
    begin = time.process_time()
    text = stats.to_yaml()
    written = time.process_time()
    again = MlaStats.parse(text)
    read = time.process_time()
    assert again == stats
    assert written - begin < 1.0
    assert read - written < 1.0


def test_columns_cannot_be_changed() -> None:
    stats = MlaStats.parse(PUBLISHED)
    for column in (stats.ids, stats.start_cycles, stats.end_cycles):
        assert column.dtype == np.int64
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


def test_segments_follow_each_other_on_one_time_axis() -> None:
    first = stats_of([(1, "MLA_0/a_0", 0, 9), (2, "MLA_0/b_1", 10, 14)])
    second = stats_of([(4, "MLA_2/c_3", 0, 2)])
    both = MlaStats.concat([first, MlaStats.concat([]), second])
    assert rows_of(both) == [(1, "MLA_0/a_0", 0, 9), (2, "MLA_0/b_1", 10, 14), (4, "MLA_2/c_3", 15, 17)]
    assert both.total_cycles == first.total_cycles + second.total_cycles
    twice = MlaStats.concat([first, first])
    assert [(layer.id, layer.start_cycle) for layer in twice.layers] == [(1, 0), (2, 10), (3, 15), (4, 25)]


def test_no_layers() -> None:
    empty = MlaStats.parse("{}\n")
    assert (len(empty.layers), empty.total_cycles, empty.to_yaml()) == (0, 0, "{}\n")


def layer_text(**changes: str) -> str:
    values = {"name": "MLA_0/a_0", "start_cycle": "5", "end_cycle": "9"} | changes
    return "1:\n" + "".join(f"  {key}: {value}\n" for key, value in values.items())


REFUSED = {
    "twice": (PUBLISHED + PUBLISHED, 9, "used twice"),
    "twice in flow style": (
        "{1: {name: a, start_cycle: 0, end_cycle: 1},\n 1: {name: a, start_cycle: 0, end_cycle: 1}}",
        2,
        "twice",
    ),
    "end before start": (PUBLISHED + layer_text(end_cycle="3"), 9, "before"),
    "end far below zero": (layer_text(start_cycle="0", end_cycle="-2"), 4, "0.."),
    "negative start": (layer_text(start_cycle="-5"), 3, "0.."),
    "negative id": (layer_text().replace("1:", "-1:", 1), 1, "0.."),
    "huge": (layer_text(end_cycle="9" * 16), 4, "0.."),
    "very huge": (layer_text(end_cycle="9" * 5000), 4, "0.."),
    "missing name": ("1:\n  start_cycle: 1\n  end_cycle: 2\n", 1, "missing name"),
    "missing start": ("1:\n  name: a\n  end_cycle: 1\n", 1, "missing start_cycle"),
    "empty start": ("1:\n  name: a\n  start_cycle:\n  end_cycle: 1\n", 1, "missing start_cycle"),
    "key twice": (layer_text() + "  name: b\n", 5, "'name' appears twice"),
    "octal": (layer_text(start_cycle="010"), 3, "whole number"),
    "sexagesimal": (layer_text(start_cycle="1:30"), 3, "whole number"),
    "fraction": (layer_text(start_cycle="1.5"), 3, "whole number"),
    "quoted fraction": (layer_text(start_cycle="'1.5'"), 3, "whole number"),
    "exponent": (layer_text(start_cycle="1.0e+3"), 3, "whole number"),
    "not a number": (layer_text(start_cycle=".nan"), 3, "whole number"),
    "quoted octal": (layer_text(start_cycle="'010'"), 3, "whole number"),
    "number in words": (layer_text(start_cycle="'5 cycles'"), 3, "whole number"),
    "text id": (layer_text().replace("1:", "one:", 1), 1, "whole number"),
    "name that is a number": (layer_text(name="12"), 2, "must be a text"),
    "name that is null": (layer_text(name=""), 2, "must be a text"),
    "name that is a list": (layer_text(name="[a]"), 2, "must be a text"),
    "merge key": (layer_text() + "  <<: {a: 1}\n", 5, "keys must be plain"),
    "alias": ("1: &x {name: a, start_cycle: 0, end_cycle: 1}\n2: *x\n", 1, "aliases"),
    "tag": (layer_text(name="!!python/object:os.system x"), 2, "tags"),
    "two documents": (PUBLISHED + "---\n" + PUBLISHED, 9, "second document"),
    "a text": ("layers\n", 1, "expected a mapping"),
    "list of numbers": ("- 1\n", 1, "expected a mapping"),
    "list in a list": ("- [{name: a, start_cycle: 0, end_cycle: 1}]\n", 1, "expected a mapping"),
    "list with a nameless layer": ("- name: a\n- start_cycle: 0\n", 2, "missing name"),
    "layer that is a list": ("1: [1]\n", 1, "expected a mapping"),
    "open bracket": ("1: {name: a\n", 2, "not YAML"),
    "tab": ("1:\n\tname: a\n", 2, "not YAML"),
    "deep": (layer_text(extra="[" * 80 + "]" * 80), 5, "deeper than 64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_breaks_the_grammar_is_refused_with_its_line(case: str) -> None:
    text, line, words = REFUSED[case]
    with pytest.raises(SchemaError) as caught:
        MlaStats.parse(text, entry="net_mla_stats.yaml")
    assert caught.value.message.startswith(f"net_mla_stats.yaml, line {line}: ")
    assert words in caught.value.message
    assert caught.value.entry == "net_mla_stats.yaml"


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor() -> None:
    lines = ["1: {name: a, start_cycle: 0, end_cycle: 1, x: &a0 [lol, lol]}"]
    lines += [f"{i}: {{x: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 10)]
    with pytest.raises(SchemaError, match="line 1: anchors and aliases"):
        MlaStats.parse("\n".join(lines))


@pytest.mark.parametrize("data", [b"", b"# only a comment\n", b"\xff\xfe1\x00", b"1:\n  name: \xff\n", b"1: \x00"])
def test_bytes_that_are_no_document(data: bytes) -> None:
    with pytest.raises(SchemaError):
        MlaStats.parse(data)


def test_columns_that_break_a_rule() -> None:
    for columns, words in (
        (([1, 1], ["a", "b"], [0, 1], [0, 1]), "used twice"),
        (([1], ["a"], [5], [3]), "before"),
        (([-1], ["a"], [0], [0]), "never negative"),
        (([1, 2], ["a"], [0], [0]), "length"),
    ):
        with pytest.raises(SchemaError, match=words):
            MlaStats.from_columns(*columns)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "x_mla_stats.yaml"
    path.write_text(PUBLISHED)
    assert MlaStats.read(path).to_yaml() == PUBLISHED
    with pytest.raises(InvalidArchiveError, match="No such file"):
        MlaStats.read(tmp_path / "missing.yaml")
    path.write_text("1: 2\n")
    with pytest.raises(SchemaError, match=r"x_mla_stats\.yaml, line 1"):
        MlaStats.read(path)


def test_reading_an_odd_spelling_can_be_stopped_on_the_way() -> None:
    """Event by event a large file takes seconds; a value nobody asked for counts as well as layers do."""

    class LeftError(Exception):
        pass

    looks = 0

    def watch() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise LeftError

    layers = "".join(f"{number}: {{name: a, start_cycle: 0, end_cycle: 1}}\n" for number in range(9000))
    for text in (layers, f"1: {{name: a, start_cycle: 0, end_cycle: 1, other: [{'x, ' * 60000}]}}\n"):
        looks = 0
        with pytest.raises(LeftError):
            stats_module.parse_any_form(text, "x", watch)

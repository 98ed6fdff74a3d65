"""One total for any statistics, counted cycle by cycle by another program, and the sentence that says how."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sima_compiler.archive.coverage import coverage_of
from sima_compiler.archive.stats import MlaStats, parse_any_form, parse_known_form
from sima_compiler.errors import SchemaError

Row = tuple[int, int]


def stats_of(rows: list[Row]) -> MlaStats:
    names = [f"MLA_0/layer_{index}" for index in range(len(rows))]
    starts, ends = zip(*rows, strict=True) if rows else ((), ())
    return MlaStats.from_columns(range(1, len(rows) + 1), names, starts, ends)


SCHEDULES: dict[str, tuple[list[Row], int, str]] = {
    "end to end": ([(0, 9), (10, 19)], 20, ""),
    "nothing": ([], 0, ""),
    "one cycle": ([(0, 0)], 1, ""),
    "unsorted": ([(10, 19), (0, 9)], 20, ""),
    "same twice": ([(0, 9), (0, 9)], 10, "10 cycles in which layers overlap count once"),
    "overlap": ([(0, 9), (5, 14)], 15, "5 cycles in which layers overlap count once"),
    "inside": ([(0, 99), (10, 19), (30, 39)], 100, "20 cycles in which layers overlap"),
    "late start": ([(100, 109)], 10, "100 cycles before the first layer do not count"),
    "gap": ([(0, 9), (20, 29)], 20, "10 cycles between layers do not count"),
    "gap behind an overlap": ([(0, 9), (0, 4), (20, 29)], 20, "10 cycles between layers"),
    "no length": ([(0, 9), (10, 9), (10, 19)], 20, "1 layer has no length and counts 0"),
    "none has length": ([(0, -1), (0, -1)], 0, "2 layers have no length and count 0"),
    "all of it": ([(5, 9), (5, 4), (7, 12), (20, 20)], 9, "overlap"),
}


@pytest.mark.parametrize("case", SCHEDULES)
def test_the_total_is_what_is_covered_and_the_sentence_says_why(case: str) -> None:
    rows, total, words = SCHEDULES[case]
    stats = stats_of(rows)
    assert stats.total_cycles == total
    assert (words in stats.counting) if words else stats.counting == ""


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(-1, 20)), max_size=12))
def test_counting_cycle_by_cycle_gives_the_same(shapes: list[tuple[int, int]]) -> None:
    rows = [(start, start + length) for start, length in shapes]
    running = [0] * 100
    for start, end in rows:
        for cycle in range(start, end + 1):
            running[cycle] += 1
    first = next((cycle for cycle, layers in enumerate(running) if layers), 0)
    last = max((cycle for cycle, layers in enumerate(running) if layers), default=-1)
    found = stats_of(rows).coverage
    assert found.covered == sum(layers > 0 for layers in running)
    assert found.overlapping == sum(layers - 1 for layers in running if layers > 1)
    assert found.gaps == sum(running[cycle] == 0 for cycle in range(first, last + 1))
    assert (found.before, found.end) == (first, last + 1)
    assert found.without_length == sum(end < start for start, end in rows)
    assert bool(found.sentence) == bool(found.overlapping or found.gaps or found.before or found.without_length)


@given(st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(-1, 9)), max_size=5), max_size=4))
def test_segments_one_after_another_take_the_sum_of_their_totals(segments: list[list[Row]]) -> None:
    every = [stats_of([(start, start + length) for start, length in rows]) for rows in segments]
    assert MlaStats.concat(every).total_cycles == sum(stats.total_cycles for stats in every)


FORMS = {
    "published": "1:\n  name: MLA_0/a_0\n  start_cycle: 0\n  end_cycle: 9\n2:\n  name: MLA_0/b_1\n  start_cycle: 10\n"
    "  end_cycle: 19\n",
    "sorted keys": "1:\n  end_cycle: 9\n  name: MLA_0/a_0\n  start_cycle: 0\n2:\n  end_cycle: 19\n  name: MLA_0/b_1\n"
    "  start_cycle: 10\n",
    "quoted numbers": "'1':\n  name: MLA_0/a_0\n  start_cycle: '0'\n  end_cycle: \"9\"\n"
    "2:\n  name: 'MLA_0/b_1'\n  start_cycle: 10\n  end_cycle: '19'\n",
    "floats": "1:\n  name: MLA_0/a_0\n  start_cycle: 0.0\n  end_cycle: 9.0\n"
    "2:\n  name: \"MLA_0/b_1\"\n  start_cycle: '10.0'\n  end_cycle: 19\n",
    "list": "- name: MLA_0/a_0\n  start_cycle: 0\n  end_cycle: 9\n"
    "- name: MLA_0/b_1\n  start_cycle: 10\n  end_cycle: 19\n",
    "sorted list": "- end_cycle: 9\n  name: MLA_0/a_0\n  start_cycle: 0\n"
    "- end_cycle: '19.0'\n  name: MLA_0/b_1\n  start_cycle: 10\n",
}
OTHER_FORMS = {
    "flow list": "[{name: MLA_0/a_0, start_cycle: 0, end_cycle: 9},\n"
    " {end_cycle: 19., start_cycle: 10, name: MLA_0/b_1}]",
    "JSON": '{"1": {"name": "MLA_0/a_0", "start_cycle": 0, "end_cycle": 9},\n'
    ' "2": {"name": "MLA_0/b_1", "start_cycle": "10", "end_cycle": 19.00}}',
    "floats as ids": "1.0: {name: MLA_0/a_0, start_cycle: 0, end_cycle: 9}\n2.0: {name: MLA_0/b_1, start_cycle: 10, "
    "end_cycle: 19}",
    "indented list": "  - start_cycle: 0\n    name: MLA_0/a_0\n    extra: [1]\n    end_cycle: 9\n"
    "  - name: MLA_0/b_1\n    start_cycle: 10\n    end_cycle: 19\n",
}


@pytest.mark.parametrize("form", [*FORMS, *OTHER_FORMS])
def test_every_form_gives_the_same_layers(form: str) -> None:
    text = (FORMS | OTHER_FORMS)[form].encode()
    fast = parse_known_form(text)
    assert (fast is not None) == (form in FORMS)
    slow = parse_any_form(text, "x")
    assert slow == MlaStats.parse(FORMS["published"])
    assert fast is None or fast == slow


@pytest.mark.parametrize(
    "number", ["9.5", "9.", "9.00", "9.0.0", "09", "+9", "9e0", "0x9", "9_0", "'9.5'", "'9\"", "''", "9 "]
)
@pytest.mark.parametrize("form", FORMS)
def test_other_numbers_are_left_to_the_reader_of_events(form: str, number: str) -> None:
    text = FORMS[form].replace('"9"', "9").replace("9.0", "9").replace("end_cycle: 9\n", f"end_cycle: {number}\n")
    assert number in text
    assert parse_known_form(text.encode()) is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(8))
def test_no_changed_byte_of_a_form_is_read_differently_by_the_two_readers(form: str, seed: int) -> None:
    source = random.Random(f"{form}{seed}")
    for _ in range(40):
        data = bytearray(FORMS[form].encode())
        for _ in range(source.choice([1, 1, 2, 3])):
            data[source.randrange(len(data))] = source.choice(b"0123456789 \n:abc/_-'\"#{}[]&*!\t.,+")
        fast = parse_known_form(bytes(data))
        if fast is not None:
            assert fast == parse_any_form(bytes(data), "x")


@pytest.mark.parametrize(
    "text",
    [
        "1: {name: a, start_cycle: 5, end_cycle: 4}",
        "1: {name: a, start_cycle: 5}",
        "1: {name: a, start_cycle: 5, end_cycle: }",
        "1: {name: a, start_cycle: 5, end_cycle: null}",
        "1: {name: a, start_cycle: '5.0', end_cycle: ~}",
    ],
)
def test_spellings_of_a_layer_without_length(text: str) -> None:
    stats = MlaStats.parse(text)
    assert [(layer.start_cycle, layer.end_cycle, layer.cycles) for layer in stats.layers] == [(5, 4, 0)]
    assert (stats.total_cycles, stats.counting.count("no length")) == (0, 1)


def test_a_layer_without_any_cycle_stands_behind_the_one_before_it() -> None:
    stats = MlaStats.parse(
        "- {name: a}\n- {name: b, start_cycle: 0, end_cycle: 6}\n- {name: c}\n- {name: d, start_cycle: }\n"
    )
    assert [(layer.start_cycle, layer.cycles) for layer in stats.layers] == [(0, 0), (0, 7), (7, 0), (7, 0)]
    assert MlaStats.parse(stats.to_yaml()) == stats


@pytest.mark.parametrize(
    ("items", "ids"),
    [
        (["id: 4", "id: 5"], [4, 5]),
        (["id: '7'", "id: 3.0"], [3, 7]),
        (["id: 4", "unit: cycles"], [4, 5]),
        (["unit: cycles", "id: 9"], [1, 9]),
        (["idx: 4", "layer: 5"], [1, 2]),
    ],
)
def test_a_list_may_carry_ids(items: list[str], ids: list[int]) -> None:
    lines = [f"- {item}\n  name: MLA_0/a\n  start_cycle: 0\n  end_cycle: 9\n" for item in items]
    assert MlaStats.parse("".join(lines)).ids.tolist() == ids


@pytest.mark.parametrize("items", [["id: 4", "id: 4"], ["id: x", "id: 5"], ["id: -1", "id: 5"], ["id: 2", "id: [2]"]])
def test_ids_of_a_list_are_held_to_the_same_rules(items: list[str]) -> None:
    lines = [f"- {item}\n  name: MLA_0/a\n  start_cycle: 0\n  end_cycle: 9\n" for item in items]
    with pytest.raises(SchemaError, match=r"line \d+: layer"):
        MlaStats.parse("".join(lines))


@pytest.mark.parametrize("form", FORMS)
def test_a_byte_order_mark_and_foreign_line_ends_change_nothing(form: str) -> None:
    text = FORMS[form].replace("\n", "\r\n")
    assert MlaStats.parse(b"\xef\xbb\xbf" + text.encode()) == MlaStats.parse(FORMS["published"])


def test_a_layer_of_one_cycle_is_no_layer_without_length() -> None:
    stats = MlaStats.parse("1: {name: a, start_cycle: 0.0, end_cycle: 0.0}")
    assert (stats.total_cycles, stats.counting) == (1, "")


@pytest.mark.parametrize("form", ["published", "sorted keys", "list", "floats"])
def test_many_layers_are_quick_in_every_form_that_tools_write(form: str) -> None:
    """A share of a million layers, and the time of a million: the work grows with the layers."""
    count = 100_000
    starts = (np.arange(count) * 7).tolist()
    number = (lambda value: f"{value}.0") if form == "floats" else str
    lines = [(f"  name: MLA_0/conv2d_add_relu_{i}", number(start), number(start + 6)) for i, start in enumerate(starts)]
    if form == "sorted keys":
        text = "".join(f"{i}:\n  end_cycle: {e}\n{n}\n  start_cycle: {s}\n" for i, (n, s, e) in enumerate(lines, 1))
    elif form == "list":
        text = "".join(f"- {n.strip()}\n  start_cycle: {s}\n  end_cycle: {e}\n" for n, s, e in lines)
    else:
        text = "".join(f"{i}:\n{n}\n  start_cycle: {s}\n  end_cycle: {e}\n" for i, (n, s, e) in enumerate(lines, 1))
    begin = time.process_time()
    stats = MlaStats.parse(text)
    assert time.process_time() - begin < 1.0
    assert (len(stats.layers), stats.total_cycles, stats.counting) == (count, 7 * count, "")
    assert stats.layers[-1].id == count
    assert yaml.safe_load(text[: text.index("MLA_0/conv2d_add_relu_2")])


def test_the_coverage_of_a_million_overlapping_layers_is_quick() -> None:
    starts = np.random.default_rng(0).integers(0, 10**9, 1_000_000)
    begin = time.process_time()
    found = coverage_of(starts, starts + 1000)
    assert time.process_time() - begin < 1.0
    assert found.covered + found.overlapping == 1001 * 1_000_000

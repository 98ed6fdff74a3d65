"""Figures: what they draw equals what the statistics and the report say."""

from __future__ import annotations

import pytest

from sima_compiler import Archive, MlaStats
from sima_nb.facts import CandidateFact
from sima_nb.figures import batch_chart, gantt
from sima_nb.palette import BLUE, FAMILY_COLOURS, family


def bars_of(figure) -> dict[str, tuple[int, int, str, str]]:
    return {
        name: (start, length, trace.marker.color, hover)
        for trace in figure.data
        for name, start, length, hover in zip(trace.y, trace.base, trace.x, trace.hovertext, strict=True)
    }


def test_a_bar_per_layer_at_its_place(small_archive: Archive) -> None:
    stats = small_archive.stats
    assert stats is not None
    bars = bars_of(gantt(stats, small_archive.report))
    assert {name: bar[:2] for name, bar in bars.items()} == {
        layer.name: (layer.start_cycle, layer.cycles) for layer in stats.layers
    }


def test_the_hover_adds_what_the_report_knows(small_archive: Archive) -> None:
    stats, report = small_archive.stats, small_archive.report
    assert stats is not None
    assert report is not None
    with_report, alone = bars_of(gantt(stats, report)), bars_of(gantt(stats))
    for row in report.layers:
        if row.name not in with_report:
            continue
        hover = with_report[row.name][3]
        assert f"{row.runtime_cycles:,} cycles with stalls" in hover
        assert f"bound by {row.bound_by.replace('_dma', ' DMA')}" in hover
        assert " us)" in hover
        assert "bound by" not in alone[row.name][3]
    convolution = next(row for row in report.layers if row.macs and row.name in with_report)
    assert f"{convolution.macs:,} MACs" in with_report[convolution.name][3]


def test_rows_run_from_top_to_bottom_in_schedule_order() -> None:
    names = ["MLA_0/conv2d_0", "MLA_0/max_pool2d_1", "MLA_0/conv2d_2"]
    axis = gantt(MlaStats.from_columns([1, 2, 3], names, [0, 5, 9], [4, 8, 20])).layout.yaxis
    assert axis.autorange == "reversed"
    assert list(axis.categoryarray) == names


def test_microseconds_follow_the_machines_clock() -> None:
    stats = MlaStats.from_columns([1], ["MLA_0/conv2d_0"], [0], [7999])
    assert "8.00 us" in bars_of(gantt(stats))["MLA_0/conv2d_0"][3]
    report = {"machine": {"name": "m", "clock_mhz": 500, "quads": 1}, "layers": []}
    assert "16.00 us" in bars_of(gantt(stats, report))["MLA_0/conv2d_0"][3]


def test_plotly_markup_in_names_stays_text() -> None:
    stats = MlaStats.from_columns([1], ["MLA_0/<b>x</b>"], [0], [9])
    name, (_, _, _, hover) = next(iter(bars_of(gantt(stats)).items()))
    assert name == "MLA_0/&lt;b&gt;x&lt;/b&gt;"
    assert "<b>" not in hover


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("MLA_0/conv2d_add_relu_3", "convolution"),
        ("MLA_0/depthwise_conv2d_add_clip_7", "depthwise"),
        ("MLA_12/dense_add_70", "dense"),
        ("MLA_0/max_pool2d_1", "pooling"),
        ("MLA_0/global_average_pool2d_2", "pooling"),
        ("MLA_0/add_relu_4", "elementwise"),
        ("MLA_0/mul_9", "elementwise"),
        ("MLA_0/sigmoid_5", "activation"),
        ("MLA_0/concat_6", "data movement"),
        ("MLA_0/resize_8", "data movement"),
        ("conv2d_add_sigmoid", "convolution"),
        ("something_new_3", "other"),
        ("", "other"),
    ],
)
def test_families(operator: str, expected: str) -> None:
    assert family(operator) == expected


def test_every_layer_of_the_compiler_has_a_family(small_archive: Archive) -> None:
    stats = small_archive.stats
    assert stats is not None
    assert "other" not in {family(layer.name) for layer in stats.layers}


def test_colours_are_distinct() -> None:
    assert len(set(FAMILY_COLOURS.values())) == len(FAMILY_COLOURS)


def test_the_batch_chart_marks_the_built_size() -> None:
    rows = [CandidateFact(batch, batch <= 4, samples_per_second=100.0 * batch) for batch in (1, 2, 4, 8)]
    chart = batch_chart(rows)
    assert list(chart.data[0].x) == ["1", "2", "4", "8"]
    assert list(chart.data[0].y) == [100.0, 200.0, 400.0, 800.0]
    assert [colour == BLUE for colour in chart.data[0].marker.color] == [False, False, True, False]
    assert list(chart.data[0].marker.pattern.shape) == ["", "", "", "/"]


def test_the_batch_chart_takes_the_archives_own_rows(small_archive: Archive) -> None:
    rows = small_archive.batch.candidates
    chart = batch_chart(rows, small_archive.batch.actual)
    assert list(chart.data[0].x) == [str(row.batch_size) for row in rows]

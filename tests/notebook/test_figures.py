"""Figures: what they draw equals what the statistics and the report say."""

from __future__ import annotations

from dataclasses import fields, replace

import plotly.io
import pytest

from sima_compiler import Archive, MlaStats, OptionError
from sima_compiler.archive.report_records import BatchCandidate
from sima_compiler.view.palette import BLUE, PALETTE, family
from sima_compiler.view.reading import view_of, view_of_stats
from sima_compiler.view.records import ViewMachine
from sima_compiler.view.tables import Table
from sima_nb import StatsExplorer, Summary
from sima_nb.figures import FIGURES, batch_chart, causes, cumulative, figure, gantt, kinds, memory, roofline


def bars_of(figure) -> dict[str, tuple[int, int, str, str]]:
    return {
        name: (start, length, trace.marker.color, hover)
        for trace in figure.data
        for name, start, length, hover in zip(trace.y, trace.base, trace.x, trace.hovertext, strict=True)
    }


def test_a_bar_per_layer_at_its_place(small_archive: Archive) -> None:
    stats = small_archive.stats
    assert stats is not None
    bars = bars_of(gantt(view_of(small_archive)))
    assert {name: bar[:2] for name, bar in bars.items()} == {
        layer.name: (layer.start_cycle, layer.cycles) for layer in stats.layers
    }


def test_the_hover_adds_what_the_report_knows(small_archive: Archive) -> None:
    stats, report = small_archive.stats, small_archive.report
    assert stats is not None
    assert report is not None
    with_report, alone = bars_of(gantt(view_of(small_archive))), bars_of(gantt(view_of_stats(stats)))
    for row in report.layers:
        if row.name not in with_report:
            continue
        hover = with_report[row.name][3]
        assert f"{row.runtime_cycles:,} cycles with stalls" in hover
        assert f"bound by {row.bound_by.replace('_dma', ' DMA')}" in hover
        assert " µs)" in hover
        assert "bound by" not in alone[row.name][3]
    convolution = next(row for row in report.layers if row.macs and row.name in with_report)
    assert f"{convolution.macs:,} MACs" in with_report[convolution.name][3]


def test_rows_run_from_top_to_bottom_in_schedule_order() -> None:
    names = ["MLA_0/conv2d_0", "MLA_0/max_pool2d_1", "MLA_0/conv2d_2"]
    axis = gantt(view_of_stats(MlaStats.from_columns([1, 2, 3], names, [0, 5, 9], [4, 8, 20]))).layout.yaxis
    assert axis.autorange == "reversed"
    assert list(axis.categoryarray) == names


def test_microseconds_follow_the_machines_clock() -> None:
    stats = MlaStats.from_columns([1], ["MLA_0/conv2d_0"], [0], [7999])
    view = view_of_stats(stats)
    assert "8.00 µs" in bars_of(gantt(view))["MLA_0/conv2d_0"][3]
    slow = replace(view, machine=ViewMachine("m", 500.0, clock_assumed=False))
    assert "16.00 µs" in bars_of(gantt(slow))["MLA_0/conv2d_0"][3]


def test_plotly_markup_in_names_stays_text() -> None:
    stats = MlaStats.from_columns([1], ["MLA_0/<b>x</b>"], [0], [9])
    name, (_, _, _, hover) = next(iter(bars_of(gantt(view_of_stats(stats))).items()))
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
        ("MLA_0/concat_6", "data_movement"),
        ("MLA_0/resize_8", "data_movement"),
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


def test_keys_of_a_set_are_told_apart_with_and_without_colour() -> None:
    """The batch's statuses and the files' roles have neither: they are always written out."""
    for field in fields(PALETTE):
        labels = getattr(PALETTE, field.name)
        assert len({label.key for label in labels}) == len(labels), field.name
        assert len({label.label for label in labels}) == len(labels), field.name
        if field.name not in ("roles", "statuses", "causes"):
            assert len({label.colour for label in labels}) == len({label.pattern for label in labels}) == len(labels)
    divided = [label for label in PALETTE.causes if label.key != "compute"]
    assert len({label.colour for label in divided}) == len({label.pattern for label in divided}) == len(divided)


def test_the_batch_chart_marks_the_built_size(small_archive: Archive) -> None:
    rows = [BatchCandidate(batch, batch <= 4, samples_per_second=100.0 * batch) for batch in (1, 2, 4, 8)]
    view = view_of(small_archive)
    batch = replace(view.batch, actual_batch_size=4)
    chart = batch_chart(replace(view, batch=batch, candidates=Table.of(BatchCandidate, rows)))
    assert list(chart.data[0].x) == ["1", "2", "4", "8"]
    assert list(chart.data[0].y) == [100.0, 200.0, 400.0, 800.0]
    assert [colour == BLUE for colour in chart.data[0].marker.color] == [False, False, True, False]
    assert list(chart.data[0].marker.pattern.shape) == ["", "", "", "/"]


def test_the_batch_chart_takes_the_archives_own_rows(small_archive: Archive) -> None:
    chart = batch_chart(view_of(small_archive))
    assert list(chart.data[0].x) == [str(row.batch_size) for row in small_archive.batch.candidates]


def test_every_figure_is_reached_by_its_name_and_offers_no_upload(
    small_archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")
    view = view_of(small_archive)
    for kind in FIGURES:
        drawn = figure(view, kind)
        assert drawn.data, kind
        for bundle in (drawn._repr_mimebundle_(), shown_bundle(drawn)):
            (content,) = (data for mime, data in bundle.items() if "plotly" in mime)
            assert content["config"]["showSendToCloud"] is False, kind
    with pytest.raises(OptionError, match="no figure 'pie'") as caught:
        figure(view, "pie")
    assert "roofline" in (caught.value.hint or "")


def shown_bundle(drawn) -> dict:
    """What `show` publishes in a notebook."""
    published: list[dict] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plotly.io._renderers.ipython_display.display", lambda bundle, **_: published.append(bundle))
        drawn.show(renderer="plotly_mimetype")
    return published[0]


def test_causes_sum_to_the_runtime_and_kinds_to_the_layers(small_archive: Archive) -> None:
    view = view_of(small_archive)
    assert sum(causes(view).data[0].x) == view.totals.runtime_cycles
    by_kind = dict(zip(kinds(view).data[0].y, kinds(view).data[0].x, strict=True))
    assert by_kind["convolution"] == sum(layer.cycles for layer in view.layers if layer.family == "convolution")
    assert sum(by_kind.values()) == view.totals.runtime_cycles


def test_the_cumulative_share_rises_to_one_by_the_costliest_first(small_archive: Archive) -> None:
    view = view_of(small_archive)
    line = cumulative(view).data[0]
    cycles = sorted((layer.cycles for layer in view.layers), reverse=True)
    assert line.y[0] == pytest.approx(cycles[0] / sum(cycles))
    assert line.y[-1] == pytest.approx(1)
    assert list(line.x) == list(range(1, len(cycles) + 1))


def test_no_layer_is_above_the_roof(small_archive: Archive) -> None:
    view = view_of(small_archive)
    peak, bandwidth = view.machine.macs_per_cycle, view.machine.dram_bytes_per_cycle
    assert peak
    assert bandwidth
    roof, *families = roofline(view).data
    assert max(roof.y) == peak
    points = [point for trace in families for point in zip(trace.x, trace.y, strict=True)]
    assert len(points) == sum(1 for layer in view.layers if layer.macs)
    assert all(0 < y <= min(peak, x * bandwidth) * 1.001 for x, y in points)


def test_memory_over_time_holds_what_the_map_says(small_archive: Archive) -> None:
    view = view_of(small_archive)
    traces = memory(view).data
    highest = max(sum(values) for values in zip(*(trace.y for trace in traces), strict=True))
    alive = max(sum(b.bytes for b in view.memory_map if b.start_cycle <= cycle <= b.end_cycle) for cycle in traces[0].x)
    assert highest == alive
    assert highest <= max(buffer.address + buffer.bytes for buffer in view.memory_map)
    assert all(trace.y[-1] == 0 for trace in traces)


@pytest.mark.parametrize("kind", ["causes", "roofline", "memory", "batch"])
def test_what_a_statistics_file_cannot_tell_is_said(kind: str) -> None:
    view = view_of_stats(MlaStats.from_columns([1], ["MLA_0/conv2d_0"], [0], [9]), "x_mla_stats.yaml")
    with pytest.raises(OptionError, match=r"x_mla_stats\.yaml .*record"):
        figure(view, kind)


def test_results_and_widgets_draw_themselves(small_archive: Archive) -> None:
    view = view_of(small_archive)
    for source in (Summary.of(small_archive), StatsExplorer(small_archive)):
        assert source.figure("memory").to_dict() == memory(view).to_dict()

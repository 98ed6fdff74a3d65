"""Any number of segments: MLA, Cortex-A65, MLA on one axis, in the View and in the trace."""

from __future__ import annotations

import numpy as np
import pytest

from sima_compiler import Archive, Model
from sima_compiler.view.reading import view_of
from sima_compiler.view.records import View
from tests.support.small_models import write_small_model
from tests.support.three_segments import three_segments


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("single")
    return Model.from_onnx(write_small_model(folder)).compile(folder, batch_size=3).archive


@pytest.fixture(scope="module")
def triple(single: Archive, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive.open(three_segments(single, tmp_path_factory.mktemp("triple")))


@pytest.fixture(scope="module")
def view(triple: Archive) -> View:
    return view_of(triple)


def test_segments_follow_each_other_and_the_host_has_no_cycles(view: View, single: Archive) -> None:
    assert single.report is not None
    runtime, compute = single.report.runtime_cycles, single.report.compute_cycles
    found = [
        (s.name, s.processor, s.layers, s.start_cycle, s.static_start_cycle, s.runtime_cycles) for s in view.segments
    ]
    assert found == [
        ("MLA_0", "MLA", 4, 0, 0, runtime),
        ("APU_1", "A65", 1, None, None, None),
        ("MLA_2", "MLA", 4, runtime, compute, runtime),
    ]
    assert [segment.file.rsplit("_", 2)[1] for segment in view.segments] == ["stage1", "stage2", "stage3"]


def test_layers_of_all_segments_lie_on_one_axis(view: View, single: Archive) -> None:
    alone = list(view_of(single).layers)
    layers = list(view.layers)
    assert [layer.id for layer in layers] == list(range(1, 10))
    assert layers[:4] == alone
    host = layers[4]
    assert (host.processor, host.sources, host.start_cycle, host.runtime_cycles) == ("A65", ("Softmax_9",), None, None)
    assert host.placement == "the MLA has no kernel for softmax"
    assert single.report is not None
    for before, after in zip(alone, layers[5:], strict=True):
        assert after.start_cycle == (before.start_cycle or 0) + (single.report.compute_cycles or 0)
        assert after.run_start_cycle == (before.run_start_cycle or 0) + (single.report.runtime_cycles or 0)
        assert after.cause_cycles == before.cause_cycles
        assert after.processor == "MLA"


def test_totals_sum_over_the_mla_segments(view: View) -> None:
    assert view.totals.static_cycles == view.totals.compute_cycles
    assert sum(view.totals.cause_cycles) == view.totals.runtime_cycles
    assert sum(sum(layer.cause_cycles) for layer in view.layers) == view.totals.runtime_cycles
    assert sum(segment.runtime_cycles or 0 for segment in view.segments) == view.totals.runtime_cycles


def test_the_memory_map_says_whose_memory_it_is(view: View) -> None:
    segments = [row.segment for row in view.memory_map]
    assert segments.count("MLA_0") == segments.count("MLA_2") == len(segments) // 2
    ids = {layer.id: layer.segment for layer in view.layers}
    assert all({ids[layer] for layer in row.layers} == {row.segment} for row in view.memory_map)


def test_the_pipeline_is_linked_from_input_to_output(view: View) -> None:
    assert [(link.source, link.target) for link in view.links] == [
        (None, 0), (0, 1), (1, 2), (2, 3), (3, 4), (4, None),
    ]  # fmt: skip
    assert view.plugin_counts == {"EV74": 2, "MLA": 2, "A65": 1}


def test_the_trace_runs_one_segment_behind_the_other(triple: Archive, single: Archive) -> None:
    one, both = single.trace(), triple.trace()
    half = len(one)
    assert len(both) == 2 * half
    assert both.runtime_cycles == 2 * one.runtime_cycles
    assert both.layer_names[4:] == tuple(layer.name for layer in view_of(triple).layers[5:])
    for column in ("engines", "causes", "stall_cycles"):
        assert np.array_equal(getattr(both, column)[half:], getattr(one, column)), column
    for column in ("start_cycles", "end_cycles"):
        assert np.array_equal(getattr(both, column)[half:], getattr(one, column) + one.runtime_cycles), column
    assert np.array_equal(both.layers[half:], one.layers + 4)

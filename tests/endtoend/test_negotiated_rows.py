"""Rows of the batch negotiation: what is called impossible is impossible, and asking for much costs little."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sima_compiler import DoesNotFitError, Machine, Model
from sima_compiler.ir.layers import Segment
from sima_compiler.ir.tiles import Misfit, Tiling
from sima_compiler.negotiate import TOLERANCE, negotiate
from sima_compiler.pipeline import ConstantStore, Plan, Target, lower, plan
from sima_compiler.stages.tile import TileOptions, tile
from tests.networks.float_net import FloatNet
from tests.support.qdq_writer import Style, write_qdq


def _large_maps(net: FloatNet) -> str:
    """Fused at every batch size, and its parameters are too many to stay for sample after sample."""
    large = net.conv(net.conv(net.input((16, 64, 64)), 16, 3), 16, 3)
    return _head(net, net.conv(large, 16, 3, stride=4, pads=(1, 1, 1, 1)))


def _bottleneck(net: FloatNet) -> str:
    image = net.input((16, 24, 24))
    wide = net.conv(net.conv(image, 48), 48, 3, groups=48)
    joined = net.binary("Add", net.conv(wide, 16), image)
    return _head(net, net.conv(joined, 64, 3, stride=2, pads=(1, 1, 1, 1)))


def _small_maps(net: FloatNet) -> str:
    return _head(net, net.conv(net.input((3, 16, 16)), 16, 3))


def _streamed_input(net: FloatNet) -> str:
    """From batch 2 on, the input no longer lies on chip as a whole; parameters do not stay for sample after sample."""
    small = net.conv(net.input((16, 40, 40), "image"), 16, 3, stride=4, pads=(1, 1, 1, 1))
    return _head(net, net.conv(net.conv(small, 128, 3), 16, 3))


def _head(net: FloatNet, value: str) -> str:
    return net.dense(net.flatten(net.global_pool(value)), 5)


NETWORKS: dict[str, Callable[[FloatNet], str]] = {
    "large_maps": _large_maps,
    "bottleneck": _bottleneck,
    "small_maps": _small_maps,
    "streamed_input": _streamed_input,
}


def _model(name: str) -> Model:
    net = FloatNet(3)
    return Model.from_onnx(write_qdq(net.model([NETWORKS[name](net)], name), 3, Style()), name)


@pytest.mark.parametrize("quads", [1, 2])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_no_plan_contradicts_a_row(name: str, quads: int) -> None:
    """Every size is planned for once more, those too that were refused without a plan."""
    machine = Machine.load("tiny")
    (segment,) = lower(_model(name).graph, machine).segments
    target, store = Target(machine, quads, compress=False), ConstantStore(compress=False)
    found = negotiate(segment, target, 4, store, lambda done, total: None)
    assert [row.batch_size for row in found.candidates] == list(range(1, 5))
    allowed = set(found.candidates[0].spilled)
    best = min((row.cycles or 0) / row.batch_size for row in found.candidates if row.feasible)
    for row in found.candidates:
        planned = plan(segment, target, row.batch_size, store)
        if row.status == "does_not_fit" and not isinstance(planned, Misfit):
            each = planned.schedule.runtime / row.batch_size
            spilled = set(planned.memory.tiling.spilled) - set(segment.inputs) - set(segment.outputs)
            assert spilled - allowed or each > best * TOLERANCE, row.reason


def test_an_input_that_is_read_in_stripes_is_not_spilled() -> None:
    """It lies in DRAM anyway; only the cycles tell whether reading it so is worth while."""
    machine = Machine.load("tiny")
    (segment,) = lower(_model("streamed_input").graph, machine).segments
    target, store = Target(machine, 2, compress=False), ConstantStore(compress=False)
    assert "image" in segment.inputs
    alone = plan(segment, target, 1, store)
    assert not isinstance(alone, Misfit)
    assert not alone.memory.tiling.spilled
    found = negotiate(segment, target, 3, store, lambda done, total: None)
    assert found.plan.memory.tiling.spilled == ("image",)
    assert found.actual == 3
    assert [row.spilled for row in found.candidates] == [()] * 3


def test_a_row_that_spills_says_how_much_and_what_it_would_take() -> None:
    machine = Machine.load("tiny")
    net = FloatNet(3)
    value = net.conv(net.input((16, 32, 32)), 16, 3, stride=4, pads=(1, 1, 1, 1))
    model = net.model([_head(net, net.conv(net.conv(value, 128, 3), 16, 3))], "wide")
    (segment,) = lower(Model.from_onnx(write_qdq(model, 3, Style()), "wide").graph, machine).segments
    target, store = Target(machine, 1, compress=False), ConstantStore(compress=False)
    row = negotiate(segment, target, 3, store, lambda done, total: None).candidates[-1]
    (_, size), *others = row.limiting_tensors
    assert not row.feasible
    assert not others
    assert f"would spill to DRAM, {size:,} bytes that batch 1 keeps on chip; " in row.reason
    assert f"{(row.cycles or 0) / 3:,.0f} cycles per sample" in row.reason
    assert row.levers == ()  # nothing is advised that nobody planned with


def test_sizes_that_would_spill_are_told_without_a_plan_as_planning_tells_them() -> None:
    """Above the first of them nothing is written; what they spill is what a plan spills."""
    machine = Machine.load("tiny")
    net = FloatNet(3)
    value = net.conv(net.input((16, 32, 32)), 16, 3, stride=4, pads=(1, 1, 1, 1))
    model = net.model([_head(net, net.conv(net.conv(value, 128, 3), 16, 3))], "wide")
    (segment,) = lower(Model.from_onnx(write_qdq(model, 3, Style()), "wide").graph, machine).segments
    target, store = Target(machine, 1, compress=False), ConstantStore(compress=False)
    rows = negotiate(segment, target, 8, store, lambda done, total: None).candidates
    assert [(row.batch_size, row.status) for row in rows if not row.feasible] == [
        (3, "scheduled"), *((size, "does_not_fit") for size in range(4, 9)),
    ]  # fmt: skip
    for row in rows[3:]:
        planned = plan(segment, target, row.batch_size, store, frozenset(segment.inputs))
        assert not isinstance(planned, Misfit)
        tiling = planned.memory.tiling
        spilled = {tensor.name: tensor.bytes for tensor in tiling.tensors if tensor.name in tiling.spilled}
        assert dict(row.limiting_tensors).items() <= spilled.items()
        assert set(row.spilled) == {name for name, _ in row.limiting_tensors}
        assert row.cycles is None  # batch 4 costs a third of batch 3 per sample: neighbours tell nothing
        assert f"{sum(size for _, size in row.limiting_tensors):,} bytes that batch 1 keeps on chip" in row.reason


def test_few_sizes_are_planned_however_many_would_spill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for 32, a sixth is written: powers of two that fit, the built one, and the smallest that would spill."""
    machine = Machine.load("tiny")
    net = FloatNet(3)
    value = net.conv(net.input((16, 32, 32)), 16, 3, stride=4, pads=(1, 1, 1, 1))
    model = net.model([_head(net, net.conv(net.conv(value, 128, 3), 16, 3))], "wide")
    (segment,) = lower(Model.from_onnx(write_qdq(model, 3, Style()), "wide").graph, machine).segments
    planned: list[int] = []

    def noted(segment: Segment, target: Target, batch: int, *rest: Any) -> Plan | Misfit:
        planned.append(batch)
        return plan(segment, target, batch, *rest)

    monkeypatch.setattr("sima_compiler.negotiate.plan", noted)
    target, store = Target(machine, 1, compress=False), ConstantStore(compress=False)
    found = negotiate(segment, target, 32, store, lambda done, total: None)
    assert planned == [1, found.actual + 1]
    assert [row.batch_size for row in found.candidates] == list(range(1, 33))


@pytest.mark.parametrize(
    ("quads", "enough", "words"),
    [(1, 2, "it fits 2 quads: --quads 2"), (1, 3, "nor does it fit all 2 quads"), (2, 3, "these are all quads")],
)
def test_where_no_sample_fits_the_hint_says_what_was_planned_with(
    monkeypatch: pytest.MonkeyPatch, quads: int, enough: int, words: str
) -> None:
    """Hardly any network is refused by a real machine: the planner is made to refuse too few quads."""

    def refusing(segment: Segment, target: Target, batch: int, store: ConstantStore, *_: object) -> Plan | Misfit:
        return plan(segment, target, batch, store) if target.quads >= enough else Misfit("layer", 2, 1, ())

    monkeypatch.setattr("sima_compiler.negotiate.plan", refusing)
    machine = Machine.load("tiny")
    (segment,) = lower(_model("small_maps").graph, machine).segments
    target, store = Target(machine, quads, compress=False), ConstantStore(compress=False)
    with pytest.raises(DoesNotFitError) as caught:
        negotiate(segment, target, 1, store, lambda done, total: None)
    assert words in caught.value.hint


def test_resnet_50_at_the_edge_of_the_memory_keeps_its_maps_on_chip(quantized_networks) -> None:
    """Batch 21 is the largest whose maps stay: groups of stripes take the room they were given, to the last bytes."""
    machine = Machine.load("mlsoc")
    (segment,) = lower(quantized_networks("light_resnet50").graph, machine).segments
    capacity = machine.sram_bytes(machine.quads)
    tiling = tile(segment, machine, TileOptions(machine.quads, 21, capacity, longest_group=12))
    assert isinstance(tiling, Tiling)
    assert tiling.fused
    steps = {buffer.first for buffer in tiling.buffers}
    assert max(sum(b.bytes for b in tiling.buffers if b.first <= step <= b.last) for step in steps) <= capacity
    target, store = Target(machine, machine.quads, compress=False), ConstantStore(compress=False)
    fits, next_one = (plan(segment, target, batch, store, frozenset()) for batch in (21, 22))
    assert not isinstance(fits, Misfit)
    assert not isinstance(next_one, Misfit)
    assert not fits.memory.tiling.spilled
    assert next_one.memory.tiling.spilled


def test_a_thousand_samples_are_negotiated_in_seconds(tmp_path: Path) -> None:
    """Sizes of which one sample must follow the other are not scheduled one by one."""
    started = time.perf_counter()
    result = _model("small_maps").compile(output_path=tmp_path, batch_size=1000, machine="tiny")
    assert time.perf_counter() - started < 20  # scheduling every size takes most of an hour
    rows = result.archive.batch.candidates
    assert len(rows) == 1000
    assert all(row.status in ("scheduled", "does_not_fit") for row in rows[result.actual_batch_size - 1 :])
    assert not any(row.feasible for row in rows[result.actual_batch_size :])

"""Negotiation over plans that are drawn: any cycles, spills and refusals, beside the loop over every size."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sima_compiler import DoesNotFitError, Machine, Model
from sima_compiler.ir.layers import Segment
from sima_compiler.ir.tiles import Misfit, Overflow
from sima_compiler.negotiate import Negotiation, negotiate
from sima_compiler.pipeline import ConstantStore, Target, lower
from tests.negotiation.plain_negotiation import Size, between, negotiated
from tests.networks.float_net import FloatNet
from tests.support.qdq_writer import Style, write_qdq


@pytest.fixture(scope="module")
def segment() -> Segment:
    net = FloatNet(3)
    end = net.conv(net.conv(net.input((3, 8, 8)), 8, 3), 8, 3)
    return lower(Model.from_onnx(write_qdq(net.model([end], "two"), 3, Style())).graph, Machine.load("mlsoc")).segments[
        0
    ]


def run(segment: Segment, sizes: dict[int, Size], monkeypatch: pytest.MonkeyPatch) -> Negotiation:
    """Negotiate where planning a size gives what ``sizes`` says; memory is plenty, so nothing is proven impossible."""

    def made(batch: int) -> Any:
        size = sizes[batch]
        if size.cycles is None:
            return Misfit("layer", 2, 1, (("map", 2),))
        tensors = [SimpleNamespace(name=name, bytes=count) for name, count in size.spilled.items()]
        tiling = SimpleNamespace(spilled=tuple(size.spilled), tensors=tensors)
        times = [SimpleNamespace(runtime=runtime) for runtime in (size.cycles // 3, size.cycles - size.cycles // 3)]
        schedule = SimpleNamespace(runtime=size.cycles, layers=times)
        return SimpleNamespace(memory=SimpleNamespace(tiling=tiling, peak=size.peak), schedule=schedule)

    def plan(_segment: Segment, _target: Target, batch: int, *_: object) -> Any:
        return made(batch)

    def keeping(_segment: Segment, _target: Target, batch: int, *_: object) -> Any:
        size = sizes[batch]
        return Overflow(tuple(size.spilled.items()), fuses=False) if size.extra else made(batch)

    monkeypatch.setattr("sima_compiler.negotiate.plan", plan)
    monkeypatch.setattr("sima_compiler.negotiate.keeping_plan", keeping)
    target = Target(Machine.load("mlsoc"), 4, compress=True)
    return negotiate(segment, target, len(sizes), ConstantStore(compress=True), lambda done, total: None)


def drawn(random: np.random.Generator) -> dict[int, Size]:
    """Sizes whose cycles per sample wander about the tolerance; now and then one that spills or does not fit."""
    sizes: dict[int, Size] = {}
    kept = {"kept": 50} if random.integers(2) else {}
    each = 100_000.0
    for batch in range(1, int(random.integers(1, 40)) + 1):
        each *= 1 + random.choice([-0.02, -0.004, 0.0, 0.003, 0.0095, 0.0105, 0.03])
        extra = {"more": int(random.integers(1, 999))} if batch > 1 and random.random() < 0.15 else {}
        fits = batch == 1 or random.random() > 0.08
        sizes[batch] = Size(
            cycles=round(each * batch) if fits else None,
            peak=batch * 7 if fits else None,
            spilled={**kept, **extra} if fits else {},
            extra=extra if fits else {},
            slowest=(),
        )
    return sizes


def test_drawn_sizes_are_judged_as_the_loop_judges_them(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(150):
        sizes = drawn(np.random.default_rng(seed))
        found = run(segment, sizes, monkeypatch)
        tried, feasible = negotiated(sizes)
        assert [row.batch_size for row in found.candidates] == sorted(sizes), seed
        assert found.actual == max(feasible), seed
        assert found.plan.schedule.runtime == sizes[found.actual].cycles
        cycles = {row.batch_size: row.cycles or 0 for row in found.candidates if row.status == "scheduled"}
        for row in found.candidates:
            size = sizes[row.batch_size]
            if row.batch_size not in tried:
                assert (row.status, row.feasible) == ("estimated", True), (seed, row)
                assert abs((row.cycles or 0) - between(cycles, row.batch_size)) <= 0.5, (seed, row)
                continue
            assert row.feasible == (row.batch_size in feasible), (seed, row)
            assert dict(row.limiting_tensors) == (dict(size.extra) if size.cycles else {"map": 2}), (seed, row)
            if row.status == "scheduled":
                assert row.limiting_layer == ("" if size.extra else segment.layers[1].name)
                assert (row.cycles, row.peak_on_chip_bytes) == (size.cycles, size.peak), (seed, row)
            elif row.status == "does_not_fit":
                assert size.cycles is None or size.extra, (seed, row)


@pytest.mark.parametrize(("cycles", "built"), [((1000, 2020), 2), ((1000, 2021), 1), ((1000, 1980, 2999), 3)])
def test_the_tolerance_is_one_percent_and_counts_itself(
    segment: Segment, monkeypatch: pytest.MonkeyPatch, cycles: tuple[int, ...], built: int
) -> None:
    sizes = {batch: _plain(count) for batch, count in enumerate(cycles, 1)}
    found = run(segment, sizes, monkeypatch)
    assert found.actual == built
    if built == 1:
        assert found.reason.startswith("batch 1 is the largest feasible size up to 2; batch 2 is not: ")
        assert "1.1 % more than batch 1 needs" in found.reason or "1.0 % more than batch 1 needs" in found.reason


def test_a_size_is_compared_with_the_best_smaller_one_and_that_may_be_batch_1(
    segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is within a percent of the one before, and the third is not within a percent of the first."""
    found = run(segment, {1: _plain(10000), 2: _plain(20160), 3: _plain(30480)}, monkeypatch)
    assert [row.feasible for row in found.candidates] == [True, True, False]
    assert "1.6 % more than batch 1 needs" in found.candidates[2].reason


def test_one_sample_that_does_not_fit_is_an_error_with_its_place(
    segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DoesNotFitError, match="layer needs 2 bytes on chip where 1 exist"):
        run(segment, {1: Size(None, None, {}, {}, ())}, monkeypatch)


def _plain(cycles: int) -> Size:
    return Size(cycles=cycles, peak=1, spilled={}, extra={}, slowest=())

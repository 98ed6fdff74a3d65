"""When transfers run and which ranges of a buffer are one: small cases with every kind of neighbour."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from sima_compiler.ir.program import Engine
from sima_compiler.machine.occupancy import transfer_intervals
from sima_compiler.machine.starts import _Content  # pyright: ignore[reportPrivateUsage] - the rule has no other door


def program(engine: Engine, transfers: list[tuple[int, int, int]]) -> tuple[Any, Any]:
    """A program of three layers with these transfers (layer, start, end) on one engine, and one on the other."""
    mine = [SimpleNamespace(layer=layer) for layer, _, _ in transfers]
    spans = [SimpleNamespace(start=start, end=end) for _, start, end in transfers]
    other = [SimpleNamespace(layer=2)]
    streams = (mine, other) if engine is Engine.DMA_IN else (other, mine)
    times = {
        engine: spans,
        (Engine.DMA_OUT if engine is Engine.DMA_IN else Engine.DMA_IN): [SimpleNamespace(start=7, end=8)],
    }
    return SimpleNamespace(layers=(0, 1, 2), dma_in=streams[0], dma_out=streams[1]), SimpleNamespace(spans=times)


@pytest.mark.parametrize("engine", [Engine.DMA_IN, Engine.DMA_OUT])
def test_transfers_that_touch_or_overlap_are_one_stretch(engine: Engine) -> None:
    found = transfer_intervals(*program(engine, [(0, 0, 5), (0, 5, 9), (1, 2, 3), (0, 12, 20), (0, 13, 15)]), engine)
    assert found == [((0, 9), (12, 20)), ((2, 3),), ()]


def test_ranges_that_touch_are_one_range_of_a_map() -> None:
    first = _Content(low=0, high=8, map=1, told=1, first=0, count=2, stride=4, origin=0)
    for low, high, joined in ((8, 12, True), (9, 12, False), (4, 6, True)):
        other = replace(first, low=low, high=high)
        assert first.joins(other) is joined
        assert other.joins(first) is joined
    assert not first.joins(replace(first, low=8, high=12, map=2))
    assert not first.joins(replace(first, low=8, high=12, count=3))

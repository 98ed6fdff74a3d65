"""Random networks with branches, several segments and skips, each beside its original file; tests/long has hundreds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from sima_compiler import Model
from sima_compiler.ir.graph import Graph
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.random_segments import random_segments

SEEDS = range(40)


def skips(model: Model) -> int:
    """Tensors that a segment reads and the one right in front of it did not make."""
    made: dict[str, int] = {}
    count = 0
    for place, segment in enumerate(model.network.segments):
        count += sum(1 for name in segment.inputs if place - made.get(name, place) > 1)
        made |= dict.fromkeys(segment.outputs, place)
    return count


def test_forty_networks_in_numpy() -> None:
    segments, skipped, on_both = 0, 0, 0
    for seed in SEEDS:
        original = random_segments(seed)
        model = Model.from_onnx(original)
        assert_reference_agrees(original, batch=seed % 5 + 1, seed=seed, model=model)
        kinds = [isinstance(segment, Graph) for segment in model.network.segments]
        assert all(one != other for one, other in pairwise(kinds)), "two turns that could be one"
        segments, skipped, on_both = segments + len(kinds), skipped + skips(model), on_both + (len(set(kinds)) > 1)
    assert segments > 2 * len(SEEDS)
    assert skipped > 5
    assert on_both > len(SEEDS) // 2


@pytest.mark.parametrize("seed", [1, 7, 12])
def test_archives(seed: int, tmp_path: Path) -> None:
    assert_judges_agree(random_segments(seed), tmp_path, batch=seed % 5 + 1, compress=True, seed=seed)

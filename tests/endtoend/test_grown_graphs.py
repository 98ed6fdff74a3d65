"""Graphs of the other generator: pads with fills, SAME, strides beyond kernels, branches of unlike depth, odd sizes.

A few of each ten here; `python -m tests.long.random_graphs` judges 5,000 of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.long.random_graphs import eight_kib
from tests.support.grown_graphs import grown
from tests.support.judges import assert_judges_agree

GRAPHS, PIECE = 60, 10


@pytest.mark.parametrize("first", range(0, GRAPHS, PIECE))
def test_grown_graphs_are_exact(tmp_path: Path, first: int) -> None:
    small = str(eight_kib(tmp_path))
    for seed in range(first, first + PIECE):
        graph = grown(seed)
        machine = small if graph.machine == "8 KiB" else graph.machine
        assert_judges_agree(graph.model, tmp_path, batch=graph.batch, compress=graph.compress, machine=machine)

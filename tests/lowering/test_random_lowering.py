"""Random graphs, hundreds of them: verified at every level and equal to the reference in every byte."""

from __future__ import annotations

from collections import Counter

import pytest

from sima_compiler.errors import UnsupportedError
from tests.lowering.agreement import agreed
from tests.lowering.random_graphs import random_graph

CHUNKS, GRAPHS = 12, 50


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_graphs_agree(chunk: int) -> None:
    refused: Counter[str] = Counter()
    for number in range(GRAPHS):
        seed = chunk * GRAPHS + number
        try:
            agreed(random_graph(seed, steps=2 + seed % 11), seed=seed)
        except UnsupportedError as error:
            refused[error.rule] += 1
        except Exception as error:
            error.add_note(f"random_graph({seed}, {2 + seed % 11})")
            raise
    assert refused.total() <= GRAPHS // 10, refused

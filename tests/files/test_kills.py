"""Whatever ends a command, its names stand for whole files, and the next run leaves nothing of it.

A few of each here; `python -m tests.long.killed` makes hundreds.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.forking import Forks
from tests.support.killing import KINDS, Ground


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with Forks() as forks:
        found = Ground(tmp_path_factory.mktemp("ground"), forks)
        found.prepare()
        yield found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_half_written_and_nothing_is_left(ground: Ground, number: signal.Signals, seed: int) -> None:
    ground.end(KINDS[seed % len(KINDS)], number, np.random.default_rng([number, seed]))


def test_two_compiles_to_one_target_leave_one_whole_archive(ground: Ground) -> None:
    for seed in range(4):
        ground.pair(np.random.default_rng(seed))

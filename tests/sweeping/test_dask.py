"""A sweep on a real Dask scheduler with two workers on loopback, one of which is killed in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster

from sima_compiler import Model, OptionError, sweep
from sima_compiler.sweeping.executors import dask_client
from sima_compiler.view.sweep import SweepRow

POINTS = {"batch_sizes": (1, 2, 3, 5), "quads": (1, 2, 4), "compress": (True, False)}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:  # distributed's own type is that of its asynchronous form
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        yield cluster


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # distributed's own, when a worker is killed
def test_the_table_of_two_workers_is_that_of_one_machine(swept: Model, cluster: Any) -> None:
    with Client(cluster) as client:
        killed: list[int] = []

        def kill_one(row: SweepRow, done: int, total: int) -> None:
            del row, total
            if done == 4:
                killed.append(next(iter(cluster.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        table = sweep(swept, **POINTS, executor=client, on_row=kill_one)
        assert killed
        assert not table.failed
        assert sweep(swept, **POINTS, executor=client.get_executor()) == table
    assert sweep(swept, **POINTS, jobs=2) == table


def test_an_address_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sima_compiler.sweeping.executors._ANSWER_SECONDS", 1)
    with pytest.raises(OptionError, match="no Dask scheduler answers"):
        dask_client("tcp://127.0.0.1:1")

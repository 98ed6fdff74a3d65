"""Where the points of a sweep are compiled: processes of this machine, any `concurrent.futures.Executor`, or Dask.

In: what the caller named, and the network. Out: a `Workplace`: a function that submits a point. Always: the network
travels once to each worker where the executor allows it: a file that the local processes read, data that Dask's
scheduler spreads; an executor that is only known by its interface gets it with every point.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from sima_compiler.errors import MissingExtraError, OptionError
from sima_compiler.files.scratch import scratch_folder
from sima_compiler.sweeping.points import SweepPoint, SweptNetwork
from sima_compiler.sweeping.work import compile_point
from sima_compiler.view.sweep import SweepRow


class DaskClient(Protocol):
    """What is used of `distributed.Client`."""

    def scatter(self, data: Any, *, broadcast: bool, hash: bool) -> Any:  # noqa: A002 - Dask's name
        """A handle of data that every worker has got."""
        ...

    def get_executor(self, **keywords: Any) -> Executor:
        """The interface of `concurrent.futures`."""
        ...


@dataclass(frozen=True, slots=True)
class Workplace:
    """``submit(point)`` starts a point."""

    submit: Callable[[SweepPoint], Future[SweepRow]]


@contextmanager
def workplace(
    executor: Executor | DaskClient | None, networks: Sequence[SweptNetwork], jobs: int, archives: Path | None
) -> Generator[Workplace, None, None]:
    """The place of work for as long as the block runs; points that have not begun when it ends are dropped.

    ``jobs`` of 0 is a thread of this process, which need not be started.
    """
    if executor is None and not jobs:
        held = {network.checksum: network for network in networks}
        with ThreadPoolExecutor(1) as thread:
            yield Workplace(lambda point: thread.submit(compile_point, held[point.checksum], point, archives))
        return
    if executor is None:
        with scratch_folder("sweep") as folder:
            held = {network.checksum: _on_disk(network, folder) for network in networks}
            with _processes(jobs) as pool:
                yield Workplace(lambda point: pool.submit(compile_point, held[point.checksum], point, archives))
        return
    place, held = _foreign(executor, networks)
    yield Workplace(lambda point: place.submit(compile_point, held[point.checksum], point, archives))


def dask_client(address: str) -> Any:
    """A client of the scheduler at ``address``.

    Raises:
        MissingExtraError: Dask is not installed. OptionError: nobody answers there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("--dask needs Dask, which is not installed",
                                hint="pip install 'sima-nb[dask]'") from error  # fmt: skip
    try:
        return Client(address, timeout=_ANSWER_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise OptionError(f"no Dask scheduler answers at {address}: {error}",
                          hint="start one with: dask scheduler; its log names the address") from error  # fmt: skip


#: A scheduler in the same building answers within milliseconds; ten seconds cover one that is busy.
_ANSWER_SECONDS = 10


def usual_jobs() -> int:
    """A process per core: a compile is one thread of work."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _processes(jobs: int) -> Generator[ProcessPoolExecutor, None, None]:
    # Spawned, not forked: a fork copies locks that another thread (onnxruntime's, a notebook's) may hold for ever.
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        _try(pool)
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _try(pool: ProcessPoolExecutor) -> None:
    try:
        pool.submit(int).result()
    except BrokenProcessPool as error:
        raise OptionError(
            "the processes of the sweep do not start: each imports the calling script, and gets to the call again",
            hint="put what the script does below: if __name__ == '__main__': (or sweep with jobs=1)",
        ) from error


def _on_disk(network: SweptNetwork, folder: Path) -> SweptNetwork:
    path = folder / network.checksum
    path.write_bytes(network.read())
    return replace(network, content=path)


def _foreign(executor: Any, networks: Sequence[SweptNetwork]) -> tuple[Executor, dict[str, Any]]:
    # Dask's own executor keeps its client to itself, but only the client can spread data.
    client: Any = executor if hasattr(executor, "get_executor") else getattr(executor, "_client", None)
    if not hasattr(client, "scatter"):
        return executor, {network.checksum: network for network in networks}
    held = {network.checksum: client.scatter(network, broadcast=True, hash=False) for network in networks}
    return (client.get_executor() if executor is client else executor), held

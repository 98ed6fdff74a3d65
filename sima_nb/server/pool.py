"""Slow work off the event loop: a bounded number of threads, a bounded queue, and an end when the client leaves.

In: a function that takes a `Cancellation` and looks at it now and then. Out: what it returns. Always holds: no more
than so many functions run at once; one whose client has left ends at its next look and is never begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sima_nb.server.errors import BusyError, ClientLeftError

Result = TypeVar("Result")


class Cancellation:
    """Whether anybody still waits; `check` is what work calls on its way."""

    def __init__(self) -> None:
        self._left = threading.Event()

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._left.set()

    def check(self) -> None:
        """Go on, or not.

        Raises:
            ClientLeftError: nobody waits any more.
        """
        if self._left.is_set():
            raise ClientLeftError("the client has left")


class Turns:
    """``at_once`` tasks of the event loop at the same time, ``waiting`` more in a queue."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._semaphore = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._asked = 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """A turn, when it comes.

        Raises:
            BusyError: the queue is full.
        """
        if self._asked >= self._most:
            raise busy(self._asked)
        self._asked += 1
        try:
            async with self._semaphore:
                yield
        finally:
            self._asked -= 1


def busy(waiting: int) -> BusyError:
    """The refusal of one request more."""
    return BusyError(f"{waiting} requests wait already", hint="try again in a moment, or raise SimaNb.waiting")


class WorkPool:
    """``threads`` functions at once, ``waiting`` more in a queue."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="sima-nb")
        self._most = threads + waiting
        self._running: set[Cancellation] = set()

    async def run(self, work: Callable[[Cancellation], Result], cancellation: Cancellation) -> Result:
        """Run ``work`` in a thread.

        Raises:
            BusyError: the queue is full. ClientLeftError: the client left. And what ``work`` raises.
        """
        if len(self._running) >= self._most:
            raise busy(len(self._running))

        def begin() -> Result:
            cancellation.check()
            return work(cancellation)

        self._running.add(cancellation)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, begin)
        finally:
            self._running.discard(cancellation)

    def close(self) -> None:
        """Stop everything; threads end at their next look."""
        for cancellation in self._running:
            cancellation.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

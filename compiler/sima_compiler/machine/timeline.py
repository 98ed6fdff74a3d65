"""When things happen: three in-order queues, one DRAM, explicit waits.

In: per engine, the jobs in stream order. Out: start and end of every job, and what each compute job waited for last.
The schedule stage asks it for a prediction and the timing simulator for a replay of decoded bytes; both describe their
commands as `Job`s, so the rules of time stand in one place.

Rules. A job starts when it is fetched, its waits are met and its engine is free. The compute queue is free when its job
has ended. A DMA queue holds up to ``dma_outstanding`` descriptors in flight; each asks for the DRAM
``dma_latency_cycles`` after its start. DRAM serves one request at a time, in order of asking (ties: DMA in, DMA out,
instructions in order of engine). Instructions are fetched ahead burst by burst into each engine's FIFO and use the same
DRAM.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.program import Engine, Wait
from sima_compiler.machine.description import Machine


@dataclass(frozen=True, slots=True)
class Job:
    """One command as time sees it, in cycles and bytes.

    ``cycles``: compute time, or the decompressor's time of a load. ``dram_cycles``: DRAM time of a transfer.
    """

    wait: Wait
    fetch_bytes: int
    cycles: int = 0
    dram_cycles: int = 0


class Cause(IntEnum):
    """What a job waited for last."""

    NONE = 0
    FETCH = 1
    DMA_IN = 2
    DMA_OUT = 3
    COMPUTE = 4


@dataclass(frozen=True, slots=True)
class Span:
    """When a job started and ended (exclusive), and the last thing it waited for after its engine was free."""

    start: int
    end: int
    cause: Cause = Cause.NONE


@dataclass(frozen=True, slots=True)
class Timeline:
    """Spans per engine in stream order; ``end`` is when the last of them is done; DRAM busy cycles per user."""

    spans: tuple[tuple[Span, ...], ...]
    end: int
    dram_busy: tuple[int, int, int]


def replay(streams: Sequence[Sequence[Job]], machine: Machine) -> Timeline:
    """Runs the streams (indexed by `Engine`) on the machine.

    Raises:
        ExecutionError: the waits can never be met; the message names the job that each engine stands at.
    """
    return _Replay(streams, machine).run()


@dataclass(slots=True)
class _Queue:
    """The running state of one engine."""

    jobs: Sequence[Job]
    issued: int = 0
    completed: int = 0
    free_at: int = 0
    fetched_bytes: int = 0
    fetch_asked: int = 0
    consumed_bytes: int = 0
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    unpack_free: int = 0


class _Replay:
    """A discrete-event simulation; events are (time, order, kind, engine, value)."""

    ASK, FREE, DONE, FETCHED, FETCH_ASK = range(5)

    def __init__(self, streams: Sequence[Sequence[Job]], machine: Machine) -> None:
        self.machine = machine
        self.queues = [_Queue(jobs) for jobs in streams]
        self.events: list[tuple[int, int, int, int, int]] = []
        self.order = 0
        self.waiting: list[tuple[int, int, int, int, int]] = []  # (asked at, rank, order, engine, job or -bytes)
        self.dram_free = True
        self.dram_busy = [0, 0, 0]
        self.total_fetch = [sum(job.fetch_bytes for job in jobs) for jobs in streams]
        self.end = 0

    def push(self, time: int, kind: int, engine: int, value: int) -> None:
        self.order += 1
        heapq.heappush(self.events, (time, self.order, kind, engine, value))

    def run(self) -> Timeline:
        for engine in Engine:
            self.fetch(engine, 0)
        while self.events:
            now = self.events[0][0]
            self.end = max(self.end, now)
            while self.events and self.events[0][0] == now:
                _, _, kind, engine, value = heapq.heappop(self.events)
                self.handle(now, kind, engine, value)
            self.grant(now)
            self.start_all(now)
        self.check_finished()
        spans = tuple(
            tuple(Span(s, e, c) for s, e, c in zip(queue.starts, queue.ends, queue.causes, strict=True))
            for queue in self.queues
        )
        return Timeline(spans, self.end, (self.dram_busy[0], self.dram_busy[1], self.dram_busy[2]))

    def handle(self, now: int, kind: int, engine: int, value: int) -> None:
        queue = self.queues[engine]
        if kind == self.ASK:
            heapq.heappush(self.waiting, (now, engine, self.order, engine, value))
        elif kind == self.FETCH_ASK:
            heapq.heappush(self.waiting, (now, 2 + engine, self.order, engine, -value))
        elif kind == self.FREE:
            self.dram_free = True
        elif kind == self.DONE:
            queue.completed += 1
            queue.ends[value] = now
            self.blame(now, Cause(engine + 2))
        else:
            queue.fetched_bytes += value
            self.blame_fetch(engine)

    def blame(self, now: int, cause: Cause) -> None:
        """A completion may be what a queue's next job waited for: remember the last one that mattered."""
        for queue in self.queues:
            if queue.issued < len(queue.jobs):
                wait = queue.jobs[queue.issued].wait
                needed = (wait.dma_in, wait.dma_out, wait.compute)[cause - 2]
                if self.queues[cause - 2].completed == needed and now > queue.free_at:
                    queue.causes[queue.issued] = cause

    def blame_fetch(self, engine: int) -> None:
        queue = self.queues[engine]
        if queue.issued < len(queue.jobs):
            needed = queue.consumed_bytes + queue.jobs[queue.issued].fetch_bytes
            if queue.fetched_bytes >= needed and len(queue.causes) > queue.issued:
                queue.causes[queue.issued] = Cause.FETCH

    def grant(self, now: int) -> None:
        """Gives a free DRAM to the request that asked first."""
        if not (self.dram_free and self.waiting):
            return
        _, _, _, engine, value = heapq.heappop(self.waiting)
        self.dram_free = False
        queue = self.queues[engine]
        if value < 0:
            busy = -(-self.machine.dram_burst_bytes // self.machine.dram_bytes_per_cycle)
            self.dram_busy[2] += busy
            self.push(now + busy, self.FETCHED, engine, -value)
        else:
            job = queue.jobs[value]
            busy = job.dram_cycles
            self.dram_busy[engine] += busy
            queue.unpack_free = max(now, queue.unpack_free) + max(job.cycles, 0)
            self.push(max(now + busy, queue.unpack_free), self.DONE, engine, value)
        self.push(now + busy, self.FREE, engine, 0)

    def start_all(self, now: int) -> None:
        for engine in Engine:
            while self.can_start(engine):
                self.start(engine, now)

    def can_start(self, engine: Engine) -> bool:
        queue = self.queues[engine]
        if queue.issued >= len(queue.jobs):
            return False
        if len(queue.causes) <= queue.issued:
            queue.causes.append(Cause.NONE)
        job = queue.jobs[queue.issued]
        if queue.consumed_bytes + job.fetch_bytes > queue.fetched_bytes:
            return False
        if engine is Engine.COMPUTE:
            if queue.completed < queue.issued:
                return False
        elif queue.issued - queue.completed >= self.machine.dma_outstanding:
            return False
        done = [other.completed for other in self.queues]
        return job.wait.dma_in <= done[0] and job.wait.dma_out <= done[1] and job.wait.compute <= done[2]

    def start(self, engine: Engine, now: int) -> None:
        queue = self.queues[engine]
        index = queue.issued
        job = queue.jobs[index]
        queue.issued += 1
        queue.consumed_bytes += job.fetch_bytes
        queue.starts.append(now)
        queue.ends.append(now)
        if engine is Engine.COMPUTE:
            queue.free_at = now + job.cycles
            self.push(now + job.cycles, self.DONE, engine, index)
        else:
            self.push(now + self.machine.dma_latency_cycles, self.ASK, engine, index)
        self.fetch(engine, now)

    def fetch(self, engine: Engine, now: int) -> None:
        """Asks for instruction bursts while the FIFO has room for a whole one."""
        queue = self.queues[engine]
        burst = self.machine.dram_burst_bytes
        room = max(self.machine.instruction_fifo_bytes, 2 * burst)
        while queue.fetch_asked < self.total_fetch[engine] and queue.fetch_asked - queue.consumed_bytes + burst <= room:
            queue.fetch_asked += burst
            self.push(now + self.machine.dma_latency_cycles, self.FETCH_ASK, engine, burst)

    def check_finished(self) -> None:
        stuck = [
            f"{Engine(index).name.lower()} at command {queue.issued} of {len(queue.jobs)}"
            for index, queue in enumerate(self.queues)
            if queue.completed < len(queue.jobs)
        ]
        if stuck:
            raise ExecutionError(f"deadlock: {'; '.join(stuck)}: the waits can never be met")

"""When things happen: three in-order queues, one DRAM, explicit waits.

In: per engine, the jobs in stream order. Out: start and end of every job, and what each compute job waited for last.
The schedule stage asks it for a prediction and the timing simulator for a replay of decoded bytes; both describe their
commands as `Job`s, so the rules of time stand in one place.

Rules. A job starts when it is fetched, its waits are met, its engine has started the job before and has a place free.
One with a ``lead`` begins its work so long before its own start, so its command and waits must be there by then.
The compute engine has one place, a DMA engine ``dma_outstanding``; a job keeps its place until it ends. A transfer
asks for the DRAM ``dma_latency_cycles`` after its start. The DRAM serves one request at a time, in order of asking
(ties: DMA in, DMA out, instructions in order of engine). A load ends when its last byte has arrived and the
decompressor, which works on one load at a time and starts with its first byte, has written its output. Instructions
are asked for burst by burst, as long as a whole one fits an engine's FIFO beside the bytes of jobs that have not
started; the FIFO always has room for two bursts and for the longest command. Where transfers share on-chip ports with
the command that computes, a transfer that holds the DRAM moves no more bytes than the command leaves; but when the
next command waits for a transfer, transfers go first, and the command moves no more than they leave. What ends in a
cycle is seen by everything that starts in the same cycle; the DRAM is granted last.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.program import Engine, Wait
from sima_compiler.machine.contention import FULL_SPEED, Work, speeds
from sima_compiler.machine.description import Machine
from sima_compiler.machine.traffic import SharedPorts, ceil_div

#: Of a job that shares none.
NO_PORTS = SharedPorts()


@dataclass(frozen=True, slots=True)
class Job:
    """One command as time sees it, in cycles and bytes.

    ``cycles``: compute time, or the decompressor's time of a load. ``dram_cycles``: DRAM time of a transfer, and
    ``chip_bytes`` what it moves on chip. ``ports``: the on-chip ports that a compute job shares with transfers.
    ``lead``: so many cycles before its start its waits must be met (`runs`: its work begins behind another's end).
    """

    wait: Wait
    fetch_bytes: int
    cycles: int = 0
    dram_cycles: int = 0
    chip_bytes: int = 0
    ports: SharedPorts = NO_PORTS
    lead: int = 0


class Cause(IntEnum):
    """What a job waited for last."""

    NONE = 0
    FETCH = 1
    DMA_IN = 2
    DMA_OUT = 3
    COMPUTE = 4


#: The causes that are completions, in order of `Engine`.
_CAUSES = (Cause.DMA_IN, Cause.DMA_OUT, Cause.COMPUTE)


@dataclass(frozen=True, slots=True)
class Span:
    """When a job started and ended (exclusive), and the last thing it waited for after its engine was free.

    ``behind``: (engine, index) of the last transfer that slowed a compute job.
    """

    start: int
    end: int
    cause: Cause = Cause.NONE
    behind: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Spans per engine in stream order; ``end`` is when the last of them is done; DRAM busy cycles per user.

    ``moving``: disjoint (start, end) in time order during which a transfer, a fetch or the decompressor was at work.
    """

    spans: tuple[tuple[Span, ...], ...]
    end: int
    dram_busy: tuple[int, int, int]
    moving: tuple[tuple[int, int], ...] = ()


def replay(streams: Sequence[Sequence[Job]], machine: Machine) -> Timeline:
    """Runs the streams (indexed by `Engine`) on the machine.

    Raises:
        ExecutionError: the waits can never be met; the message names the job that each engine stands at.
    """
    return _Replay(streams, machine).run()


class _Queue:
    """The running state of one engine. Jobs start, and end, in order."""

    def __init__(self, jobs: Sequence[Job], places: int, machine: Machine) -> None:
        self.jobs = jobs
        self.places = places
        self.consumed = [0, *accumulate(job.fetch_bytes for job in jobs)]
        self.burst = machine.dram_burst_bytes
        self.bursts = ceil_div(self.consumed[-1], self.burst)
        longest = max((job.fetch_bytes for job in jobs), default=0)
        self.room = max(machine.instruction_fifo_bytes, 2 * self.burst, longest + self.burst)
        self.asked = 0
        self.arrivals: list[int] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.causes: list[Cause] = []
        self.behind: dict[int, tuple[int, int]] = {}
        self.completed = 0
        self.unpacked_at = 0

    def spans(self) -> tuple[Span, ...]:
        """What came of the jobs, in stream order."""
        parts = zip(self.starts, self.ends, self.causes, strict=True)
        return tuple(Span(*part, self.behind.get(index)) for index, part in enumerate(parts))

    def bursts_for(self, index: int) -> int:
        """Bursts that must have arrived before job ``index`` can start."""
        return -(-self.consumed[index + 1] // self.burst)

    def free_at(self, index: int) -> int:
        """When the engine could have taken job ``index``."""
        before = self.starts[index - 1] if index else 0
        return max(before, self.ends[index - self.places]) if index >= self.places else before

    def wants_burst(self) -> bool:
        """Whether another burst exists and fits the FIFO."""
        ahead = self.asked * self.burst - self.consumed[len(self.starts)]
        return self.asked < self.bursts and ahead + self.burst <= self.room


class _Replay:
    """A discrete-event simulation; events are (time, kind, engine, index)."""

    FREE, DONE, FETCHED, ASK, FETCH_ASK, LED = range(6)

    def __init__(self, streams: Sequence[Sequence[Job]], machine: Machine) -> None:
        places = (machine.dma_outstanding, machine.dma_outstanding, 1)
        self.queues = [_Queue(jobs, count, machine) for jobs, count in zip(streams, places, strict=True)]
        self.latency = machine.dma_latency_cycles
        self.burst_cycles = ceil_div(machine.dram_burst_bytes, machine.dram_bytes_per_cycle)
        self.events: list[tuple[int, int, int, int]] = []
        self.waiting: list[tuple[int, int, int]] = []  # (asked at, rank, index); ranks 0-1 DMA, 2-4 instructions
        self.dram_free = True
        self.transfer: Work | None = None
        self.running: Work | None = None
        self.dram_busy = [0, 0, 0]
        self.moving: list[tuple[int, int]] = []
        self.end = 0

    def run(self) -> Timeline:
        for engine in range(len(self.queues)):
            self.fetch(engine, 0)
        self.start_all(0)
        while (now := self.next_time()) is not None:
            self.end = now
            while self.next_time() == now:
                self.handle(*heapq.heappop(self.events))
            self.start_all(now)
            if self.dram_free and self.waiting and self.next_time() != now:
                self.grant(now)
        self.check_finished()
        return Timeline(
            tuple(queue.spans() for queue in self.queues),
            self.end,
            (self.dram_busy[0], self.dram_busy[1], self.dram_busy[2]),
            tuple(self.moving),
        )

    def next_time(self) -> int | None:
        """When the next event is; ends of work whose speed has changed since are dropped."""
        while self.events:
            time, kind, engine, index = self.events[0]
            paced = (kind == self.FREE and engine < Engine.COMPUTE) or (kind == self.DONE and engine == Engine.COMPUTE)
            work = self.transfer if kind == self.FREE else self.running
            if not paced or (work is not None and (work.index, work.due) == (index, time)):
                return time
            heapq.heappop(self.events)
        return None

    def handle(self, now: int, kind: int, engine: int, index: int) -> None:
        if kind == self.FREE:
            self.free(now)
        elif kind == self.DONE:
            self.queues[engine].completed += 1
            if engine == Engine.COMPUTE:
                self.queues[engine].ends.append(now)
                self.running = None
            self.pace(now)
        elif kind == self.FETCHED:
            self.queues[engine].arrivals.append(now)
        elif kind != self.LED:
            heapq.heappush(self.waiting, (now, engine if kind == self.ASK else 2 + engine, index))

    def start_all(self, now: int) -> None:
        for engine in range(len(self.queues)):
            while self.can_start(engine) and self.led(engine, now):
                self.start(engine, now)

    def can_start(self, engine: int) -> bool:
        queue = self.queues[engine]
        index = len(queue.starts)
        if index >= len(queue.jobs) or index - queue.completed >= queue.places:
            return False
        wait = queue.jobs[index].wait
        loads, stores, computes = self.queues
        return (
            wait.dma_in <= loads.completed
            and wait.dma_out <= stores.completed
            and wait.compute <= computes.completed
            and queue.bursts_for(index) <= len(queue.arrivals)
        )

    def led(self, engine: int, now: int) -> bool:
        """Whether the waits of the next job were met long enough ago; if not, an event comes when they will be."""
        queue = self.queues[engine]
        index = len(queue.starts)
        if not queue.jobs[index].lead:
            return True
        earliest = self.met(queue, index)[0]
        if earliest > now:
            heapq.heappush(self.events, (earliest, self.LED, engine, index))
        return earliest <= now

    def start(self, engine: int, now: int) -> None:
        queue = self.queues[engine]
        index = len(queue.starts)
        queue.causes.append(self.cause(queue, index))
        queue.starts.append(now)
        if engine == Engine.COMPUTE:
            self.running = Work(engine, index, now, now, queue.jobs[index].cycles * FULL_SPEED)
            self.pace(now)
        else:
            heapq.heappush(self.events, (now + self.latency, self.ASK, engine, index))
        self.fetch(engine, now)

    def cause(self, queue: _Queue, index: int) -> Cause:
        """What was there last, if it came after the engine was free; ties go to the cause named first."""
        latest, cause = self.met(queue, index)
        return cause if latest > queue.free_at(index) else Cause.NONE

    def met(self, queue: _Queue, index: int) -> tuple[int, Cause]:
        """When a job that waits for nothing more may start for all of that, and what came last."""
        job, bursts = queue.jobs[index], queue.bursts_for(index)
        latest, cause = 0, Cause.NONE
        wait = job.wait
        for one, counted, other in zip(_CAUSES, (wait.dma_in, wait.dma_out, wait.compute), self.queues, strict=True):
            if counted and other.ends[counted - 1] > latest:
                latest, cause = other.ends[counted - 1], one
        if bursts and queue.arrivals[bursts - 1] > latest:
            latest, cause = queue.arrivals[bursts - 1], Cause.FETCH
        return latest + job.lead, cause

    def fetch(self, engine: int, now: int) -> None:
        """Asks for instruction bursts while the FIFO has room for a whole one."""
        queue = self.queues[engine]
        while queue.wants_burst():
            heapq.heappush(self.events, (now + self.latency, self.FETCH_ASK, engine, queue.asked))
            queue.asked += 1

    def grant(self, now: int) -> None:
        """Gives the free DRAM to the request that asked first."""
        _, rank, index = heapq.heappop(self.waiting)
        self.dram_free = False
        if rank >= 2:
            done = now + self.burst_cycles
            self.dram_busy[2] += self.burst_cycles
            self.mark_moving(now, done)
            heapq.heappush(self.events, (done, self.FETCHED, rank - 2, index))
            heapq.heappush(self.events, (done, self.FREE, rank, index))
        else:
            queue = self.queues[rank]
            job = queue.jobs[index]
            queue.unpacked_at = max(now, queue.unpacked_at) + job.cycles
            self.transfer = Work(rank, index, now, now, job.dram_cycles * FULL_SPEED)
            self.pace(now)

    def free(self, now: int) -> None:
        """The DRAM is free again; a load is done when it is unpacked too."""
        self.dram_free = True
        transfer, self.transfer = self.transfer, None
        if transfer is not None:
            queue = self.queues[transfer.engine]
            done = max(now, queue.unpacked_at)
            queue.ends.append(done)
            self.dram_busy[transfer.engine] += now - transfer.start
            self.mark_moving(transfer.start, done)
            heapq.heappush(self.events, (done, self.DONE, transfer.engine, transfer.index))
            self.pace(now)

    def urgent(self) -> bool:
        """Whether the command behind the one that computes waits for a transfer."""
        loads, stores, computes = self.queues
        index = len(computes.starts)
        if index == len(computes.jobs):
            return True
        wait = computes.jobs[index].wait
        return wait.dma_in > loads.completed or wait.dma_out > stores.completed

    def pace(self, now: int) -> None:
        """The compute job and the transfer in work go on at the speeds that they leave each other."""
        job, transfer = self.running, self.transfer
        paces = (FULL_SPEED, FULL_SPEED)
        if job is not None and transfer is not None:
            paces = self.shared_speeds(job, transfer)
            if paces[0] < FULL_SPEED:
                self.queues[Engine.COMPUTE].behind[job.index] = (transfer.engine, transfer.index)
        for work, speed, kind in ((job, paces[0], self.DONE), (transfer, paces[1], self.FREE)):
            if work is not None:
                before = work.due
                work.pace(now, speed)
                if work.due not in (before, -1):
                    heapq.heappush(self.events, (work.due, kind, work.engine, work.index))

    def shared_speeds(self, job: Work, transfer: Work) -> tuple[int, int]:
        moved = self.queues[transfer.engine].jobs[transfer.index]
        if not moved.dram_cycles:
            return FULL_SPEED, FULL_SPEED
        ports = self.queues[Engine.COMPUTE].jobs[job.index].ports
        wanted = ceil_div(1000 * moved.chip_bytes, moved.dram_cycles)
        shared = ports.loads if transfer.engine == Engine.DMA_IN else ports.stores
        return speeds(shared, wanted, urgent=self.urgent())

    def mark_moving(self, start: int, end: int) -> None:
        if self.moving and start <= self.moving[-1][1]:
            self.moving[-1] = (self.moving[-1][0], max(self.moving[-1][1], end))
        elif end > start:
            self.moving.append((start, end))

    def check_finished(self) -> None:
        stuck = [
            f"{Engine(index).name.lower()} at command {len(queue.starts)} of {len(queue.jobs)}"
            for index, queue in enumerate(self.queues)
            if queue.completed < len(queue.jobs)
        ]
        if stuck:
            raise ExecutionError(f"deadlock: {'; '.join(stuck)}: the waits can never be met")

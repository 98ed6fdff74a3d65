"""The rules of time once more, as plainly as they can be written: every cycle is stepped and nothing is predicted.

In: jobs per engine and a machine. Out: (start, end) of every job per engine, and the cycle after the last one. It
shares no code with `machine.timeline`; slow on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sima_compiler.machine.description import Machine
from sima_compiler.machine.timeline import Job

DMA_IN, DMA_OUT, COMPUTE = 0, 1, 2
#: A compute job at full speed does this many parts of its work per cycle.
PARTS = 1024


@dataclass
class Engine:
    """What one engine can see of itself."""

    jobs: Sequence[Job]
    started: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    fetched: int = 0  # bytes that have arrived
    asked: int = 0  # bytes that were asked for
    left: int = 0  # parts of the running compute job

    def bytes_of(self, count: int) -> int:
        return sum(job.fetch_bytes for job in self.jobs[:count])


@dataclass
class Request:
    """Somebody who wants the DRAM: its engine, whether for an instruction, when it asks, how long it takes."""

    rank: int
    engine: int
    instruction: bool
    asks: int
    cycles: int
    left: int = 0
    chip_bytes: int = 0


class Stepper:
    """The machine at one cycle."""

    def __init__(self, streams: Sequence[Sequence[Job]], machine: Machine) -> None:
        self.machine = machine
        self.engines = [Engine(jobs) for jobs in streams]
        self.requests: list[Request] = []
        self.served: Request | None = None
        self.unpacking: list[int] = []  # decompressor cycles of granted loads, first come first served
        self.arrived = 0  # loads whose bytes are all on chip
        self.unpacked = 0
        self.granted_loads = 0
        self.clock = 0
        self.last = 0

    def run(self, limit: int = 100_000) -> tuple[list[list[tuple[int, int]]], int]:
        while any(len(engine.ended) < len(engine.jobs) for engine in self.engines):
            assert self.clock < limit, "no end in sight"
            self.settle()
            self.step()
        spans = [list(zip(engine.started, engine.ended, strict=True)) for engine in self.engines]
        return spans, self.last

    def settle(self) -> None:
        """Everything that happens at the edge of a cycle, until nothing more does."""
        while self.finish() or self.begin() or self.grant():
            self.last = self.clock

    def step(self) -> None:
        """One cycle of work: the DRAM, the decompressor, the latencies."""
        compute_speed, transfer_speed = self.speeds()
        if self.served is not None:
            self.served.left -= transfer_speed
        if self.unpacking:
            self.unpacking[0] -= 1
        compute = self.engines[COMPUTE]
        compute.left -= compute_speed
        self.clock += 1

    def speeds(self) -> tuple[int, int]:
        """Parts that the running compute job does in this cycle, and parts that the transfer on the DRAM does."""
        served, compute = self.served, self.engines[COMPUTE]
        if served is None or served.instruction or served.cycles == 0 or len(compute.ended) == len(compute.started):
            return PARTS, PARTS
        shared = compute.jobs[len(compute.ended)].ports
        ports = shared.loads if served.engine == DMA_IN else shared.stores
        wanted = given = -(-served.chip_bytes * 1000 // served.cycles)
        if not self.compute_will_wait():
            for limit, use in ports:
                given = max(0, min(given, limit - use))
        job = PARTS
        for limit, use in ports:
            if limit - given < use:
                job = min(job, max(0, limit - given) * PARTS // use)
        return job, PARTS if given == wanted else given * PARTS // wanted

    def compute_will_wait(self) -> bool:
        compute = self.engines[COMPUTE]
        if len(compute.started) == len(compute.jobs):
            return True
        wait = compute.jobs[len(compute.started)].wait
        return wait.dma_in > len(self.engines[DMA_IN].ended) or wait.dma_out > len(self.engines[DMA_OUT].ended)

    def finish(self) -> bool:
        changed = self.finish_transfer()
        while self.unpacking and self.unpacking[0] <= 0:
            self.unpacking.pop(0)
            self.unpacked += 1
            changed = True
        loads, compute = self.engines[DMA_IN], self.engines[COMPUTE]
        while len(loads.ended) < min(self.arrived, self.unpacked):
            loads.ended.append(self.clock)
            changed = True
        if len(compute.ended) < len(compute.started) and compute.left <= 0:
            compute.ended.append(self.clock)
            changed = True
        return changed

    def finish_transfer(self) -> bool:
        done = self.served
        if done is None or done.left > 0:
            return False
        self.served = None
        if done.instruction:
            self.engines[done.engine].fetched += self.machine.dram_burst_bytes
        elif done.engine == DMA_IN:
            self.arrived += 1
        else:
            self.engines[DMA_OUT].ended.append(self.clock)
        return True

    def begin(self) -> bool:
        changed = False
        for number, engine in enumerate(self.engines):
            changed |= self.fetch_ahead(number, engine)
            if self.may_start(number, engine):
                job = engine.jobs[len(engine.started)]
                engine.started.append(self.clock)
                engine.left = job.cycles * PARTS
                if number != COMPUTE:
                    asks = self.clock + self.machine.dma_latency_cycles
                    request = Request(number, number, instruction=False, asks=asks, cycles=job.dram_cycles)
                    request.chip_bytes = job.chip_bytes
                    self.requests.append(request)
                changed = True
        return changed

    def may_start(self, number: int, engine: Engine) -> bool:
        index = len(engine.started)
        places = 1 if number == COMPUTE else self.machine.dma_outstanding
        if index == len(engine.jobs) or index - len(engine.ended) >= places:
            return False
        wait = engine.jobs[index].wait
        counts = [len(other.ended) for other in self.engines]
        met = all(n <= count for n, count in zip((wait.dma_in, wait.dma_out, wait.compute), counts, strict=True))
        return met and engine.bytes_of(index + 1) <= engine.fetched

    def fetch_ahead(self, number: int, engine: Engine) -> bool:
        burst = self.machine.dram_burst_bytes
        longest = max((job.fetch_bytes for job in engine.jobs), default=0)
        fifo = max(self.machine.instruction_fifo_bytes, 2 * burst, longest + burst)
        unstarted = engine.asked - engine.bytes_of(len(engine.started))
        if engine.asked >= engine.bytes_of(len(engine.jobs)) or unstarted + burst > fifo:
            return False
        engine.asked += burst
        asks = self.clock + self.machine.dma_latency_cycles
        cycles = -(-burst // self.machine.dram_bytes_per_cycle)
        self.requests.append(Request(2 + number, number, instruction=True, asks=asks, cycles=cycles))
        return True

    def grant(self) -> bool:
        asking = [request for request in self.requests if request.asks <= self.clock]
        if self.served is not None or not asking:
            return False
        first = min(asking, key=lambda request: (request.asks, request.rank))
        self.requests.remove(first)
        first.left = first.cycles * PARTS
        self.served = first
        if not first.instruction and first.engine == DMA_IN:
            self.unpacking.append(self.engines[DMA_IN].jobs[self.granted_loads].cycles)
            self.granted_loads += 1
        return True

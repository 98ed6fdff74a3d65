"""A program in time: jobs for the timeline, and what came of them per layer.

In: a program, the DRAM bytes of its constants blocks, the bytes of its commands. Out: runtime, per-layer compute and
stalls. Always holds, for every layer and in total: runtime = compute + stalls. The compute queue is what a layer's time
is measured on: a cycle in which it does not work belongs to the layer that it waits to run, under the name of what it
waited for last, and cycles that a command loses to a transfer on a shared port are stalls of that
transfer's kind; the cycles after its last command belong to that command's layer, as output stall.

``bound_by`` is the largest part of a layer's runtime: compute; transfers of weights or of activations (stalls while
something moved); latency (stalls while nothing moved, and those for instructions). Ties go in that order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from sima_compiler.ir.program import (
    ComputeCommand,
    Engine,
    LoadConstants,
    LoadTensor,
    Program,
    Role,
    StoreTensor,
)
from sima_compiler.ir.schedule import BoundBy, LayerTiming, Stall, Work
from sima_compiler.machine.cost import (
    CommandWork,
    box_cycles,
    command_traffic,
    command_work,
    constants_cycles,
    macs,
)
from sima_compiler.machine.description import Machine
from sima_compiler.machine.runs import leads
from sima_compiler.machine.starts import entries
from sima_compiler.machine.timeline import NO_PORTS, Cause, Job, Span, Timeline, replay
from sima_compiler.machine.traffic import shared_ports, shares_ports, transfer_cycles


@dataclass(frozen=True, slots=True)
class Trace:
    """Per-layer times in layer order, the timeline that they come from, and the runtime in cycles."""

    layers: tuple[LayerTiming, ...]
    timeline: Timeline
    runtime: int


def trace(program: Program, stored: Sequence[int], fetch_bytes: Sequence[Sequence[int]], machine: Machine) -> Trace:
    """Runs the program through the timeline.

    Args:
        program: commands with waits.
        stored: DRAM bytes of each constants block.
        fetch_bytes: per engine, the encoded bytes of each command.
        machine: the machine description.
    """
    works = [command_work(command, machine, program.quads) for command in program.compute]
    jobs = [
        [_load(c, b, stored, program, machine) for c, b in zip(program.dma_in, fetch_bytes[0], strict=True)],
        [_moved(c, b, program, machine) for c, b in zip(program.dma_out, fetch_bytes[1], strict=True)],
        _compute_jobs(program, fetch_bytes[2], works, machine),
    ]
    timeline = replay(jobs, machine)
    return Trace(_layers(program, jobs, works, timeline), timeline, timeline.end)


def _load(
    command: LoadConstants | LoadTensor, size: int, stored: Sequence[int], program: Program, machine: Machine
) -> Job:
    if isinstance(command, LoadTensor):
        return _moved(command, size, program, machine)
    raw = len(program.constants[command.constants].data)
    dram, unpack = constants_cycles(stored[command.constants], raw, machine)
    dram = max(dram, transfer_cycles(raw, machine, program.quads, incoming=True))
    return Job(command.wait, size, unpack, dram, raw)


def _moved(command: LoadTensor | StoreTensor, size: int, program: Program, machine: Machine) -> Job:
    moved, incoming = command.box.bytes, isinstance(command, LoadTensor)
    port = transfer_cycles(moved, machine, program.quads, incoming=incoming)
    return Job(command.wait, size, 0, max(box_cycles(command.box, machine), port), moved)


def _compute_jobs(program: Program, sizes: Sequence[int], works: Sequence[CommandWork], machine: Machine) -> list[Job]:
    jobs: list[Job] = []
    entered = entries(program.compute, (*program.dma_in, *program.dma_out), program.tensors, program.constants)
    ahead = leads(program.compute, works, entered, machine)
    rows = zip(program.compute, sizes, works, entered, ahead, strict=True)
    for command, size, work, entry, lead in rows:
        cycles = work.cycles + entry.cycles(machine) - lead
        ports = NO_PORTS
        if shares_ports(machine):
            ports = shared_ports(command_traffic(command, machine, program.quads), cycles, machine, program.quads)
        jobs.append(Job(command.wait, size, cycles, ports=ports, lead=lead))
    return jobs


@dataclass(slots=True)
class _Tally:
    """Running sums of one layer."""

    compute: int = 0
    macs: int = 0
    weights: int = 0
    activation: int = 0
    stalls: dict[Stall, int] = field(default_factory=lambda: dict.fromkeys(Stall, 0))
    idle: dict[Stall, int] = field(default_factory=lambda: dict.fromkeys(Stall, 0))
    intervals: list[tuple[int, int]] = field(default_factory=list)
    work: dict[Work, int] = field(default_factory=lambda: dict.fromkeys(Work, 0))

    def spend(self, work: CommandWork, cycles: int) -> None:
        """Adds one command of so many cycles; what is not the command's own work starts its layer."""
        self.compute += cycles
        self.work[Work.ARRAY] += work.array
        self.work[Work.VECTOR] += work.vector
        self.work[Work.START] += cycles - work.array - work.vector

    def timing(self) -> LayerTiming:
        bound = _bound_by(self.compute, self.stalls, self.idle)
        return LayerTiming(
            compute=self.compute,
            stalls={stall.value: cycles for stall, cycles in self.stalls.items()},
            macs=self.macs,
            weights_cycles=self.weights,
            activation_cycles=self.activation,
            bound_by=bound,
            intervals=tuple(self.intervals),
            work={work.value: cycles for work, cycles in self._within().items()},
        )

    def _within(self) -> dict[Work, int]:
        """The work inside the layer's own time.

        Where a run crosses a label, pixels have streamed while the commands of the label in front still drained: their
        cycles stand there, and no start can be negative.
        """
        hidden = min(0, self.work[Work.START])
        streaming = Work.ARRAY if self.work[Work.ARRAY] >= -hidden else Work.VECTOR
        shifted = {Work.START: -hidden, streaming: hidden}
        return {work: cycles + shifted.get(work, 0) for work, cycles in self.work.items()}


def _layers(
    program: Program, jobs: Sequence[Sequence[Job]], works: Sequence[CommandWork], timeline: Timeline
) -> tuple[LayerTiming, ...]:
    tallies = [_Tally() for _ in program.layers]
    for command, job in zip(program.dma_in, jobs[Engine.DMA_IN], strict=True):
        if isinstance(command, LoadConstants):
            tallies[command.layer].weights += max(job.dram_cycles, job.cycles)
        else:
            tallies[command.layer].activation += job.dram_cycles
    for store, job in zip(program.dma_out, jobs[Engine.DMA_OUT], strict=True):
        tallies[store.layer].activation += job.dram_cycles
    _walk_compute(program, jobs[Engine.COMPUTE], works, timeline, tallies)
    return tuple(tally.timing() for tally in tallies)


def _walk_compute(
    program: Program,
    jobs: Sequence[Job],
    works: Sequence[CommandWork],
    timeline: Timeline,
    tallies: Sequence[_Tally],
) -> None:
    clock = 0
    moved = _Moved(timeline)
    rows = zip(program.compute, jobs, works, timeline.spans[Engine.COMPUTE], strict=True)
    for command, job, work, span in rows:
        tally = tallies[command.layer]
        moved.add(tally, stall_of(program, timeline, command, span), clock, span.start)
        tally.spend(work, job.cycles)
        if span.behind is not None:
            tally.stalls[_slowing(program, *span.behind)] += span.end - span.start - job.cycles
        tally.macs += macs(command)
        if tally.intervals and tally.intervals[-1][1] == span.start:
            tally.intervals[-1] = (tally.intervals[-1][0], span.end)
        else:
            tally.intervals.append((span.start, span.end))
        clock = span.end
    if program.compute:
        moved.add(tallies[program.compute[-1].layer], Stall.OUTPUT, clock, timeline.end)


class _Moved:
    """Adds stalls to tallies, and how much of each passed while nothing moved."""

    def __init__(self, timeline: Timeline) -> None:
        self._ends = [end for _, end in timeline.moving]
        self._starts = [start for start, _ in timeline.moving]
        self._before = [0, *accumulate(end - start for start, end in timeline.moving)]

    def add(self, tally: _Tally, stall: Stall, start: int, end: int) -> None:
        if end > start:
            tally.stalls[stall] += end - start
            tally.idle[stall] += end - start - (self._until(end) - self._until(start))

    def _until(self, clock: int) -> int:
        """Cycles before ``clock`` in which something moved."""
        index = bisect_right(self._ends, clock)
        current = clock - self._starts[index] if index < len(self._starts) else 0
        return self._before[index] + max(0, current)


def stall_of(program: Program, timeline: Timeline, command: ComputeCommand, span: Span) -> Stall:
    """The name of the stall in front of a command."""
    if span.cause is Cause.FETCH:
        return Stall.INSTRUCTION
    if span.cause is Cause.DMA_OUT:
        return Stall.OUTPUT
    if span.cause is Cause.DMA_IN and command.wait.dma_in:
        index = command.wait.dma_in - 1
        load = program.dma_in[index]
        if isinstance(load, LoadConstants):
            return Stall.WEIGHTS
        spilled = program.tensors[load.tensor].role is Role.SPILL
        late = timeline.spans[Engine.DMA_IN][index].cause is Cause.DMA_OUT
        return Stall.DEPENDENCY if spilled and late else Stall.INPUT
    return Stall.DEPENDENCY


def _slowing(program: Program, engine: int, index: int) -> Stall:
    """The name of the cycles that a transfer took from a command through ports that they share."""
    if engine == Engine.DMA_OUT:
        return Stall.OUTPUT
    return Stall.WEIGHTS if isinstance(program.dma_in[index], LoadConstants) else Stall.INPUT


def _bound_by(compute: int, stalls: Mapping[Stall, int], idle: Mapping[Stall, int]) -> BoundBy:
    """What a layer's runtime is made of, for the largest part."""
    activations = (Stall.INPUT, Stall.OUTPUT, Stall.DEPENDENCY)
    shares = {
        BoundBy.COMPUTE: compute,
        BoundBy.WEIGHTS_DMA: stalls[Stall.WEIGHTS] - idle[Stall.WEIGHTS],
        BoundBy.ACTIVATION_DMA: sum(stalls[stall] - idle[stall] for stall in activations),
        BoundBy.LATENCY: stalls[Stall.INSTRUCTION] + idle[Stall.WEIGHTS] + sum(idle[stall] for stall in activations),
    }
    return max(shares, key=lambda bound: shares[bound])

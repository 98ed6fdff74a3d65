"""What a report is made of, and the run of the program that was built.

In: the outcome of a compile. Out: frozen records.
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.archive.report_records import HostLayer
from sima_compiler.bounds.loads import LayerLoad
from sima_compiler.bounds.total import Bounds
from sima_compiler.ir.layers import Segment
from sima_compiler.ir.program import Engine
from sima_compiler.ir.schedule import Schedule
from sima_compiler.lm.writer import command_bytes
from sima_compiler.machine.description import Machine
from sima_compiler.machine.timeline import Timeline
from sima_compiler.machine.trace import trace
from sima_compiler.negotiate import Negotiation


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A segment of the A65: ``so`` is the name of its binary in the archive."""

    name: str
    so: str
    layers: tuple[HostLayer, ...]


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The facts of one MLA segment. ``lm``: the name of its binary in the archive; its layers count from ``first``."""

    name: str
    machine: Machine
    quads: int
    compress: bool
    segment: Segment
    negotiation: Negotiation
    loads: tuple[LayerLoad, ...]
    bounds: Bounds
    lm: str
    first: int = 0

    @property
    def schedule(self) -> Schedule:
        """The schedule that was built."""
        return self.negotiation.plan.schedule

    @property
    def efficiency(self) -> float:
        """Bound over runtime, 1.0 at best."""
        return round(self.bounds.bound_cycles / max(1, self.schedule.runtime), 6)

    @property
    def peak(self) -> int:
        """Multiply-accumulates per cycle of the quads in use."""
        return self.machine.macs_per_cycle(self.quads)


@dataclass(frozen=True, slots=True)
class ReportRun:
    """The program's run: its timeline, and the DRAM bytes of instructions, fetched in whole bursts."""

    timeline: Timeline
    instruction_bytes: int


def run_of(facts: ReportFacts) -> ReportRun:
    """The run of the program that was built; schedules of candidates keep no timeline, so it is replayed once."""
    schedule, burst = facts.schedule, facts.machine.dram_burst_bytes
    program = schedule.program
    streams = {Engine.DMA_IN: program.dma_in, Engine.DMA_OUT: program.dma_out, Engine.COMPUTE: program.compute}
    fetch = [[command_bytes(command) for command in streams[engine]] for engine in Engine]
    timed = trace(program, [len(block) for block in schedule.stored], fetch, facts.machine)
    return ReportRun(timed.timeline, sum(-(-sum(sizes) // burst) * burst for sizes in fetch))

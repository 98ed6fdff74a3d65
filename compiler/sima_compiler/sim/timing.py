"""Runtime cycles of an `.lm`: the decoded commands, replayed with DMA, DRAM bandwidth, instruction fetch and waits.

In: the bytes of an `.lm`. Out: a `RuntimeTrace`. Always holds, per layer and in total: runtime = compute + stalls.
Nothing but the bytes is read; the machine description travels inside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sima_compiler.ir.program import Engine
from sima_compiler.ir.schedule import STALLS, LayerTiming
from sima_compiler.lm.reader import LmFile, read
from sima_compiler.machine.trace import trace
from sima_compiler.sim.mappings import machine_of


@dataclass(frozen=True, slots=True)
class Event:
    """One command of the run; cycles, end exclusive."""

    engine: str
    layer: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RuntimeTrace:
    """What a run of the whole batch took. ``layers`` are (name, timing) in layer order; ``events`` in stream order."""

    clock_mhz: int
    runtime_cycles: int
    compute_cycles: int
    stall_cycles: Mapping[str, int]
    layers: tuple[tuple[str, LayerTiming], ...]
    events: tuple[Event, ...]


def replay_lm(data: bytes) -> RuntimeTrace:
    """The runtime trace of an `.lm`.

    Raises:
        LmError: the file is damaged. ExecutionError: its waits can never be met, or a mapping that no tiles can hold.
    """
    return replay_file(read(data))


def replay_file(found: LmFile) -> RuntimeTrace:
    """`replay_lm` for a file that was decoded before."""
    program = found.program
    machine = machine_of(program)
    streams = (program.dma_in, program.dma_out, program.compute)
    timed = trace(program, found.stored_bytes, found.command_bytes, machine)
    names = [layer.name for layer in program.layers]
    events = tuple(
        Event(engine.name.lower(), names[command.layer], span.start, span.end)
        for engine, stream in zip(Engine, streams, strict=True)
        for command, span in zip(stream, timed.timeline.spans[engine], strict=True)
    )
    stalls = {name: sum(layer.stalls[name] for layer in timed.layers) for name in STALLS}
    compute = sum(layer.compute for layer in timed.layers)
    layers = tuple(zip(names, timed.layers, strict=True))
    return RuntimeTrace(
        clock_mhz=machine.clock_mhz,
        runtime_cycles=timed.runtime,
        compute_cycles=compute,
        stall_cycles=stalls,
        layers=layers,
        events=events,
    )

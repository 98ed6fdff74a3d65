"""Schedule: commands get their waits, and the machine model says when everything happens.

Before: a tiling with addresses. After: a `Program` in three streams and per-layer times. Checks: a command waits for
each other engine exactly as far as its bytes demand; compute cycles and stalls add up to the runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sima_compiler.ir.program import Buffer, Command, Engine, Program, Wait
from sima_compiler.ir.schedule import Schedule
from sima_compiler.ir.tiles import MemoryPlan
from sima_compiler.lm.writer import command_bytes
from sima_compiler.machine.description import Machine
from sima_compiler.machine.trace import trace
from sima_compiler.stages.scheduling.dependencies import waits
from sima_compiler.stages.scheduling.order import Placed, linear_order


def schedule(plan: MemoryPlan, stored: Sequence[bytes], machine: Machine, *, quads: int, compressed: bool) -> Schedule:
    """The program of a memory plan with its predicted times.

    Args:
        plan: the tiling with addresses.
        stored: each constants block as DRAM holds it.
        machine: the target.
        quads: quads in use.
        compressed: whether ``stored`` is compressed.
    """
    tiling = plan.tiling
    ranges = [(a, a + buffer.bytes) for a, buffer in zip(plan.addresses, tiling.buffers, strict=True)]
    order = linear_order(tiling)
    streams = _streams(order, waits(order, ranges))
    program = Program(
        segment=tiling.segment,
        machine=machine.text,
        quads=quads,
        batch=tiling.batch,
        compressed=compressed,
        layers=tiling.layers,
        tensors=tiling.tensors,
        buffers=tuple(Buffer(b.name, b.kind, a, b.bytes) for a, b in zip(plan.addresses, tiling.buffers, strict=True)),
        constants=tiling.constants,
        dma_in=tuple(streams[Engine.DMA_IN]),  # type: ignore[arg-type]
        dma_out=tuple(streams[Engine.DMA_OUT]),  # type: ignore[arg-type]
        compute=tuple(streams[Engine.COMPUTE]),  # type: ignore[arg-type]
    )
    fetch = [[command_bytes(command) for command in streams[engine]] for engine in Engine]
    timing = trace(program, [len(block) for block in stored], fetch, machine)
    return Schedule(program, tuple(stored), timing.layers, timing.runtime, plan.peak)


def _streams(order: Sequence[Placed], needed: Sequence[Wait]) -> dict[Engine, list[Command]]:
    streams: dict[Engine, list[Command]] = {engine: [] for engine in Engine}
    for placed, wait in zip(order, needed, strict=True):
        streams[placed.engine].append(replace(placed.command, wait=wait))
    return streams

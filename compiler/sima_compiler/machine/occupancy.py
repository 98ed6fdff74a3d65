"""When engines and on-chip buffers are in use, layer by layer, told from a program and its timeline.

In: a program and when its commands ran. Out: stretches of transfers per layer, and what happens to each buffer. Cycles
are half-open here, as in the timeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sima_compiler.ir.commands import buffers_of
from sima_compiler.ir.program import Engine, Program
from sima_compiler.machine.timeline import Span, Timeline

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class BufferUse:
    """Layers that touch a buffer, the last step that needs what is in it, and when commands touch it in the run.

    ``layers`` are in order of their first commands, compute commands first. ``last_step`` reads or writes it, or it is
    stored behind that step; None where no step does.
    """

    layers: tuple[int, ...]
    last_step: int | None
    start: int
    end: int


def transfer_intervals(program: Program, timeline: Timeline, engine: Engine) -> list[tuple[Interval, ...]]:
    """Per layer, when its transfers on that engine run; neighbours that touch or overlap are one."""
    commands = program.dma_in if engine is Engine.DMA_IN else program.dma_out
    found: list[list[Interval]] = [[] for _ in program.layers]
    for command, span in zip(commands, timeline.spans[engine], strict=True):
        found[command.layer].append((span.start, span.end))
    return [_merged(intervals) for intervals in found]


def buffer_uses(program: Program, timeline: Timeline) -> list[BufferUse]:
    """What happens to every buffer of the program.

    Transfers wait for bytes, not for steps: a load may run before the step from which its buffer is planned for.
    """
    layers: list[dict[int, None]] = [{} for _ in program.buffers]
    last: list[int | None] = [None] * len(program.buffers)
    touched: list[list[Span]] = [[] for _ in program.buffers]
    streams = {Engine.COMPUTE: program.compute, Engine.DMA_IN: program.dma_in, Engine.DMA_OUT: program.dma_out}
    for engine, stream in streams.items():
        for step, (command, span) in enumerate(zip(stream, timeline.spans[engine], strict=True)):
            for buffer in buffers_of(command):
                layers[buffer].setdefault(command.layer)
                touched[buffer].append(span)
                if engine is Engine.COMPUTE:
                    last[buffer] = step
    for store in program.dma_out:
        behind, known = store.wait.compute - 1, last[store.buffer]
        if behind >= 0:
            last[store.buffer] = behind if known is None else max(known, behind)
    return [
        BufferUse(
            layers=tuple(users),
            last_step=step,
            start=min((span.start for span in spans), default=0),
            end=max((span.end for span in spans), default=0),
        )
        for users, step, spans in zip(layers, last, touched, strict=True)
    ]


def _merged(intervals: Sequence[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)

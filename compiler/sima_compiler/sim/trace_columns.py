"""The runtime trace as columns: every command of a run in a few arrays, so that a million of them cost a few megabytes.

In: decoded `.lm` files in the order of execution; no inputs are needed. Out: `TraceColumns`. Always holds: compute
events do not overlap; their lengths, the stalls in front of them and those behind the last of each segment add up to
the runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.program import Engine
from sima_compiler.ir.schedule import STALLS
from sima_compiler.lm.reader import LmFile
from sima_compiler.machine.description import Machine
from sima_compiler.machine.timeline import Cause, Span
from sima_compiler.machine.trace import Trace, stall_of, trace

#: Names of the engines; `TraceColumns.engines` are indexes into them.
ENGINES = tuple(engine.name.lower() for engine in Engine)
#: What an event waited for last; `TraceColumns.causes` are indexes into them.
CAUSES = ("none", *STALLS)
#: What the transfers' causes are called.
_WAITED = {
    Cause.NONE: "none",
    Cause.FETCH: "instruction",
    Cause.DMA_IN: "input",
    Cause.DMA_OUT: "output",
    Cause.COMPUTE: "dependency",
}

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class TraceColumns:
    """One run of the whole batch, all MLA segments one after another; columns are read-only and of equal length.

    Attributes:
        clock_mhz: the machine's clock.
        runtime_cycles: length of the run.
        engine_names: what ``engines`` count through: dma_in, dma_out, compute.
        cause_names: what ``causes`` count through: none, then the stalls.
        layer_names: what ``layers`` count through, in the order of the segments' layers.
        engines: uint8, the engine of each event.
        layers: int32, its layer.
        start_cycles: int64, its first cycle.
        end_cycles: int64, its last cycle, inclusive; one less than the first where it takes no time.
        causes: uint8, what it waited for last after its engine was free.
        stall_cycles: int64, for compute events the cycles without work in front of it, else 0.
    """

    clock_mhz: float
    runtime_cycles: int
    engine_names: tuple[str, ...]
    cause_names: tuple[str, ...]
    layer_names: tuple[str, ...]
    engines: npt.NDArray[np.uint8]
    layers: npt.NDArray[np.int32]
    start_cycles: npt.NDArray[np.int64]
    end_cycles: npt.NDArray[np.int64]
    causes: npt.NDArray[np.uint8]
    stall_cycles: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.engines)

    def __repr__(self) -> str:
        return f"TraceColumns({len(self)} events, {len(self.layer_names)} layers, {self.runtime_cycles} cycles)"


def trace_columns(files: Sequence[LmFile]) -> TraceColumns:
    """The trace of these programs, run one after another.

    Raises:
        ExecutionError: the waits of a program can never be met.
    """
    parts: list[list[Array]] = []
    names: list[str] = []
    clock, offset = 0.0, 0
    for found in files:
        machine = Machine.parse(found.program.machine, origin=f"{found.program.segment}: embedded machine")
        timed = trace(found.program, found.stored_bytes, found.command_bytes, machine)
        parts += [_engine_columns(found, timed, engine, len(names), offset) for engine in Engine]
        names += [layer.name for layer in found.program.layers]
        clock, offset = float(machine.clock_mhz), offset + timed.runtime
    columns = [_read_only(np.concatenate(column)) for column in zip(*parts, strict=True)]
    engines, layers, starts, ends, causes, stalls = columns
    return TraceColumns(
        clock_mhz=clock,
        runtime_cycles=offset,
        engine_names=ENGINES,
        cause_names=CAUSES,
        layer_names=tuple(names),
        engines=engines,
        layers=layers,
        start_cycles=starts,
        end_cycles=ends,
        causes=causes,
        stall_cycles=stalls,
    )


def _engine_columns(found: LmFile, timed: Trace, engine: Engine, first_layer: int, offset: int) -> list[Array]:
    """Columns of one engine's events, in stream order."""
    program = found.program
    stream = (program.dma_in, program.dma_out, program.compute)[engine]
    spans = timed.timeline.spans[engine]
    starts = np.array([span.start for span in spans], np.int64)
    ends = np.array([span.end for span in spans], np.int64)
    stalls = np.zeros(len(spans), np.int64)
    if engine is Engine.COMPUTE:
        stalls = starts - np.concatenate([np.zeros(min(1, len(ends)), np.int64), ends[:-1]])
    causes = [CAUSES.index(_cause(found, timed, engine, index, span)) for index, span in enumerate(spans)]
    return [
        np.full(len(spans), engine, np.uint8),
        np.array([command.layer + first_layer for command in stream], np.int32),
        starts + offset,
        ends + (offset - 1),
        np.where(stalls > 0, causes, 0).astype(np.uint8) if engine is Engine.COMPUTE else np.array(causes, np.uint8),
        stalls,
    ]


def _cause(found: LmFile, timed: Trace, engine: Engine, index: int, span: Span) -> str:
    if engine is not Engine.COMPUTE:
        return _WAITED[span.cause]
    return stall_of(found.program, timed.timeline, found.program.compute[index], span)


def _read_only(column: Array) -> Array:
    column.flags.writeable = False
    return column

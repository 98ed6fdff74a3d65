"""Checks of the planning levels, written apart from the stages that produce them.

In: a record. Out: nothing, or an `InternalError` that names the stage and the place. A user never sees one unless we
made a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import assert_never

import numpy as np

from sima_compiler.errors import InternalError
from sima_compiler.ir.layers import Copy, Segment
from sima_compiler.ir.program import (
    Combine,
    Command,
    Convolve,
    Engine,
    Fill,
    Gather,
    Interpolate,
    LoadConstants,
    LoadTensor,
    Multiply,
    Normalize,
    Operand,
    Pool,
    Resample,
    StoreTensor,
    Translate,
    part_of,
)
from sima_compiler.ir.schedule import Schedule
from sima_compiler.ir.tiles import MemoryPlan, Tiling


def verify_tiling(tiling: Tiling, segment: Segment) -> None:
    """Every command stays inside its buffers while they live; every layer's whole output is computed."""
    for step, command in enumerate(tiling.steps):
        _check_buffers(tiling, command, step, step, f"tile: step {step}")
    for load in tiling.loads:
        _check_buffers(tiling, load.command, load.earliest, load.needed, f"tile: load for step {load.needed}")
    for store in tiling.stores:
        _check_buffers(
            tiling, store.command, store.produced, store.produced, f"tile: store after step {store.produced}"
        )
    _check_coverage(tiling, segment)


def _check_buffers(tiling: Tiling, command: Command, first: int, last: int, where: str) -> None:
    for buffer, end in _touched(command):
        if not 0 <= buffer < len(tiling.buffers):
            raise InternalError(f"{where}: no buffer {buffer}")
        found = tiling.buffers[buffer]
        if end > found.bytes:
            raise InternalError(f"{where}: reaches byte {end} of {found.name}, which has {found.bytes}")
        if first < found.first or last > found.last:
            raise InternalError(
                f"{where}: uses {found.name} in steps {first}..{last}, it lives in {found.first}..{found.last}"
            )


def _touched(command: Command) -> Iterator[tuple[int, int]]:
    """(buffer, end of the bytes touched in it) of a command."""
    match command:
        case LoadConstants():
            yield command.buffer, 0
        case LoadTensor() | StoreTensor():
            sizes, strides = command.box.sizes, (*command.box.chip_strides, 1)
            span = sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True)) + 1
            yield command.buffer, command.chip_offset + span
        case Gather():
            yield command.source_buffer, command.source_offset + _span(command.sizes, command.source_strides)
            yield command.target_buffer, command.target_offset + _span(command.sizes, command.target_strides)
        case Fill():
            yield command.target.buffer, _operand_end(command.target)
        case Convolve() | Pool() | Combine() | Translate() | Resample() | Interpolate() | Normalize() | Multiply():
            yield command.source.buffer, _operand_end(command.source)
            yield command.target.buffer, _operand_end(command.target)
            step = command.binary if isinstance(command, Convolve | Combine) else None
            second = command.right if isinstance(command, Multiply) else None if step is None else step.operand
            if second is not None:
                yield second.buffer, _operand_end(second)
        case _:
            assert_never(command)
    if not isinstance(command, LoadTensor | StoreTensor | LoadConstants | Fill) and command.parameters is not None:
        yield command.parameters, 0


def _span(sizes: tuple[int, ...], strides: tuple[int, ...]) -> int:
    return sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True)) + 1


def _operand_end(operand: Operand) -> int:
    sizes = (operand.samples, operand.rows, operand.columns)
    strides = (operand.sample_stride, operand.row_stride, operand.pixel_stride)
    if min(sizes) < 1 or operand.channels < 1:
        raise InternalError(f"tile: an empty region {sizes} x {operand.channels} of buffer {operand.buffer}")
    return operand.offset + _span(sizes, strides) - 1 + operand.channels + operand.padding


def _check_coverage(tiling: Tiling, segment: Segment) -> None:
    """The blocks of a layer add up to its map for the whole batch, no row twice; moves are checked by their own level,
    and rows that a group carries over are no new ones.
    """
    done = [0] * len(segment.layers)
    for command in tiling.steps:
        if not isinstance(command, Gather | Fill) and part_of(command).finishes:
            target = command.target
            done[command.layer] += target.samples * target.rows * target.columns * target.channels
    for layer, elements in zip(segment.layers, done, strict=True):
        if isinstance(layer.kernel, Copy):
            continue  # a move may be spared, because its source was written in place
        wanted = segment.maps[layer.output].elements * tiling.batch
        if elements != wanted:
            raise InternalError(f"tile: {layer.name} computes {elements} of {wanted} values")


def verify_memory(plan: MemoryPlan) -> None:
    """No two buffers that live at the same step share a byte, and none leaves on-chip memory."""
    buffers = plan.tiling.buffers
    if len(buffers) != len(plan.addresses):
        raise InternalError(f"allocate: {len(plan.addresses)} addresses for {len(buffers)} buffers")
    low = np.array(plan.addresses, np.int64)
    high = low + np.array([buffer.bytes for buffer in buffers], np.int64)
    first = np.array([buffer.first for buffer in buffers], np.int64)
    last = np.array([buffer.last for buffer in buffers], np.int64)
    if low.min(initial=0) < 0 or high.max(initial=0) > plan.capacity:
        raise InternalError(f"allocate: a buffer ends at {high.max(initial=0)}, on-chip memory at {plan.capacity}")
    order = np.argsort(first, kind="stable")
    low, high, first, last = low[order], high[order], first[order], last[order]
    ends = np.searchsorted(first, last, side="right")  # behind the buffers that are born while this one lives
    for index, end in enumerate(ends):
        others = slice(index + 1, int(end))
        clash = np.flatnonzero((low[others] < high[index]) & (high[others] > low[index]))
        if clash.size:
            names = (buffers[order[found]].name for found in (index, index + 1 + int(clash[0])))
            raise InternalError(f"allocate: {' and '.join(names)} share bytes while both live")


def verify_schedule(schedule: Schedule) -> None:
    """Waits can be met and never go back; compute and stalls add up to the runtime."""
    program = schedule.program
    streams = {Engine.DMA_IN: program.dma_in, Engine.DMA_OUT: program.dma_out, Engine.COMPUTE: program.compute}
    limits = [len(streams[engine]) for engine in Engine]
    for engine, stream in streams.items():
        waits = [(command.wait.dma_in, command.wait.dma_out, command.wait.compute) for command in stream]
        for index, wait in enumerate(waits):
            if any(count > limit for count, limit in zip(wait, limits, strict=True)):
                raise InternalError(f"schedule: {engine.name} {index} waits for {wait}, the streams have {limits}")
        for earlier, later in pairwise(waits):
            if any(after < before for before, after in zip(earlier, later, strict=True)):
                raise InternalError(f"schedule: {engine.name} waits fall from {earlier} to {later}")
    total = sum(layer.runtime for layer in schedule.layers)
    if total != schedule.runtime:
        raise InternalError(f"schedule: layers take {total} cycles, the run takes {schedule.runtime}")
    for layer, found in zip(program.layers, schedule.layers, strict=True):
        if min(found.stalls.values()) < 0:
            raise InternalError(f"schedule: {layer.name} has a negative stall: {found.stalls}")

"""An audit of the on-chip port: what a peer that charges every on-chip byte would add to our runtime.

In: an archive of a one-quad machine. Out: its runtime, and its runtime with every layer stretched to the time that its
on-chip bytes need on one shared port and on the busiest of four channels (inputs, weights, second operands, writes).

Bytes are counted as the peer counts them: a block's input region once per round of output channels, weights once per
pass of pixels, second operands and outputs once, and everything that DMA writes or reads, in the layer during which the
transfer ends. Each sum is charged to its layer; nothing that is saved in one layer is credited to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sima_compiler import Archive
from sima_compiler.ir.program import (
    Combine,
    ComputeCommand,
    Convolve,
    Fill,
    Gather,
    LoadConstants,
    Operand,
    Program,
)
from sima_compiler.lm.reader import read
from sima_compiler.machine import cost
from sima_compiler.machine.description import Machine
from sima_compiler.sim.timing import RuntimeTrace, replay_file

#: Vela 5.2.0, Ethos_U85_SYS_DRAM_High: four 16-byte ports, and what one channel gets (machines/README.md).
PORT_BYTES, CHANNEL_BYTES = 64.0, 40.96
INPUTS, WEIGHTS, OPERANDS, WRITES, DMA_READS = range(5)

Bytes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SramAudit:
    """Runtime as scheduled and with the port's time added; ``layers`` names each stretched layer and its cycles."""

    runtime: int
    audited: int
    layers: tuple[tuple[str, int], ...]


def audit(archive: Archive) -> SramAudit:
    """The audit of an archive with one `.lm`."""
    (name,) = archive.lm_files
    found = read(archive.read(name))
    trace = replay_file(found)
    machine = Machine.parse(found.program.machine)
    moved = np.zeros((len(found.program.layers), 5), np.int64)
    for command in found.program.compute:
        moved[command.layer] += _bytes_of(command, machine)
    moved += _transfers(found.program, trace, found.stored_bytes, machine)
    port = moved.sum(axis=1) / PORT_BYTES
    channel = moved[:, :DMA_READS].max(axis=1) / CHANNEL_BYTES
    needed = np.ceil(np.maximum(port, channel)).astype(np.int64)
    extra = np.maximum(0, needed - np.array([timing.runtime for _, timing in trace.layers]))
    stretched = tuple((trace.layers[index][0], int(extra[index])) for index in np.flatnonzero(extra))
    return SramAudit(trace.runtime_cycles, trace.runtime_cycles + int(extra.sum()), stretched)


def _bytes_of(command: ComputeCommand, machine: Machine) -> Bytes:
    counted = np.zeros(5, np.int64)
    match command:
        case Gather():
            counted[[INPUTS, WRITES]] = int(np.prod(command.sizes))
            return counted
        case Fill():
            counted[WRITES] = _size(command.target)
            return counted
        case _:
            counted[INPUTS], counted[WRITES] = _read(command), _size(command.target)
    if isinstance(command, Convolve | Combine) and command.binary is not None and command.binary.operand is not None:
        counted[OPERANDS] = _size(command.binary.operand)
    if isinstance(command, Convolve) and not cost.is_depthwise(command):
        work = cost.array_work(command, machine)
        counted[INPUTS] *= cost.ceil_div(work.outputs, command.mapping.outputs)
        counted[WEIGHTS] = _weight_bytes(work, command, machine)
    return counted


def _read(command: ComputeCommand) -> int:
    """Input bytes of a command; a convolution whose windows leave gaps reads only the rows and columns in them."""
    source = command.source  # type: ignore[union-attr]
    if isinstance(command, Convolve):
        kernel, strides = command.window.kernel, command.window.strides
        rows = min(source.rows, command.target.rows * kernel[0]) if strides[0] > kernel[0] else source.rows
        columns = min(source.columns, command.target.columns * kernel[1]) if strides[1] > kernel[1] else source.columns
        return source.samples * rows * columns * source.channels
    return _size(source)


def _size(operand: Operand) -> int:
    return cost.pixels_of(operand) * operand.channels


def _weight_bytes(work: cost.ArrayWork, command: Convolve, machine: Machine) -> int:
    """Every weight block once per pass of pixels; tiles that share a block read it once."""
    mapping = command.mapping
    passes = cost.ceil_div(cost.ceil_div(work.pixels, mapping.pixels), machine.accumulator_pixels // 2)
    return passes * machine.lanes**2 * work.outputs * work.contraction


def _transfers(program: Program, trace: RuntimeTrace, stored: Sequence[int], machine: Machine) -> Bytes:
    """What DMA writes on chip and reads from there, evenly over the cycles in which it moves, in the layers that those
    cycles belong to.
    """
    owners = sorted((end, index) for index, (_, timing) in enumerate(trace.layers) for _, end in timing.intervals)
    ends = np.array([end for end, _ in owners])
    moved = np.zeros((len(program.layers), 5))
    for command, event in zip((*program.dma_in, *program.dma_out), trace.events, strict=False):
        if isinstance(command, LoadConstants):
            size = len(program.constants[command.constants].data)
            duration = max(cost.constants_cycles(stored[command.constants], size, machine))
        else:
            size, duration = command.box.bytes, cost.box_cycles(command.box, machine)
        column = WRITES if event.engine == "dma_in" else DMA_READS
        clock = start = event.end - duration
        while clock < event.end:
            place = min(int(np.searchsorted(ends, clock, side="right")), len(ends) - 1)
            until = event.end if place == len(ends) - 1 else min(event.end, int(ends[place]))
            moved[owners[place][1], column] += size * (until - clock) / (event.end - start)
            clock = until
    return np.rint(moved).astype(np.int64)

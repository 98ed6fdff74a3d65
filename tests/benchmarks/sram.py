"""An audit of the on-chip port: what a peer that charges every on-chip byte would add to our runtime.

In: an archive of a one-quad machine. Out: its runtime, and its runtime with every layer stretched to the time that its
on-chip bytes need on one shared port and on the busiest of four channels (inputs, weights, second operands, writes).
The machine's own charges are not asked; an audit that adds much says that they are too low.

Bytes are counted as the peer counts them: a block's input region once per round of output channels, weights once per
pass of pixels, second operands and outputs once, and everything that DMA writes or reads. A transfer's bytes go into
the layers that compute between its start and its end, as early as those have room and DRAM is fast enough; what has no
room stretches the layer in which the transfer ends. Nothing that is saved in one layer is credited to another.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sima_compiler import Archive
from sima_compiler.ir.commands import on_array
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
from sima_compiler.sim.timing import Event, RuntimeTrace, replay_file

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
        moved[command.layer] += bytes_of(command, machine)
    _Placing(trace, moved, machine).all_of(found.program, found.stored_bytes)
    port = moved.sum(axis=1) / PORT_BYTES
    channel = moved[:, :DMA_READS].max(axis=1) / CHANNEL_BYTES
    needed = np.ceil(np.maximum(port, channel)).astype(np.int64)
    extra = np.maximum(0, needed - np.array([timing.runtime for _, timing in trace.layers]))
    stretched = tuple((trace.layers[index][0], int(extra[index])) for index in np.flatnonzero(extra))
    return SramAudit(trace.runtime_cycles, trace.runtime_cycles + int(extra.sum()), stretched)


def bytes_of(command: ComputeCommand, machine: Machine) -> Bytes:
    """Inputs, weights, second operands and results of a command, as the peer counts them."""
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
    if isinstance(command, Convolve) and on_array(command):
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


class _Placing:
    """Adds the bytes of transfers to ``moved``, layer by layer."""

    def __init__(self, trace: RuntimeTrace, moved: Bytes, machine: Machine) -> None:
        self.events, self.moved, self.machine = trace.events, moved, machine
        self.runtime = [timing.runtime for _, timing in trace.layers]
        spans = sorted((end, index) for index, (_, timing) in enumerate(trace.layers) for _, end in timing.intervals)
        self.ends, self.owners = [end for end, _ in spans], [index for _, index in spans]

    def all_of(self, program: Program, stored: Sequence[int]) -> None:
        """Every transfer, in the order in which they end."""
        commands = zip((*program.dma_in, *program.dma_out), self.events, strict=False)
        for command, event in sorted(commands, key=lambda pair: pair[1].end):
            column = WRITES if event.engine == "dma_in" else DMA_READS
            if isinstance(command, LoadConstants):
                size = len(program.constants[command.constants].data)
                cycles = max(cost.constants_cycles(stored[command.constants], size, self.machine))
            else:
                size, cycles = command.box.bytes, cost.box_cycles(command.box, self.machine)
            self.place(event, column, size, size / max(cycles, 1))

    def place(self, event: Event, column: int, size: int, rate: float) -> None:
        clock = event.start + self.machine.dma_latency_cycles
        place = bisect.bisect_right(self.ends, clock)
        while size and clock < event.end and place < len(self.ends):
            layer, until = self.owners[place], min(event.end, self.ends[place])
            part = min(size, int(rate * (until - clock)), self.room(layer, column))
            self.moved[layer, column] += part
            size, clock, place = size - part, until, place + 1
        last = min(bisect.bisect_left(self.ends, event.end), len(self.owners) - 1)
        self.moved[self.owners[last], column] += size

    def room(self, layer: int, column: int) -> int:
        """Bytes that a layer's runtime leaves on the port, and on the channel of writes."""
        left = PORT_BYTES * self.runtime[layer] - float(self.moved[layer].sum())
        if column == WRITES:
            left = min(left, CHANNEL_BYTES * self.runtime[layer] - float(self.moved[layer, WRITES]))
        return max(0, int(left))

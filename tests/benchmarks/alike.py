"""Charged alike: what our program would take if it paid for everything that Vela charges and our machines do not.

In: an archive compiled for the peer's machine. Out: its runtime with each of those charges added, one by one and all
together. As in Vela's own estimate a layer takes the longest of its times, and layers follow one another. What a charge
adds to a layer that is longer anyway is nothing, there and here.

The rates are those of Vela 5.2.0's performance model for the U85 (machines/README.md): ten bytes of scale and bias per
output channel at 0.41 bytes per cycle, fetched again for every block of pixels; results in microblocks of 2 x 2 or
1 x 4 pixels x 64 channels; a pass of its own for a sum that rides on a convolution here; 64-byte bursts on chip; no
folding of rows; and one DMA channel's 6.55 bytes per cycle for weights, of the port's 24.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sima_compiler import Archive
from sima_compiler.ir.commands import on_array
from sima_compiler.ir.program import Combine, ComputeCommand, Convolve, LoadConstants, Operand
from sima_compiler.lm.reader import read
from sima_compiler.machine import cost
from sima_compiler.machine.description import Machine
from sima_compiler.sim.timing import replay_file
from tests.benchmarks.sram import CHANNEL_BYTES, DMA_READS, INPUTS, OPERANDS, PORT_BYTES, WRITES, bytes_of

#: Bytes of scale and bias of an output channel, and how many of them come in per cycle.
SCALE_BYTES, SCALE_RATE = 10, 0.41
#: Bytes per cycle of weights.
WEIGHT_RATE = 6.55
#: Rows, columns and channels of a microblock; the cheaper of the first two for every layer.
MICROBLOCKS, DEPTH = ((2, 2), (1, 4)), 64
#: Results per cycle of an elementwise pass, and a burst on chip.
RESULTS, BURST = 32, 64

Cycles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChargedAlike:
    """Runtime as scheduled, with each charge by itself, and with all of them."""

    runtime: int
    each: Mapping[str, int]
    together: int


def charged_alike(archive: Archive) -> ChargedAlike:
    """The charges of an archive with one `.lm`."""
    (name,) = archive.lm_files
    found = read(archive.read(name))
    trace, machine = replay_file(found), Machine.parse(found.program.machine)
    runtimes = np.array([timing.runtime for _, timing in trace.layers], np.float64)

    def summed(charge: Callable[[ComputeCommand, Machine], float]) -> Cycles:
        cycles = np.zeros(len(runtimes))
        for command in found.program.compute:
            cycles[command.layer] += charge(command, machine)
        return cycles

    longer = {
        "scales": summed(scale_cycles),
        "bursts": _burst_cycles(found.program.compute, len(runtimes), machine),
        "weight channel": np.zeros(len(runtimes)),
    }
    for command in found.program.dma_in:
        if isinstance(command, LoadConstants):
            longer["weight channel"][command.layer] += found.stored_bytes[command.constants] / WEIGHT_RATE
    added = {"microblocks": summed(microblock_cycles), "sums": summed(sum_cycles), "folding": summed(folding_cycles)}
    each = {name: int(np.ceil(runtimes + cycles).sum()) for name, cycles in added.items()}
    each |= {name: int(np.ceil(np.maximum(runtimes, cycles)).sum()) for name, cycles in longer.items()}
    longest = np.maximum.reduce([runtimes + sum(added.values()), *longer.values()])
    return ChargedAlike(trace.runtime_cycles, each, int(np.ceil(longest).sum()))


def scale_cycles(command: ComputeCommand, machine: Machine) -> float:
    """Scales and biases of a convolution, again for each of its passes of pixels."""
    if not isinstance(command, Convolve):
        return 0.0
    half = machine.accumulator_pixels // 2
    channels = command.target.channels
    if on_array(command):
        pixels = cost.ceil_div(cost.pixels_of(command.target), command.mapping.pixels)
        return cost.ceil_div(pixels, half) * channels * SCALE_BYTES / SCALE_RATE
    # Of the vector unit, as many results at a time as the accumulators would hold, one vector of channels per tile.
    held = half * machine.tiles_per_quad
    vectors = cost.pixels_of(command.target) * cost.ceil_div(channels, machine.lanes)
    together = min(channels, machine.tiles_per_quad * machine.lanes)
    return cost.ceil_div(vectors, held) * together * SCALE_BYTES / SCALE_RATE


def microblock_cycles(command: ComputeCommand, machine: Machine) -> float:
    """What results in whole microblocks add to a convolution on the array. A layer's channels count as a whole: where
    microblocks are, it would be cut into blocks of 64.
    """
    if not isinstance(command, Convolve) or not on_array(command):
        return 0.0
    target = command.target
    pixels = min(
        cost.ceil_div(target.rows, rows) * rows * cost.ceil_div(target.columns, columns) * columns
        for rows, columns in MICROBLOCKS
    )
    channels = machine.align(max(command.target.channels, command.target.pixel_stride))
    depth = cost.ceil_div(channels, DEPTH) * DEPTH / channels
    share = pixels / (target.rows * target.columns) * depth
    return cost.command_work(command, machine, 1).array * max(0.0, share - 1)


def sum_cycles(command: ComputeCommand, machine: Machine) -> float:
    """A pass over the results of a convolution that has a second map on its way out."""
    if not isinstance(command, Convolve) or command.binary is None or command.binary.operand is None:
        return 0.0
    return cost.pixels_of(command.target) * command.target.channels / RESULTS + machine.layer_sync_cycles


def folding_cycles(command: ComputeCommand, machine: Machine) -> float:
    """What a folded convolution would take more with a pixel's few channels alone in the lanes."""
    if not isinstance(command, Convolve) or not command.mapping.folded:
        return 0.0
    work = cost.array_work(command, machine)
    height, width = cost.worked_window(command, machine).kernel
    apart = height * width * cost.ceil_div(command.source.channels, machine.lanes)
    return cost.command_work(command, machine, 1).array * (apart / work.contraction - 1)


def _burst_cycles(commands: tuple[ComputeCommand, ...], layers: int, machine: Machine) -> Cycles:
    """The port's time of every layer where rows of 16 channels move in whole bursts."""
    moved = np.zeros((layers, 5))
    for command in commands:
        counted = bytes_of(command, machine).astype(np.float64)
        for column, operand in _operands(command).items():
            counted[column] *= _whole_bursts(operand, machine)
        moved[command.layer] += counted
    return np.maximum(moved.sum(axis=1) / PORT_BYTES, moved[:, :DMA_READS].max(axis=1) / CHANNEL_BYTES)


def _operands(command: ComputeCommand) -> dict[int, Operand]:
    source, target = getattr(command, "source", None), getattr(command, "target", None)
    binary = command.binary if isinstance(command, Convolve | Combine) else None
    found = {INPUTS: source, WRITES: target, OPERANDS: None if binary is None else binary.operand}
    return {column: operand for column, operand in found.items() if operand is not None}


def _whole_bursts(operand: Operand, machine: Machine) -> float:
    row = operand.columns * machine.lanes
    return cost.ceil_div(row, BURST) * BURST / row

"""What one command costs on a machine, in cycles and in bytes of DRAM time.

In: a command of `ir.program`, a `Machine` and the number of quads in use. Out: whole cycles. Every figure follows from
the machine description; nothing here knows a chip. docs/machine-model.md tells the same in prose.

The array. A tile holds one weight block of ``lanes`` x ``lanes`` and takes one pixel of ``lanes`` input bytes per
cycle, so a pass over p pixels and k weight blocks streams ``k * max(p, weight_load_cycles)`` cycles. Its p x ``lanes``
results then leave at ``output_bytes_per_tile`` per cycle; partial sums of a split contraction hop from tile to tile
first. While two passes fit the accumulators, a pass leaves behind the next one's stream. Operand reads of a quad share
its read port; a read that several tiles use counts once.

The vector unit. Each tile handles one vector of ``lanes`` bytes per cycle: one window cell, one operand, one table
look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from sima_compiler.ir.program import (
    ArrayMapping,
    Box,
    Combine,
    ComputeCommand,
    Convolve,
    Fill,
    Gather,
    Operand,
    Pool,
    Resample,
    Translate,
)
from sima_compiler.machine.description import Machine


@dataclass(frozen=True, slots=True)
class ArrayWork:
    """A convolution block as the array sees it.

    ``pixels`` outputs per channel over all samples; ``outputs`` and ``contraction`` count weight blocks;
    ``operand_bytes`` are read per output vector on the way out (a residual).
    """

    pixels: int
    outputs: int
    contraction: int
    operand_bytes: int = 0


def ceil_div(numerator: int, denominator: int) -> int:
    """Smallest whole number not below the quotient."""
    return -(-numerator // denominator)


def pixels_of(operand: Operand) -> int:
    """Pixels of a region over all its samples."""
    return operand.samples * operand.rows * operand.columns


def is_depthwise(command: Convolve) -> bool:
    """True when every group has one input channel: the vector unit does it."""
    return command.groups == command.source.channels and command.groups > 1


def macs(command: ComputeCommand) -> int:
    """Multiply-accumulates that a command stands for, padding cells included, padding lanes left out."""
    if not isinstance(command, Convolve):
        return 0
    taps = prod(command.window.kernel)
    return pixels_of(command.target) * command.target.channels * taps * (command.source.channels // command.groups)


def array_work(command: Convolve, machine: Machine) -> ArrayWork:
    """Weight blocks and pixels of a convolution; row folding packs window columns x channels into the lanes."""
    height, width = command.window.kernel
    inputs = command.source.channels // command.groups
    outputs = command.target.channels // command.groups
    if command.mapping.folded:
        contraction = height * ceil_div(width * inputs, machine.lanes)
    else:
        contraction = height * width * ceil_div(inputs, machine.lanes)
    residual = command.binary is not None and command.binary.operand is not None
    return ArrayWork(
        pixels=pixels_of(command.target),
        outputs=command.groups * ceil_div(outputs, machine.lanes),
        contraction=contraction,
        operand_bytes=machine.lanes if residual else 0,
    )


def accumulators_needed(command: Convolve | Pool, machine: Machine, quads: int) -> int:
    """Vectors of ``lanes`` results that the busiest tile holds until a block in parts is finished."""
    if isinstance(command, Pool) or is_depthwise(command):
        return ceil_div(_vectors(command.target, machine), machine.tiles(quads))
    work = array_work(command, machine)
    return ceil_div(work.pixels, command.mapping.pixels) * ceil_div(work.outputs, command.mapping.outputs)


def array_cycles(work: ArrayWork, mapping: ArrayMapping, machine: Machine) -> int:
    """Cycles of one back-to-back run of passes, filling included."""
    per_tile = ceil_div(work.pixels, mapping.pixels)
    outputs = ceil_div(work.outputs, mapping.outputs)
    blocks = ceil_div(work.contraction, mapping.contraction)
    half = machine.accumulator_pixels // 2
    full_passes, rest = divmod(per_tile, half)
    sizes = [(half, full_passes * outputs), (rest, outputs if rest else 0)]
    stream = last = 0
    for pixels, count in sizes:
        if count:
            passing = blocks * max(pixels, machine.weight_load_cycles)
            leaving = ceil_div(pixels * machine.lanes, machine.output_bytes_per_tile) * mapping.contraction
            stream += count * max(passing, leaving)
            last = leaving
    reads = ceil_div(_quad_read_bytes(work, mapping, machine, per_tile), machine.sram_read_bytes_per_quad)
    return machine.fill_cycles + max(stream, reads) + last


def _quad_read_bytes(work: ArrayWork, mapping: ArrayMapping, machine: Machine, per_tile: int) -> int:
    """Bytes that the busiest quad reads: its distinct pixel streams and its distinct weight streams."""
    tiles = min(machine.tiles_per_quad, mapping.pixels * mapping.outputs * mapping.contraction)
    outputs = ceil_div(work.outputs, mapping.outputs)
    blocks = ceil_div(work.contraction, mapping.contraction)
    passes = ceil_div(per_tile, machine.accumulator_pixels // 2)
    pixel_bytes = per_tile * machine.lanes * blocks * outputs
    weight_bytes = passes * machine.lanes * machine.lanes * blocks * outputs
    pixel_streams, weight_streams = _streams(mapping, tiles, pixel_bytes, weight_bytes)
    residual = tiles * per_tile * outputs * work.operand_bytes
    return pixel_streams * pixel_bytes + weight_streams * weight_bytes + residual


def _streams(mapping: ArrayMapping, tiles: int, pixel_bytes: int, weight_bytes: int) -> tuple[int, int]:
    """Distinct pixel and weight streams in a quad, for the cheaper of the ways to lay the splits over its tiles.

    Tiles of a contraction split differ in both streams; the rest of a quad is filled with pixel splits first or with
    output splits first.
    """
    rest = max(1, tiles // mapping.contraction)
    layouts: list[tuple[int, int]] = []
    for first in {min(mapping.outputs, rest), max(1, rest // max(1, mapping.pixels))}:
        outputs = min(first, mapping.outputs)
        pixels = min(mapping.pixels, ceil_div(rest, outputs))
        layouts.append((pixels * mapping.contraction, outputs * mapping.contraction))
    return min(layouts, key=lambda pair: (pair[0] * pixel_bytes + pair[1] * weight_bytes, pair))


def vector_cycles(vectors: int, cycles_each: int, machine: Machine, quads: int) -> int:
    """``vectors`` independent results of ``cycles_each`` cycles, spread over all tiles."""
    leaving = ceil_div(machine.lanes, machine.output_bytes_per_tile)
    each = max(cycles_each, leaving)
    return machine.fill_cycles + ceil_div(vectors, machine.tiles(quads)) * each


def _vectors(operand: Operand, machine: Machine) -> int:
    return pixels_of(operand) * ceil_div(operand.channels, machine.lanes)


def compute_cycles(command: ComputeCommand, machine: Machine, quads: int) -> int:
    """Cycles that a command keeps the compute queue busy; synchronization of a new layer is not included."""
    match command:
        case Convolve():
            return _convolve_cycles(command, machine, quads)
        case Pool():
            return vector_cycles(_vectors(command.target, machine), prod(command.window.kernel), machine, quads)
        case Combine():
            operands = 2 if command.binary.operand is not None else 1
            return vector_cycles(_vectors(command.target, machine), operands, machine, quads)
        case Gather():
            return vector_cycles(_gather_vectors(command, machine), 1, machine, quads)
        case Translate() | Fill() | Resample():
            return vector_cycles(_vectors(command.target, machine), 1, machine, quads)


def _convolve_cycles(command: Convolve, machine: Machine, quads: int) -> int:
    if is_depthwise(command):
        operands = 1 if command.binary is not None and command.binary.operand is not None else 0
        taps = prod(command.window.kernel)
        return vector_cycles(_vectors(command.target, machine), taps + operands, machine, quads)
    return array_cycles(array_work(command, machine), command.mapping, machine)


def _gather_vectors(command: Gather, machine: Machine) -> int:
    """Vectors of an affine copy: whole lanes along a run that is contiguous on both sides, single bytes otherwise."""
    if not command.sizes:
        return 1
    run = command.sizes[-1]
    contiguous = command.source_strides[-1] == 1 and command.target_strides[-1] == 1
    outer = prod(command.sizes[:-1])
    return outer * (ceil_div(run, machine.lanes) if contiguous else run)


def dram_cycles(runs: int, run_bytes: int, machine: Machine) -> int:
    """DRAM time of ``runs`` separate runs; a partial burst costs a whole one."""
    bursts = ceil_div(run_bytes, machine.dram_burst_bytes)
    return ceil_div(runs * bursts * machine.dram_burst_bytes, machine.dram_bytes_per_cycle)


def box_cycles(box: Box, machine: Machine) -> int:
    """DRAM time of a strided copy: each run that is separate in DRAM is charged in whole bursts."""
    run = box.sizes[3]
    runs = 1
    for size, stride in zip(reversed(box.sizes[:3]), reversed(box.dram_strides), strict=True):
        if runs == 1 and (size == 1 or stride == run):
            run *= size
        else:
            runs *= size
    return dram_cycles(runs, run, machine)


def constants_cycles(stored_bytes: int, raw_bytes: int, machine: Machine) -> tuple[int, int]:
    """DRAM time of stored constants, and the cycles that the decompressor needs to write them out."""
    return dram_cycles(1, stored_bytes, machine), ceil_div(raw_bytes, machine.decompressor_bytes_per_cycle)

"""What one command costs on a machine, in cycles and in bytes of DRAM time.

In: a command of `ir.program` (or a layer of `ir.layers`), a `Machine` and the number of quads in use. Out: whole
cycles. Every figure follows from the machine description; nothing here knows a chip. docs/machine-model.md tells the
same in prose.

The array. A tile holds one weight block of ``lanes`` x ``lanes`` and takes one pixel of ``lanes`` input bytes per
cycle, so a pass over p pixels and k weight blocks streams ``k * max(p, weight_load_cycles)`` cycles. Its p x ``lanes``
results then leave at ``output_bytes_per_tile`` per cycle; partial sums of a split contraction hop from tile to tile
first. While two passes fit the accumulators, a pass leaves behind the next one's stream.

The vector unit. Each tile handles one vector of ``lanes`` bytes per cycle: one window cell, one operand, one table
look-up; machines may differ for windows. `row_costs` has those of operators that look at all channels of a pixel.

The on-chip ports. What a command reads and writes is charged on them as `Traffic` of the busiest quad; a command takes
at least as long as its traffic. A read that several tiles use counts once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import assert_never

from sima_compiler.ir.commands import facts, on_array
from sima_compiler.ir.layers import Window
from sima_compiler.ir.program import (
    ArrayMapping,
    Box,
    Combine,
    ComputeCommand,
    Convolve,
    Fill,
    Gather,
    Interpolate,
    Multiply,
    Normalize,
    Operand,
    Pool,
    Resample,
    Translate,
)
from sima_compiler.machine.description import Machine
from sima_compiler.machine.row_costs import pixel_cycles, pixel_passes
from sima_compiler.machine.traffic import (
    Reach,
    Traffic,
    buffered_bytes,
    ceil_div,
    cells_on_map,
    keeps_windows,
    port_cycles,
    window_reads,
    window_span,
)


@dataclass(frozen=True, slots=True)
class CommandWork:
    """Cycles of a command: the array's or the vector unit's own, and those to fill and drain around them.

    ``draining``: of the latter, the last pass's way out; ``entering``: the first pass's stream (`runs`).
    """

    array: int
    vector: int
    filling: int
    draining: int = 0
    entering: int = 0

    @property
    def cycles(self) -> int:
        """All of them."""
        return self.array + self.vector + self.filling


@dataclass(frozen=True, slots=True)
class ArrayWork:
    """A convolution block as the array sees it.

    ``pixels`` outputs per channel over all samples; ``outputs`` and ``contraction`` count weight blocks;
    ``operand_bytes`` are read per output vector on the way out (a residual). Without ``reach`` every window cell is
    read.
    """

    pixels: int
    outputs: int
    contraction: int
    operand_bytes: int = 0
    reach: Reach | None = None


def pixels_of(operand: Operand) -> int:
    """Pixels of a region over all its samples."""
    return operand.samples * operand.rows * operand.columns


def worked_window(command: Convolve | Pool, machine: Machine) -> Window:
    """The command's window without the rows and columns that none of its results sees on the map, where the machine
    leaves those out.
    """
    if not machine.skips_padding or not any(command.window.pads):
        return command.window
    source, target = command.source, command.target
    return _seen_window(command.window, (target.rows, target.columns), (source.rows, source.columns))


@lru_cache(maxsize=4096)  # a plan has thousands of blocks of a few shapes
def _seen_window(window: Window, outputs: tuple[int, int], sizes: tuple[int, int]) -> Window:
    rows, columns = (cells_on_map(window, axis, outputs[axis], sizes[axis]) for axis in (0, 1))
    return replace(window, kernel=(max(1, rows), max(1, columns)))


def macs(command: ComputeCommand) -> int:
    """Multiply-accumulates that a command stands for, padding cells included, padding lanes left out."""
    if isinstance(command, Multiply):
        return pixels_of(command.target) * command.target.channels * command.source.channels
    if not isinstance(command, Convolve):
        return 0
    taps = prod(command.window.kernel)
    return pixels_of(command.target) * command.target.channels * taps * (command.source.channels // command.groups)


def array_work(command: Convolve, machine: Machine) -> ArrayWork:
    """Weight blocks and pixels of a convolution; row folding packs window columns x channels into the lanes."""
    height, width = worked_window(command, machine).kernel
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
        reach=_command_reach(command, inputs, machine),
    )


def product_work(command: Multiply, machine: Machine) -> ArrayWork:
    """A matrix product: every row of every sample has weights of its own, which lie on chip already."""
    source, right = command.source, command.right
    matrices = (source.samples * source.rows, source.columns, right.columns, source.channels)
    return matrix_work(*matrices, machine, centred=command.right_zero_point == 0)


def matrix_work(
    matrices: int, pixels: int, outputs: int, contraction: int, machine: Machine, *, centred: bool
) -> ArrayWork:
    """So many products of (pixels, contraction) and (contraction, outputs).

    Weights have no zero point. Where the second map has one, a block of ones sums the first map beside the others: what
    the zero point then takes off, on the way out.
    """
    blocks = ceil_div(outputs, machine.lanes) + (not centred)
    return ArrayWork(pixels=pixels, outputs=matrices * blocks, contraction=ceil_div(contraction, machine.lanes))


def accumulators_needed(command: Convolve | Pool, machine: Machine, quads: int) -> int:
    """Vectors of ``lanes`` results that the busiest tile holds until a block in parts is finished."""
    if isinstance(command, Pool) or not on_array(command):
        return ceil_div(_vectors(command.target, machine), machine.tiles(quads))
    work = array_work(command, machine)
    return ceil_div(work.pixels, command.mapping.pixels) * ceil_div(work.outputs, command.mapping.outputs)


def _command_reach(command: Convolve, inputs: int, machine: Machine) -> Reach | None:
    window = worked_window(command, machine)
    if command.groups > 1 or not keeps_windows(window, machine):
        return None
    source, target = command.source, command.target
    return Reach(
        samples=target.samples,
        in_rows=source.rows,
        in_columns=source.columns,
        out_rows=target.rows,
        out_columns=target.columns,
        stride=window.strides[0],
        span=window_span(window),
        pixel_bytes=inputs if command.mapping.folded else machine.align(inputs),
    )


def array_cycles(work: ArrayWork, mapping: ArrayMapping, machine: Machine) -> int:
    """Cycles of one back-to-back run of passes, filling included."""
    return array_parts(work, mapping, machine).cycles


def array_parts(work: ArrayWork, mapping: ArrayMapping, machine: Machine) -> CommandWork:
    """The same in parts; results that leave behind the last pass are draining."""
    per_tile = ceil_div(work.pixels, mapping.pixels)
    outputs = ceil_div(work.outputs, mapping.outputs)
    blocks = ceil_div(work.contraction, mapping.contraction)
    half = machine.accumulator_pixels // 2
    full_passes, rest = divmod(per_tile, half)
    sizes = [(half, full_passes * outputs), (rest, outputs if rest else 0)]
    stream = last = entering = 0
    for pixels, count in sizes:
        if count:
            passing = blocks * max(pixels, machine.weight_load_cycles)
            leaving = ceil_div(pixels * machine.lanes, machine.output_bytes_per_tile) * mapping.contraction
            stream += count * max(passing, leaving)
            entering, last = entering or passing, leaving
    moved = port_cycles(array_traffic(work, mapping, machine), machine)
    return CommandWork(max(stream, moved), 0, machine.fill_cycles + last, draining=last, entering=entering)


def array_traffic(work: ArrayWork, mapping: ArrayMapping, machine: Machine) -> Traffic:
    """What the busiest quad moves: its distinct pixel and weight streams, residuals and results.

    A quad never moves more than the whole block: every pixel once per round of output blocks, every weight block once
    per pass. An input buffer spares the window cells that a pass has read before.
    """
    lanes, rounds = machine.lanes, ceil_div(work.outputs, mapping.outputs)
    tiles = min(machine.tiles_per_quad, mapping.pixels * mapping.outputs * mapping.contraction)
    blocks = ceil_div(work.contraction, mapping.contraction)
    per_tile = ceil_div(work.pixels, mapping.pixels)
    passes = ceil_div(per_tile, machine.accumulator_pixels // 2)
    pixel_bytes, weight_bytes = per_tile * lanes * blocks * rounds, passes * lanes * lanes * blocks * rounds
    pixel_streams, weight_streams = _streams(mapping, tiles, pixel_bytes, weight_bytes)
    inputs = min(pixel_streams * pixel_bytes, work.pixels * lanes * work.contraction * rounds)
    if work.reach is not None:
        along = pixel_streams // mapping.contraction
        buffered = buffered_bytes(work.reach, along, mapping.contraction, per_tile, machine) * rounds
        inputs = min(inputs, buffered or inputs)
    vectors = min(max(1, tiles // mapping.contraction) * per_tile * rounds, work.pixels * work.outputs)
    return Traffic(
        inputs,
        min(weight_streams * weight_bytes, passes * lanes * lanes * work.outputs * work.contraction),
        vectors * work.operand_bytes,
        vectors * lanes,
    )


def _streams(mapping: ArrayMapping, tiles: int, pixel_bytes: int, weight_bytes: int) -> tuple[int, int]:
    """Distinct pixel and weight streams in a quad, for the cheaper of the ways to lay the splits over its tiles.

    Tiles of a contraction split differ in both streams; the rest of a quad is filled with output splits first or with
    pixel splits first.
    """
    rest = max(1, tiles // mapping.contraction)
    layouts: list[tuple[int, int]] = []
    for first in (min(mapping.outputs, rest), max(1, rest // max(1, mapping.pixels))):
        outputs = min(first, mapping.outputs)
        pixels = min(mapping.pixels, ceil_div(rest, outputs))
        layouts.append((pixels * mapping.contraction, outputs * mapping.contraction))
    return min(layouts, key=lambda pair: pair[0] * pixel_bytes + pair[1] * weight_bytes)


def command_traffic(command: ComputeCommand, machine: Machine, quads: int) -> Traffic:
    """What a command moves in its busiest quad."""
    if isinstance(command, Multiply):
        return array_traffic(product_work(command, machine), command.mapping, machine)
    if isinstance(command, Convolve) and on_array(command):
        return array_traffic(array_work(command, machine), command.mapping, machine)
    return vector_traffic(command, machine, quads)


def vector_cycles(vectors: int, cycles_each: int, machine: Machine, quads: int, traffic: Traffic | None = None) -> int:
    """``vectors`` independent results of ``cycles_each`` cycles, spread over all tiles, and not before their bytes."""
    leaving = ceil_div(machine.lanes, machine.output_bytes_per_tile)
    working = ceil_div(vectors, machine.tiles(quads)) * max(cycles_each, leaving)
    return machine.fill_cycles + max(working, port_cycles(traffic or Traffic(), machine))


#: Neighbours of a result of linear resampling: each a product and a sum, as a weighted cell.
INTERPOLATED = 4


def depthwise_cycles(cells: int, machine: Machine) -> int:
    """Cycles of one vector of a depthwise convolution over so many window cells, residual left out."""
    return ceil_div(cells, machine.depthwise_cells_per_step) * machine.depthwise_step_cycles


def pool_cycles(cells: int, machine: Machine) -> int:
    """Cycles of one vector of a pool over so many window cells."""
    return cells * machine.pool_cell_cycles


def _vectors(operand: Operand, machine: Machine) -> int:
    return pixels_of(operand) * ceil_div(operand.channels, machine.lanes)


def compute_cycles(command: ComputeCommand, machine: Machine, quads: int) -> int:
    """Cycles that a command keeps the compute queue busy; synchronization of a new layer is not included."""
    return command_work(command, machine, quads).cycles


def command_work(command: ComputeCommand, machine: Machine, quads: int) -> CommandWork:
    """The same in parts."""
    if isinstance(command, Convolve) and on_array(command):
        return array_parts(array_work(command, machine), command.mapping, machine)
    if isinstance(command, Multiply):
        return array_parts(product_work(command, machine), command.mapping, machine)
    vectors = vector_count(command, machine)
    each = _cycles_each(command, machine)
    if isinstance(command, Normalize):  # all of a pixel stays on one tile
        vectors, each = (
            pixels_of(command.source),
            pixel_cycles(command.kind, command.source.channels, machine, command.response),
        )
    cycles = vector_cycles(vectors, each, machine, quads, vector_traffic(command, machine, quads))
    return CommandWork(0, cycles - machine.fill_cycles, machine.fill_cycles)


def vector_count(command: ComputeCommand, machine: Machine) -> int:
    """Vectors of results of a command of the vector unit."""
    return _gather_vectors(command, machine) if isinstance(command, Gather) else _vectors(command.target, machine)


def _cycles_each(command: ComputeCommand, machine: Machine) -> int:
    """Cycles that one result vector keeps a tile's vector unit busy."""
    match command:
        case Convolve():
            return depthwise_cycles(prod(worked_window(command, machine).kernel), machine) + (
                command.binary is not None and command.binary.operand is not None
            )
        case Pool():
            return pool_cycles(prod(worked_window(command, machine).kernel), machine)
        case Combine():
            return 1 if command.binary.operand is None else 2
        case Gather() | Translate() | Fill() | Resample() | Interpolate() | Normalize() | Multiply():
            return 1
        case _:
            assert_never(command)


def vector_traffic(command: ComputeCommand, machine: Machine, quads: int) -> Traffic:
    """What the busiest quad moves for a command of the vector unit: whole vectors, each as often as it is read."""
    if isinstance(command, Normalize):
        return _row_traffic(command, machine, quads)
    vectors, lanes = vector_count(command, machine), machine.lanes
    busiest = min(vectors, ceil_div(vectors, machine.tiles(quads)) * machine.tiles_per_quad)
    known = facts(command)
    inputs, weights = (0 if known.source is None else busiest * lanes), 0
    if isinstance(command, Convolve | Pool):
        source, target = command.source, command.target
        sizes = (source.rows, source.columns, target.rows, target.columns)
        window = worked_window(command, machine)
        inputs = ceil_div(window_reads(sizes, window, machine) * busiest * lanes, target.rows * target.columns)
    if isinstance(command, Interpolate):
        inputs *= INTERPOLATED
    if isinstance(command, Convolve):
        channels = ceil_div(ceil_div(command.target.channels, lanes), quads) * lanes
        weights = prod(worked_window(command, machine).kernel) * channels
    operands = 0 if known.second is None else min(busiest, _vectors(known.second, machine)) * lanes
    return Traffic(inputs, weights, operands, busiest * lanes)


def _row_traffic(command: Normalize, machine: Machine, quads: int) -> Traffic:
    """Every pass over a pixel reads it again; its gains and offsets come with the last one."""
    pixels, lanes = pixels_of(command.source), machine.lanes
    busiest = min(pixels, ceil_div(pixels, machine.tiles(quads)) * machine.tiles_per_quad)
    vectors = ceil_div(command.source.channels, lanes)
    parameters = 0 if command.per_pixel else 4 * lanes * vectors * (command.gains + command.offsets)
    return Traffic(
        inputs=busiest * vectors * lanes * pixel_passes(command.kind),
        weights=busiest * parameters,
        results=busiest * ceil_div(command.target.channels, lanes) * lanes,
    )


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

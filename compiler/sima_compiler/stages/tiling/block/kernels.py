"""One block of one layer as compute commands with empty waits.

In: a layer, the output region, the buffers that hold its maps and parameters. Out: commands of `ir.program`, and the
constants that a block needs. A command's ``parameters`` is the buffer index, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import assert_never

from sima_compiler.errors import InternalError
from sima_compiler.ir.commands import on_array
from sima_compiler.ir.kernels import Reduction, facts
from sima_compiler.ir.layers import (
    Binary,
    Blend,
    Convolution,
    Copy,
    Elementwise,
    Layer,
    Lookup,
    Normalization,
    Pooling,
    Product,
    Resize,
    Window,
)
from sima_compiler.ir.program import (
    ArrayMapping,
    BinaryStep,
    Combine,
    ComputeCommand,
    Convolve,
    Fill,
    Gather,
    Multiply,
    Operand,
    Part,
    Pool,
    Resample,
    Translate,
    Wait,
    WayOut,
)
from sima_compiler.machine.cost import array_work, ceil_div, command_work, compute_cycles, product_work
from sima_compiler.machine.description import Machine
from sima_compiler.machine.runs import run_cycles
from sima_compiler.stages.tiling.block.blend import blend_command
from sima_compiler.stages.tiling.block.contraction import Extent, WindowPart, part_region
from sima_compiler.stages.tiling.block.copies import CoordinateMove, byte_dimensions
from sima_compiler.stages.tiling.block.geometry import Held, Range, Region, block_window, operand_of
from sima_compiler.stages.tiling.block.mapping import best_mapping, folds_rows, holding_mapping
from sima_compiler.stages.tiling.block.margins import (
    ArrayBlock,
    array_cuts,
    cheapest,
    fewest_cuts,
    margin_share,
    margin_ways,
)
from sima_compiler.stages.tiling.block.reach import input_region
from sima_compiler.stages.tiling.block.rows import row_command

NO_WAIT = Wait()
#: Gather commands have at most this many dimensions (`ir.program.Gather`).
GATHER_DIMENSIONS = 6


@dataclass(frozen=True, slots=True)
class Block:
    """One block: layer ``index`` of the segment, its output region, the holders of its output and inputs."""

    index: int
    layer: Layer
    region: Region
    target: Held
    inputs: tuple[Held, ...]
    parameters: int | None
    machine: Machine
    quads: int
    cells: WindowPart | None = None
    extent: Extent | None = None

    @property
    def constants(self) -> int:
        """The buffer of the block's constants, for kernels that never do without."""
        if self.parameters is None:
            raise InternalError(f"tile: {self.layer.name} has no constants")
        return self.parameters

    @property
    def part(self) -> Part:
        """How much of the block's reduction is done."""
        return Part.WHOLE if self.cells is None else self.cells.part

    def window(self, window: Window) -> Window:
        """The layer's window as this block sees it: its own pads, its part of the cells."""
        part = window if self.cells is None else self.cells.window(window)
        return block_window(self.region, part, self.inputs[0].map)[2]

    def source(self, position: int) -> Operand:
        """Input ``position`` as an operand: the region that this block reads."""
        held, kernel = self.inputs[position], self.layer.kernel
        if position == 0 and self.cells is not None and isinstance(kernel, Reduction):
            return operand_of(held, part_region(kernel, self.cells, held.map, self.target.map, self.region))
        region = input_region(self.layer, position, held.map, self.target.map, self.region)
        return operand_of(held, region)

    @property
    def output(self) -> Operand:
        """The block's output as an operand."""
        return operand_of(self.target, self.region, writes=True)


def block_commands(block: Block) -> Sequence[ComputeCommand]:
    """The compute commands of one block, for every kernel but `Copy`."""
    kernel = block.layer.kernel
    match kernel:
        case Convolution():
            return _least(block, kernel.window, lambda part: _convolve(part, kernel))
        case Pooling():
            return _least(block, kernel.window, lambda part: _pool(part, kernel))
        case Elementwise():
            step = _binary_step(block, kernel.binary)
            return [
                Combine(
                    layer=block.index,
                    wait=NO_WAIT,
                    source=block.source(0),
                    target=block.output,
                    parameters=block.parameters,
                    binary=step,
                )
            ]
        case Lookup():
            return [Translate(block.index, NO_WAIT, block.source(0), block.output, block.constants)]
        case Resize():
            has_lookup = kernel.lookup is not None
            return [
                Resample(
                    layer=block.index,
                    wait=NO_WAIT,
                    source=block.source(0),
                    target=block.output,
                    parameters=block.constants,
                    has_lookup=has_lookup,
                )
            ]
        case Product():
            return [_multiply(block, kernel)]
        case Blend():
            operands, quants = (block.source(0), block.output), (block.inputs[0].map.quant, block.target.map.quant)
            return [blend_command(kernel, block.index, operands, quants, block.constants)]
        case Normalization():
            operands, quants = (block.source(0), block.output), (block.inputs[0].map.quant, block.target.map.quant)
            return [row_command(kernel, block.index, operands, quants, block.parameters)]
        case Copy():
            return []
        case _:
            assert_never(kernel)


def _least(block: Block, window: Window, command: Callable[[Block], Convolve | Pool]) -> Sequence[Convolve | Pool]:
    """The block as one command, or cut at its margins where that is faster; parts of a reduction stay whole."""
    whole = command(block)
    if not _may_be_cut(block, whole):
        return [whole]
    # A plan has thousands of blocks, and most lose next to nothing over padding: where all of that would not even fill
    # the array as often as the cheapest way to cut does, none is looked at (ResNet-50 asked for 32: 90 s without this).
    cycles = compute_cycles(whole, block.machine, block.quads)
    if cycles * margin_share(block.region, whole.window) <= fewest_cuts(whole.window.pads) * block.machine.fill_cycles:
        return [whole]
    source = block.inputs[0].map
    size = source.rows, source.columns
    shape = _array_block(block, whole, window, size)
    if shape is not None:
        cuts = array_cuts(shape, block.machine, block.quads)
        return [whole] if len(cuts) == 1 else [command(replace(block, region=region)) for region in cuts]
    ways = margin_ways(block.region, window, size)
    return cheapest(
        block.region,
        ways,
        lambda region: command(replace(block, region=region)),
        lambda commands: _cycles(commands, block),
    )


def _array_block(block: Block, whole: Convolve | Pool, window: Window, size: tuple[int, int]) -> ArrayBlock | None:
    """What decides about the cuts of a block of the array; None where more does, because inputs are buffered."""
    if not isinstance(whole, Convolve) or not on_array(whole):
        return None
    work = array_work(whole, block.machine)
    if work.reach is not None:
        return None
    return ArrayBlock(
        region=block.region,
        window=window,
        size=size,
        inputs=whole.source.channels // whole.groups,
        outputs=work.outputs,
        operand_bytes=work.operand_bytes,
        folded=whole.mapping.folded,
    )


def _may_be_cut(block: Block, whole: Convolve | Pool) -> bool:
    """Whether smaller windows could pay, and constants fit any part of the block: values per pixel would not."""
    if not block.machine.skips_padding or block.cells is not None or not any(whole.window.pads):
        return False
    return not facts(block.layer.kernel).constants.by_place


def _cycles(commands: Sequence[ComputeCommand], block: Block) -> int:
    return run_cycles([command_work(command, block.machine, block.quads) for command in commands], block.machine)


def _convolve(block: Block, kernel: Convolution) -> Convolve:
    source, target = block.source(0), block.output
    window, finishes = block.window(kernel.window), block.part.finishes
    groups = max(1, kernel.groups * target.channels // block.target.map.channels)
    folded = folds_rows(
        packed=source.pixel_stride == source.channels,
        channels=source.channels,
        groups=groups,
        dilation=window.dilations[1],
        machine=block.machine,
    )
    command = Convolve(
        layer=block.index,
        wait=NO_WAIT,
        source=source,
        target=target,
        parameters=block.constants,
        window=window,
        groups=groups,
        input_zero_point=block.inputs[0].map.quant.zero_point,
        intermediate=kernel.intermediate,
        clamp=kernel.clamp,
        way_out=_way_out(kernel) if finishes else WayOut.PLAIN,
        binary=_binary_step(block, kernel.binary) if finishes and kernel.binary is not None else None,
        mapping=ArrayMapping(1, 1, 1, folded),
        part=block.part,
    )
    if kernel.is_depthwise:
        return command
    found = _mapping(block, command)
    return replace(command, mapping=ArrayMapping(found.pixels, found.outputs, found.contraction, folded))


def _way_out(kernel: Convolution) -> WayOut:
    if kernel.real_bias is None:
        return WayOut.PLAIN if kernel.lookup is None else WayOut.LOOKUP
    return WayOut.REAL if kernel.lookup is None else WayOut.REAL_LOOKUP


def _mapping(block: Block, command: Convolve) -> ArrayMapping:
    """The cheapest split; all parts of a block share that of a part of the nominal size."""
    work = array_work(command, block.machine)
    if command.part is Part.WHOLE or block.extent is None:
        return best_mapping(work, block.machine, block.quads)
    extent = block.extent
    nominal = extent.rows * extent.columns * ceil_div(extent.channels, block.machine.lanes)
    return holding_mapping(replace(work, contraction=nominal, operand_bytes=0), block.machine, block.quads)


def _pool(block: Block, kernel: Pooling) -> Pool:
    return Pool(
        layer=block.index,
        wait=NO_WAIT,
        kind=kernel.kind,
        source=block.source(0),
        target=block.output,
        parameters=block.parameters,
        window=block.window(kernel.window),
        count_include_pad=kernel.count_include_pad,
        is_global=kernel.is_global,
        input=block.inputs[0].map.quant,
        output=block.target.map.quant,
        clamp=kernel.clamp,
        has_lookup=block.part.finishes and kernel.lookup is not None,
        part=block.part,
    )


def _multiply(block: Block, kernel: Product) -> Multiply:
    command = Multiply(
        layer=block.index,
        wait=NO_WAIT,
        source=block.source(0),
        right=block.source(1),
        target=block.output,
        parameters=block.parameters,
        left_zero_point=block.inputs[0].map.quant.zero_point,
        right_zero_point=block.inputs[1].map.quant.zero_point,
        multiplier=kernel.multiplier,
        real=kernel.real,
        intermediate=kernel.intermediate,
        clamp=kernel.clamp,
        has_lookup=kernel.lookup is not None,
        mapping=ArrayMapping(1, 1),
    )
    work = product_work(command, block.machine)
    return replace(command, mapping=best_mapping(work, block.machine, block.quads))


def _binary_step(block: Block, binary: Binary) -> BinaryStep:
    operand = None
    if binary.operand is not None:
        operand = block.source(block.layer.inputs.index(binary.operand, 1))
    return BinaryStep(
        op=binary.op,
        operand=operand,
        broadcast=binary.broadcast,
        left=binary.left,
        right=binary.right,
        output=binary.output,
        swapped=binary.swapped,
        clamp=binary.clamp,
        has_lookup=binary.lookup is not None,
    )


def copy_fill(block: Block, kernel: Copy) -> Sequence[ComputeCommand]:
    """A fill of the whole block where the layer fills, or where padding lanes have to get a value: the zero point."""
    if kernel.fill is None and not block.output.padding:
        return []
    value = block.target.map.quant.zero_point if kernel.fill is None else kernel.fill
    return [Fill(block.index, NO_WAIT, block.output, value)]


def gathers(
    layer: int, part: CoordinateMove, samples: Range, source: Held, target: Held, table: int | None
) -> list[Gather]:
    """Part of a move for a range of samples: one gather per combination of the outer dimensions that one command
    cannot hold; ``table`` is the parameters buffer or None.
    """
    source_offset, target_offset, dimensions = byte_dimensions(part, source, target)
    low, high = samples
    source_offset += (low - source.region.samples[0]) * source.strides.sample
    target_offset += (low - target.region.samples[0]) * target.strides.sample
    dimensions = _merged(((high - low, source.strides.sample, target.strides.sample), *dimensions)) or ((1, 1, 1),)
    outer, inner = dimensions[:-GATHER_DIMENSIONS], dimensions[-GATHER_DIMENSIONS:]
    sizes, sources, targets = zip(*inner, strict=True)
    found: list[Gather] = []
    for steps in product(*(range(size) for size, _, _ in outer)):
        start = source_offset + sum(step * stride for step, (_, stride, _) in zip(steps, outer, strict=True))
        goal = target_offset + sum(step * stride for step, (_, _, stride) in zip(steps, outer, strict=True))
        found.append(
            Gather(
                layer=layer,
                wait=NO_WAIT,
                source_buffer=source.buffer,
                source_offset=start,
                target_buffer=target.buffer,
                target_offset=goal,
                sizes=sizes,
                source_strides=sources,
                target_strides=targets,
                parameters=table,
            )
        )
    return found


def _merged(dimensions: Sequence[tuple[int, int, int]]) -> tuple[tuple[int, int, int], ...]:
    """Drops single steps and joins neighbours that together step evenly."""
    merged: list[tuple[int, int, int]] = []
    for size, source, target in dimensions:
        if size == 1:
            continue
        if merged:
            outer_size, outer_source, outer_target = merged[-1]
            if outer_source == size * source and outer_target == size * target:
                merged[-1] = (outer_size * size, source, target)
                continue
        merged.append((size, source, target))
    return tuple(merged)

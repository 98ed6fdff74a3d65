"""How many output channels one block computes: small blocks overlap their parameters' way in, large ones fill the
array.

In: a convolution, the pixels of one block, the bytes that one block of parameters may take. Out: a number of output
channels in whole groups and vectors: the smallest block with which the layer takes at most one percent more than its
best time. Time is compute, and what large parameters are expected to be late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from sima_compiler.errors import InternalError
from sima_compiler.ir.layers import Convolution, FeatureMap, Layer, Layout, Product
from sima_compiler.machine.cost import ArrayWork, ceil_div, matrix_work
from sima_compiler.machine.description import Machine
from sima_compiler.machine.traffic import Reach, keeps_windows, window_span
from sima_compiler.stages.tiling.block.mapping import folds_rows, least_cycles
from sima_compiler.stages.tiling.block.parameters import parameter_bytes, parts_of_vector

#: Numbers of blocks that are tried, as far as a layer has channels for them.
CUTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
#: A smaller block may cost this much time, because its parameters arrive while the block before computes. VGG19 at
#: batch 1 takes 2,653,641 cycles so, 2,667,541 with 1.00 (blocks wait for weights) and 2,687,351 with 1.05 (blocks that
#: are too small); ResNet-50 moves by less than 400 either way.
TOLERANCE = 1.01


@dataclass(frozen=True, slots=True)
class ChannelProblem:
    """A layer, its maps and the machine; ``pixels`` of one block, ``repeats`` blocks of the same channels."""

    layer: Layer
    source: FeatureMap
    target: FeatureMap
    pixels: int
    repeats: int
    machine: Machine
    quads: int


def channel_block(problem: ChannelProblem, budget: int) -> int:
    """Output channels per block; the smallest possible number when even that exceeds ``budget`` bytes."""
    kernel = problem.layer.kernel
    if not isinstance(kernel, Convolution) or kernel.is_depthwise:
        return problem.target.channels
    sizes = list(_sizes(kernel, problem))
    fitting = [size for size in sizes if parameter_bytes(problem.layer, size) <= budget] or sizes[-1:]
    times = [block_cycles(problem, size) + _waiting(problem, size) for size in fitting]
    limit = min(times) * TOLERANCE
    return min(size for size, time in zip(fitting, times, strict=True) if time <= limit)


def _waiting(problem: ChannelProblem, size: int) -> int:
    """Cycles that a block's parameters are expected to be late: of their load, half the share of the on-chip memory
    that they need. What takes much room finds it late.
    """
    found = parameter_bytes(problem.layer, size)
    load = found // problem.machine.dram_bytes_per_cycle
    return load * found // (2 * problem.machine.sram_bytes(problem.quads))


def channel_unit(kernel: Convolution, channels: int, lanes: int) -> int:
    """Fewest output channels that a block may hold."""
    return channels // kernel.groups if kernel.groups > 1 else min(lanes, channels)


def _sizes(kernel: Convolution, problem: ChannelProblem) -> Iterator[int]:
    """Block sizes, largest first: equal shares, and powers of two, whose rest is smaller but may suit the tiles."""
    channels = problem.target.channels
    unit = channel_unit(kernel, channels, problem.machine.lanes)
    units = ceil_div(channels, unit)
    counts = {ceil_div(units, cuts) for cuts in (*CUTS, units) if cuts <= units}
    counts |= {1 << power for power in range(units.bit_length())}
    for count in sorted(counts, reverse=True):
        yield min(channels, count * unit)
    if kernel.groups == 1:
        yield from parts_of_vector(unit)


def block_cycles(problem: ChannelProblem, size: int) -> int:
    """Cycles of the layer, one of the array, in blocks of ``size`` channels: one spatial block, times
    ``problem.repeats``.
    """
    whole, rest = divmod(problem.target.channels, size)
    each = least_cycles(_block_work(problem, size), problem.machine, problem.quads)
    last = least_cycles(_block_work(problem, rest), problem.machine, problem.quads) if rest else 0
    return (whole * each + last) * problem.repeats


def _block_work(problem: ChannelProblem, size: int) -> ArrayWork:
    kernel = problem.layer.kernel
    if isinstance(kernel, Convolution):
        return _work(kernel, problem, size)
    if not isinstance(kernel, Product):
        raise InternalError(f"tile: {problem.layer.name} is no layer of the array")
    matrices = max(1, problem.pixels // problem.target.columns)
    columns = min(problem.pixels, problem.target.columns)
    return matrix_work(matrices, columns, size, problem.source.channels, problem.machine, centred=False)


def _work(kernel: Convolution, problem: ChannelProblem, size: int) -> ArrayWork:
    _, height, width, inputs = kernel.weights.shape
    lanes, groups = problem.machine.lanes, kernel.groups * size // problem.target.channels if kernel.groups > 1 else 1
    if _folds(kernel, problem):
        contraction = height * ceil_div(width * inputs, lanes)
    else:
        contraction = prod((height, width, ceil_div(inputs, lanes)))
    residual = kernel.binary is not None and kernel.binary.operand is not None
    outputs = groups * ceil_div(size // groups, lanes)
    return ArrayWork(problem.pixels, outputs, contraction, lanes if residual else 0, _reach(kernel, problem))


def _folds(kernel: Convolution, problem: ChannelProblem) -> bool:
    return folds_rows(
        packed=problem.source.layout is Layout.HWC,
        channels=problem.source.channels,
        groups=kernel.groups,
        dilation=kernel.window.dilations[1],
        machine=problem.machine,
    )


def _reach(kernel: Convolution, problem: ChannelProblem) -> Reach | None:
    """The reach of the block's windows, as if it began at the map's first row."""
    if kernel.groups > 1 or not keeps_windows(kernel.window, problem.machine):
        return None
    source, target = problem.source, problem.target
    return Reach(
        samples=ceil_div(problem.pixels, target.rows * target.columns),
        in_rows=source.rows,
        in_columns=source.columns,
        out_rows=target.rows,
        out_columns=target.columns,
        stride=kernel.window.strides[0],
        span=window_span(kernel.window),
        pixel_bytes=source.channels if _folds(kernel, problem) else problem.machine.align(source.channels),
    )

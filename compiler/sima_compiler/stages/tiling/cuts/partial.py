"""Blocks whose reduction runs in parts: a search for layers of which no block fits whole.

In: a `LayerProblem`. Out: the `BlockPlan` with the least estimated time whose parts fit, or the fewest bytes that any
would need. Every block size is combined with every width of channels, and with the largest part for which two fit at
once, or else one. Checks: all results of a block have room in the accumulators.
"""

from __future__ import annotations

from collections.abc import Iterator

from sima_compiler.ir.kernels import Reduction, Unit
from sima_compiler.machine.cost import ArrayWork, ceil_div, vector_cycles
from sima_compiler.stages.tiling.block.contraction import Extent, Shape, smaller_extents, whole_extent
from sima_compiler.stages.tiling.block.geometry import shares
from sima_compiler.stages.tiling.block.mapping import has_room, least_cycles
from sima_compiler.stages.tiling.block.parts import PartProblem, largest_part, least_part_bytes
from sima_compiler.stages.tiling.cuts.plans import BlockPlan, LayerProblem, dma_cycles
from sima_compiler.stages.tiling.cuts.widths import narrower_widths, widths_in_group


def plan_in_parts(layer_problem: LayerProblem, kernel: Reduction) -> BlockPlan | int:
    """The fastest plan by estimate, or the least demand of all plans; ties go to the larger block."""
    problem = PartProblem(
        layer_problem.layer, kernel, layer_problem.segment, layer_problem.spilled, layer_problem.machine
    )
    extents = smaller_extents(kernel, problem.machine.lanes)
    best: tuple[int, BlockPlan] | None = None
    for block in _blocks(layer_problem):
        if not _has_room(problem, block, layer_problem.quads):
            continue
        for in_flight in (2, 1):
            extent = largest_part(problem, block, extents, layer_problem.free // in_flight)
            if extent is not None:
                time = _time(layer_problem, problem, block, extent, overlapped=in_flight == 2)
                if best is None or time < best[0]:
                    best = time, BlockPlan(1, block[0], block[1], block[2], extent=extent)
    return least_part_bytes(problem, 0) if best is None else best[1]


def _blocks(problem: LayerProblem) -> Iterator[Shape]:
    """Blocks of one sample, from large to small: fewer rows, then fewer columns of one row; each in every width."""
    target = problem.target
    sizes = [(rows, target.columns) for rows in shares(target.rows)]
    sizes += [(1, columns) for columns in shares(target.columns)[1:]]
    for width in (target.channels, *narrower_widths(problem), *widths_in_group(problem)):
        for rows, columns in sizes:
            yield rows, columns, width


def _has_room(problem: PartProblem, block: Shape, quads: int) -> bool:
    pixels, machine = block[0] * block[1], problem.machine
    vectors = ceil_div(block[2], machine.lanes)
    if problem.facts.unit is not Unit.ARRAY:
        return ceil_div(pixels * vectors, machine.tiles(quads)) <= machine.accumulator_pixels
    return has_room(ArrayWork(pixels, _output_blocks(problem, block), 1), machine, quads)


def _output_blocks(problem: PartProblem, block: Shape) -> int:
    groups = problem.facts.groups
    group = block[2] if groups is None else problem.target.channels // groups
    return ceil_div(block[2], group) * ceil_div(min(group, block[2]), problem.machine.lanes)


def _time(layer_problem: LayerProblem, problem: PartProblem, block: Shape, extent: Extent, *, overlapped: bool) -> int:
    """Estimated cycles of the layer; transfers and compute go on side by side where two parts fit."""
    machine, target, whole = problem.machine, problem.target, whole_extent(problem.kernel)
    sizes = zip((target.rows, target.columns, target.channels), block, strict=True)
    blocks = layer_problem.batch
    for size, part in sizes:
        blocks *= ceil_div(size, part)
    parts = ceil_div(whole.rows, extent.rows) * ceil_div(whole.columns, extent.columns)
    parts *= ceil_div(whole.channels, extent.channels)
    parameters, source, others = problem.transfers(block, extent)
    weights = parameters if problem.facts.weights is not None else 0
    dma = dma_cycles(blocks * (parts * (weights + source) + others), blocks * parts, machine)
    compute = blocks * parts * _compute(problem, block, extent, layer_problem.quads)
    return max(dma, compute) if overlapped else dma + compute


def _compute(problem: PartProblem, block: Shape, extent: Extent, quads: int) -> int:
    pixels, machine = block[0] * block[1], problem.machine
    if problem.facts.unit is Unit.ARRAY:
        contraction = extent.rows * extent.columns * ceil_div(extent.channels, machine.lanes)
        return least_cycles(ArrayWork(pixels, _output_blocks(problem, block), contraction), machine, quads)
    vectors = pixels * ceil_div(block[2], machine.lanes)
    return vector_cycles(vectors, extent.rows * extent.columns, machine, quads)

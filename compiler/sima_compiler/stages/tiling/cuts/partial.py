"""Blocks whose reduction runs in parts: a search for layers of which no block fits whole.

In: a layer's site. Out: the `BlockPlan` with the least estimated time whose parts fit, or the fewest bytes that any
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
from sima_compiler.stages.tiling.block.parts import PartSite, largest_part, least_part_bytes
from sima_compiler.stages.tiling.cuts.plans import BlockPlan, LayerSite
from sima_compiler.stages.tiling.cuts.widths import narrower_widths, widths_in_group


def plan_in_parts(layer_site: LayerSite, kernel: Reduction) -> BlockPlan | int:
    """The fastest plan by estimate, or the least demand of all plans; ties go to the larger block."""
    site = PartSite(layer_site.layer, kernel, layer_site.segment, layer_site.spilled, layer_site.machine)
    extents = smaller_extents(kernel, site.machine.lanes)
    best: tuple[int, BlockPlan] | None = None
    for block in _blocks(layer_site):
        if not _has_room(site, block, layer_site.quads):
            continue
        for in_flight in (2, 1):
            extent = largest_part(site, block, extents, layer_site.free // in_flight)
            if extent is not None:
                time = _time(layer_site, site, block, extent, overlapped=in_flight == 2)
                if best is None or time < best[0]:
                    best = time, BlockPlan(1, block[0], block[1], block[2], extent=extent)
    return least_part_bytes(site, 0) if best is None else best[1]


def _blocks(site: LayerSite) -> Iterator[Shape]:
    """Blocks of one sample, from large to small: fewer rows, then fewer columns of one row; each in every width."""
    target = site.target
    sizes = [(rows, target.columns) for rows in shares(target.rows)]
    sizes += [(1, columns) for columns in shares(target.columns)[1:]]
    for width in (target.channels, *narrower_widths(site), *widths_in_group(site)):
        for rows, columns in sizes:
            yield rows, columns, width


def _has_room(site: PartSite, block: Shape, quads: int) -> bool:
    pixels, machine = block[0] * block[1], site.machine
    vectors = ceil_div(block[2], machine.lanes)
    if site.facts.unit is not Unit.ARRAY:
        return ceil_div(pixels * vectors, machine.tiles(quads)) <= machine.accumulator_pixels
    return has_room(ArrayWork(pixels, _output_blocks(site, block), 1), machine, quads)


def _output_blocks(site: PartSite, block: Shape) -> int:
    groups = site.facts.groups
    group = block[2] if groups is None else site.target.channels // groups
    return ceil_div(block[2], group) * ceil_div(min(group, block[2]), site.machine.lanes)


def _time(layer_site: LayerSite, site: PartSite, block: Shape, extent: Extent, *, overlapped: bool) -> int:
    """Estimated cycles of the layer; transfers and compute go on side by side where two parts fit."""
    machine, target, whole = site.machine, site.target, whole_extent(site.kernel)
    sizes = zip((target.rows, target.columns, target.channels), block, strict=True)
    blocks = layer_site.batch
    for size, part in sizes:
        blocks *= ceil_div(size, part)
    parts = ceil_div(whole.rows, extent.rows) * ceil_div(whole.columns, extent.columns)
    parts *= ceil_div(whole.channels, extent.channels)
    parameters, source, others = site.transfers(block, extent)
    weights = parameters if site.facts.weights is not None else 0
    dma = blocks * (parts * (weights + source) + others) // machine.dram_bytes_per_cycle
    dma += blocks * parts * machine.dma_latency_cycles // machine.dma_outstanding
    compute = blocks * parts * _compute(site, block, extent, layer_site.quads)
    return max(dma, compute) if overlapped else dma + compute


def _compute(site: PartSite, block: Shape, extent: Extent, quads: int) -> int:
    pixels, machine = block[0] * block[1], site.machine
    if site.facts.unit is Unit.ARRAY:
        contraction = extent.rows * extent.columns * ceil_div(extent.channels, machine.lanes)
        return least_cycles(ArrayWork(pixels, _output_blocks(site, block), contraction), machine, quads)
    vectors = pixels * ceil_div(block[2], machine.lanes)
    return vector_cycles(vectors, extent.rows * extent.columns, machine, quads)

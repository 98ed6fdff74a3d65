"""How few output channels a block of a layer may compute.

In: a `LayerProblem`. Out: numbers of channels below all of them, largest first: whole groups and vectors, then single
channels where a contraction is that long.
"""

from __future__ import annotations

from sima_compiler.ir.kernels import Reach, Unit, facts
from sima_compiler.stages.tiling.block.parameters import parts_of_vector
from sima_compiler.stages.tiling.cuts.plans import LayerProblem


def narrower_widths(problem: LayerProblem) -> list[int]:
    """Widths of whole groups, or of parts of a vector without groups; none where a pixel is looked at as a whole."""
    known, channels = facts(problem.layer.kernel), problem.target.channels
    if known.reach is Reach.PIXEL:
        return []
    unit = min(problem.machine.lanes, channels)
    if known.groups is not None and not known.contracts:
        unit = channels // known.groups
        unit = unit if known.unit is Unit.ARRAY else unit * max(1, problem.machine.lanes // unit)
    sizes = [channels]
    while sizes[-1] > unit:
        sizes.append(max(unit, sizes[-1] // 2 // unit * unit))
    if known.contracts:
        sizes += parts_of_vector(unit)
    return sizes[1:]


def widths_in_group(problem: LayerProblem) -> list[int]:
    """Widths below one group, which divide it; none for a layer without groups of several outputs."""
    known = facts(problem.layer.kernel)
    if known.groups is None or known.contracts or known.unit is not Unit.ARRAY:
        return []
    group = problem.target.channels // known.groups
    return [size for size in range(group - 1, 0, -1) if group % size == 0]

"""What one part of a block's reduction takes on chip, for layers of which no block fits whole.

In: a layer that reduces, a block's shape, the extent of a part. Out: bytes of its parameters and of its spilled maps,
the largest part within a limit, and the fewest bytes that any part takes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sima_compiler.ir.kernels import KernelFacts, Reduction, Unit, facts
from sima_compiler.ir.layers import FeatureMap, Layer, Segment
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.contraction import Extent, Shape, part_shape, smaller_extents, whole_extent
from sima_compiler.stages.tiling.block.geometry import Region, bytes_of
from sima_compiler.stages.tiling.block.parameters import ALIGNMENT, PER_CHANNEL, TABLES, value_bytes
from sima_compiler.stages.tiling.block.reach import input_region


@dataclass(frozen=True, slots=True)
class PartProblem:
    """A layer that reduces, with its kernel; which of the segment's maps are spilled."""

    layer: Layer
    kernel: Reduction
    segment: Segment
    spilled: Collection[str]
    machine: Machine

    @property
    def facts(self) -> KernelFacts:
        """What is true of the kernel."""
        return facts(self.kernel)

    @property
    def source(self) -> FeatureMap:
        """The map that the window slides over."""
        return self.segment.maps[self.layer.inputs[0]]

    @property
    def target(self) -> FeatureMap:
        """The output map."""
        return self.segment.maps[self.layer.output]

    def transfers(self, block: Shape, extent: Extent) -> tuple[int, int, int]:
        """Bytes of one part's parameters and of its spilled input, and of a block's other spilled maps."""
        rows, columns, channels = block
        parameters = TABLES + ALIGNMENT + value_bytes(self.layer, channels, rows * columns)
        if self.facts.weights is not None:
            parameters += channels * (extent.rows * extent.columns * extent.channels + PER_CHANNEL)
        shape = part_shape(self.kernel, extent, self.source, block)
        source = self._bytes(self.source, shape) if self.layer.inputs[0] in self.spilled else 0
        others = self._bytes(self.target, block) if self.layer.output in self.spilled else 0
        output = Region((0, 1), (0, rows), (0, columns), (0, channels))
        for index, name in enumerate(self.layer.inputs):
            if index and name in self.spilled:
                operand = self.segment.maps[name]
                others += bytes_of(operand, input_region(self.layer, index, operand, self.target, output), self.machine)
        return self.machine.align(parameters), source, others

    def demand(self, block: Shape, extent: Extent) -> int:
        """On-chip bytes of one part in work."""
        return sum(self.transfers(block, extent))

    def _bytes(self, feature_map: FeatureMap, shape: Shape) -> int:
        rows, columns, channels = shape
        last = (feature_map.channels - channels, feature_map.channels)
        return bytes_of(feature_map, Region((0, 1), (0, rows), (0, columns), last), self.machine)


def least_part_bytes(problem: PartProblem, comfortable: int) -> int:
    """On-chip bytes of the largest part of one result vector that takes no more than ``comfortable``, else of the
    smallest part of the narrowest block.
    """
    extents = smaller_extents(problem.kernel, problem.machine.lanes)
    wide = (1, 1, min(problem.machine.lanes, problem.target.channels))
    found = largest_part(problem, wide, extents, comfortable)
    if found is not None:
        return problem.demand(wide, found)
    narrow = (1, 1, 1) if problem.facts.unit is Unit.ARRAY else wide
    return problem.demand(narrow, extents[-1])


def largest_part(problem: PartProblem, block: Shape, extents: Sequence[Extent], limit: int) -> Extent | None:
    """The largest part of a block that fits; the demand falls along ``extents``."""
    usable = extents
    if problem.facts.groups is not None and block[2] > problem.target.channels // problem.facts.groups:
        full = whole_extent(problem.kernel).channels  # channels of several groups are not cut
        usable = [extent for extent in extents if extent.channels == full]
    low, high = 0, len(usable)
    while low < high:
        middle = (low + high) // 2
        if problem.demand(block, usable[middle]) <= limit:
            high = middle
        else:
            low = middle + 1
    return usable[low] if low < len(usable) else None

"""Compute cycles of layers in whole maps and in stripes, for the choice of groups.

In: a segment, a machine. Out: cycles of one sample. Always holds: what was worked out once is remembered; costs are
those of the machine model, for one block of all channels; what the ports add to the vector unit's is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sima_compiler.ir.kernels import Unit, facts
from sima_compiler.ir.layers import Layer, Segment
from sima_compiler.machine.cost import ceil_div, vector_cycles
from sima_compiler.machine.description import Machine
from sima_compiler.machine.layer_cost import layer_vector_cycles
from sima_compiler.stages.tiling.cuts.channels import ChannelProblem, block_cycles
from sima_compiler.stages.tiling.cuts.rolling import Frame


@dataclass(frozen=True, slots=True)
class RowCosts:
    """Cycles of any number of rows of any layer."""

    segment: Segment
    machine: Machine
    quads: int
    known: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])

    def whole(self, layer: Layer) -> int:
        """The layer at once."""
        return self.rows(layer, self.segment.maps[layer.output].rows)

    def rolled(self, layer: Layer, frames: Sequence[Frame]) -> int:
        """The layer in stripes: new rows computed, others carried over."""
        heights = Counter(frame.computed for frame in frames if frame.computed)
        carried = Counter(frame.carried for frame in frames if frame.computed and frame.carried)
        cycles = sum(
            count * (self.rows(layer, height) + self.machine.layer_sync_cycles) for height, count in heights.items()
        )
        return cycles + sum(count * self._copied(layer, height) for height, count in carried.items())

    def rows(self, layer: Layer, count: int) -> int:
        """So many rows of the layer."""
        key = (layer.name, count)
        if key not in self.known:
            self.known[key] = self._rows(layer, count)
        return self.known[key]

    def _rows(self, layer: Layer, count: int) -> int:
        target, machine = self.segment.maps[layer.output], self.machine
        pixels = count * target.columns
        if facts(layer.kernel).unit is Unit.ARRAY:
            source = self.segment.maps[layer.inputs[0]]
            return block_cycles(
                ChannelProblem(
                    layer=layer,
                    source=source,
                    target=target,
                    pixels=pixels,
                    repeats=1,
                    machine=machine,
                    quads=self.quads,
                ),
                target.channels,
            )
        return layer_vector_cycles(layer, pixels, target.channels, machine, self.quads)

    def _copied(self, layer: Layer, count: int) -> int:
        target = self.segment.maps[layer.output]
        vectors = count * target.columns * ceil_div(target.channels, self.machine.lanes)
        return vector_cycles(vectors, 1, self.machine, self.quads)

"""Which rows of its inputs a range of a layer's rows reads.

In: a segment. Out: row ranges. The same as `reach.input_region` says for whole rows; kept per row, because groups ask
for the same rows again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise, product

from sima_compiler.ir.layers import Copy, FeatureMap, Layer, Segment
from sima_compiler.stages.tiling.block.copies import coordinate_move
from sima_compiler.stages.tiling.block.geometry import Range, Region
from sima_compiler.stages.tiling.block.reach import input_region


@dataclass(frozen=True, slots=True)
class _Rows:
    """For every output row the first and the end of the rows of one input; whether neither ever goes back."""

    name: str
    lows: list[int]
    highs: list[int]
    rising: bool

    def of(self, rows: Range) -> Range:
        first, end = rows
        if self.rising:
            return self.lows[first], self.highs[end - 1]
        return min(self.lows[first:end]), max(self.highs[first:end])


@dataclass(frozen=True, slots=True)
class RowReach:
    """Remembers what it has worked out."""

    segment: Segment
    known: dict[str, tuple[_Rows, ...]] = field(default_factory=dict[str, tuple[_Rows, ...]])

    def read(self, layer: Layer, rows: Range) -> Iterator[tuple[str, Range]]:
        """The rows of each input that these output rows need; nothing for no rows, an empty range for padding only."""
        if rows[0] >= rows[1]:
            return
        if layer.name not in self.known:
            self.known[layer.name] = tuple(self._rows(layer, index) for index in range(len(layer.inputs)))
        for found in self.known[layer.name]:
            yield found.name, found.of(rows)

    def _rows(self, layer: Layer, index: int) -> _Rows:
        name = layer.inputs[index]
        source, target = self.segment.maps[name], self.segment.maps[layer.output]
        if isinstance(layer.kernel, Copy):
            ranges = _copied(layer.kernel, source, target)
        else:
            lines = (
                Region((0, 1), (row, row + 1), (0, target.columns), (0, target.channels)) for row in range(target.rows)
            )
            ranges = [input_region(layer, index, source, target, line).rows for line in lines]
        rising = all(one[0] <= two[0] and one[1] <= two[1] for one, two in pairwise(ranges))
        return _Rows(name, [low for low, _ in ranges], [high for _, high in ranges], rising)


def _copied(kernel: Copy, source: FeatureMap, target: FeatureMap) -> list[Range]:
    """Of a copy layer: rows that nothing is moved to read nothing, at the end of the row before."""
    lows, highs = [source.rows] * target.rows, [0] * target.rows
    for number, move in enumerate(kernel.moves):
        if move.source != source.name:
            continue
        found = coordinate_move(number, move, source, target)
        down = [dim for dim in found.dimensions if dim.target[0]]
        beside = sum((dim.size - 1) * dim.source[0] for dim in found.dimensions if not dim.target[0])
        for steps in product(*(range(dim.size) for dim in down)):
            row = found.target[0] + sum(step * dim.target[0] for step, dim in zip(steps, down, strict=True))
            low = found.source[0] + sum(step * dim.source[0] for step, dim in zip(steps, down, strict=True))
            lows[row], highs[row] = min(lows[row], low), max(highs[row], low + beside + 1)
    return list(zip(lows, highs, strict=True))

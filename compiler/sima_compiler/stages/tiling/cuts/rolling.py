"""Stripes that roll down a group of layers: which rows of every map exist during each stripe of the last one.

In: neighbouring layers and the height of a stripe. Out: a `Frame` for every map made there and every stripe, or nothing
where a row would be needed after it was given up.

::

    stripe 0   conv a: rows 0..9    conv b: rows 0..8
    stripe 1   conv a: rows 7..17   conv b: rows 8..16      rows 7..9 of a are carried over, 9..17 are new

Always holds: every row of every map is computed exactly once; a frame holds all rows that this stripe reads, and those
that a later one needs of what has been computed so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sima_compiler.ir.layers import Layer
from sima_compiler.stages.tiling.block.geometry import Range, splits
from sima_compiler.stages.tiling.cuts.row_reach import RowReach


@dataclass(frozen=True, slots=True)
class Frame:
    """``rows`` of a map exist during a stripe; those from ``fresh`` on are computed in it, the others carried over."""

    rows: Range
    fresh: int

    @property
    def carried(self) -> int:
        """How many rows come from the stripe before."""
        return self.fresh - self.rows[0]

    @property
    def computed(self) -> int:
        """How many rows are new."""
        return self.rows[1] - self.fresh


#: The frames of one stripe by map.
Frames = Mapping[str, Frame]


def carried(frames: Frames) -> frozenset[str]:
    """The maps of which the stripe before leaves rows for this one."""
    return frozenset(name for name, frame in frames.items() if frame.carried)


def roll(reach: RowReach, layers: Sequence[Layer], height: int) -> tuple[Frames, ...] | None:
    """The frames of every stripe of one sample, or None where stripes of that height cannot roll."""
    found: list[Frames] = []
    for frames in _stripes(reach, layers, height):
        if frames is None:
            return None
        found.append(frames)
    return tuple(found)


def _stripes(reach: RowReach, layers: Sequence[Layer], height: int) -> Iterator[Frames | None]:
    """Stripe by stripe; None and the end where a row is missing, or a layer would begin after one behind it."""
    last = layers[-1].output
    done = {layer.output: 0 for layer in layers}
    kept = dict(done)
    for _, end in splits(reach.segment.maps[last].rows, height):
        frames = _stripe(reach, layers, done, end)
        lost = frames is None or any(frame.carried and frame.rows[0] < kept[name] for name, frame in frames.items())
        if frames is None or lost or not all(frame.computed or done[name] for name, frame in frames.items()):
            yield None
            return
        yield frames
        for name, frame in frames.items():
            if frame.computed:
                done[name], kept[name] = frame.rows[1], frame.rows[0]


def _stripe(reach: RowReach, layers: Sequence[Layer], done: Mapping[str, int], end: int) -> Frames | None:
    """One stripe up to row ``end`` of the last map, from the last layer to the first; the last stripe leaves out none.

    None where a layer would read nothing, all of it padding.
    """
    segment, last = reach.segment, layers[-1].output
    final = end == segment.maps[last].rows
    starts, ends = dict(done), dict(done)
    ends[last] = end
    frames: dict[str, Frame] = {}
    for layer in reversed(layers):
        name, rows = layer.output, segment.maps[layer.output].rows
        stop = rows if final else ends[name]
        frames[name] = Frame((starts[name], stop), done[name])
        reading = (done[name], max(stop, min(done[name] + 1, rows)))
        for source, (low, high) in reach.read(layer, reading):
            if source not in done:
                continue
            if low >= high and stop > done[name]:
                return None
            starts[source] = min(starts[source], low)
            if stop > done[name]:
                ends[source] = max(ends[source], high)
    return frames

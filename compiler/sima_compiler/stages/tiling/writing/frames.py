"""Buffers of a group's frames while its stripes are written.

In: the frames of every stripe. Out: for each map the buffer that holds its rows, with those carried over from the
stripe before copied into it. A result in place and a part of a concatenation share a buffer here too, where no row of
either is to be carried over. Maps that lie on chip as a whole have no frames here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sima_compiler.ir.layers import Segment
from sima_compiler.ir.program import ComputeCommand, Gather
from sima_compiler.stages.tiling.block.geometry import Held, Range, Region, offset_in
from sima_compiler.stages.tiling.block.kernels import NO_WAIT
from sima_compiler.stages.tiling.cuts.fusion import Group
from sima_compiler.stages.tiling.cuts.rolling import Frames, carried
from sima_compiler.stages.tiling.maps.residency import Residency
from sima_compiler.stages.tiling.writing.drafts import Drafts


class FrameBuffers:
    """The buffers of one group; `begin` says which stripe is in work."""

    def __init__(self, segment: Segment, residency: Residency, drafts: Drafts, steps: list[ComputeCommand]) -> None:
        self._segment, self._storage, self._spilled = segment, residency.storage, residency.spilled
        self._drafts, self._steps = drafts, steps
        self._producers = {layer.output: index for index, layer in enumerate(segment.layers)}
        self._frames: Frames = {}
        self._inside = self._steady = frozenset[str]()
        self._held: dict[str, Held] = {}
        self._current: set[str] = set()

    @property
    def held(self) -> Mapping[str, Held]:
        """The latest rows of every map with frames."""
        return self._held

    def sample(self, group: Group) -> None:
        """A sample begins: nothing is held."""
        self._held, self._inside = {}, group.inside
        self._steady = group.inside - {name for frames in group.frames for name in carried(frames)}

    def begin(self, frames: Frames) -> None:
        """A stripe begins."""
        self._frames, self._current = frames, set()

    def end(self) -> None:
        """The group is done."""
        self._frames, self._held = {}, {}

    def target(self, index: int, name: str, samples: Range) -> Held | None:
        """Where layer ``index`` puts the new rows of a map; None for a map without frames."""
        if name not in self._frames or not (name in self._inside or name in self._spilled):
            return None
        if name not in self._current:
            self._held[name] = self._shared(index, name, samples) or self._own(index, name, samples)
            self._current.add(name)
        return self._held[name]

    def _region(self, name: str, samples: Range) -> Region:
        found = self._segment.maps[name]
        return Region(samples, self._frames[name].rows, (0, found.columns), (0, found.channels))

    def _own(self, index: int, name: str, samples: Range) -> Held:
        """A buffer with the rows of the stripe before, and room for the new ones."""
        frame, before = self._frames[name], self._held.get(name)
        held = self._drafts.stripe(self._segment.maps[name], self._region(name, samples))
        if frame.carried and before is not None:
            self._carry(index, before, held, frame.carried)
        if before is not None and name in self._spilled:
            self._drafts.use(before.buffer)  # its way out overlaps with the new rows
        return held

    def _carry(self, index: int, before: Held, held: Held, rows: int) -> None:
        """Copies the first rows of a frame from the frame before."""
        region = replace(held.region, rows=(held.region.rows[0], held.region.rows[0] + rows))
        source, target, size = offset_in(before, region), offset_in(held, region), rows * held.strides.row
        for buffer in (before.buffer, held.buffer):
            self._drafts.use(buffer)
        self._steps.append(
            Gather(
                layer=index,
                wait=NO_WAIT,
                source_buffer=before.buffer,
                source_offset=source,
                target_buffer=held.buffer,
                target_offset=target,
                sizes=(size,),
                source_strides=(1,),
                target_strides=(1,),
                parameters=None,
            )
        )

    def _shared(self, index: int, name: str, samples: Range) -> Held | None:
        """The new rows in their root's buffer, where the root has the same new rows; None where it must not be."""
        place, feature_map, region = self._storage.place(name), self._segment.maps[name], self._region(name, samples)
        frame = self._frames.get(place.root)
        if place.root == name or frame is None or name not in self._steady:
            return None
        if region.rows != (frame.fresh, frame.rows[1]):
            return None
        takes_over = self._producers[place.root] < index
        root = None if takes_over and place.root not in self._steady else self.target(index, place.root, samples)
        if root is None:
            return None
        padding = root.padding if place.channel + feature_map.channels == root.map.channels else 0
        offset = place.channel + (region.rows[0] - root.region.rows[0]) * root.strides.row
        return Held(
            buffer=root.buffer, map=feature_map, region=region, strides=root.strides, padding=padding, offset=offset
        )

"""Buffers of a tiling while it is written: each lives from the step at which it is made to the last that uses it.

In: maps, regions, the steps so far. Out: lifetimes. The list of steps is shared with whoever appends to it: its length
is the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sima_compiler.ir.layers import FeatureMap
from sima_compiler.ir.program import BufferKind, ComputeCommand
from sima_compiler.ir.tiles import Lifetime
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.geometry import Held, Region, bytes_of, strides_of


@dataclass(frozen=True, slots=True)
class _Draft:
    """A buffer while its last step is still open."""

    name: str
    kind: BufferKind
    bytes: int
    first: int
    last: int


class Drafts:
    """The buffers made so far."""

    def __init__(self, machine: Machine, steps: Sequence[ComputeCommand]) -> None:
        self._machine = machine
        self._steps = steps
        self._buffers: list[_Draft] = []

    def new(self, name: str, kind: BufferKind, feature_map: FeatureMap, region: Region) -> Held:
        """A buffer for a region of a map."""
        size = bytes_of(feature_map, region, self._machine)
        strides = strides_of(feature_map, region, self._machine)
        padding = strides.pixel - region.shape[3]
        return Held(self.add(name, kind, size), feature_map, region, strides, padding)

    def stripe(self, feature_map: FeatureMap, region: Region) -> Held:
        """A buffer for a part of a map that others will follow."""
        return self.new(f"{feature_map.name}[{len(self._steps)}]", BufferKind.STRIPE, feature_map, region)

    def add(self, name: str, kind: BufferKind, size: int) -> int:
        """The index of a new buffer of so many bytes."""
        step = len(self._steps)
        self._buffers.append(_Draft(name, kind, max(size, self._machine.lanes), step, step))
        return len(self._buffers) - 1

    def use(self, buffer: int, step: int | None = None) -> None:
        """The buffer lives at least until that step, until the next one to be written when that is None."""
        draft = self._buffers[buffer]
        self._buffers[buffer] = replace(draft, last=max(draft.last, len(self._steps) if step is None else step))

    def finish(self) -> tuple[Lifetime, ...]:
        """All lifetimes, none beyond the last step."""
        last = len(self._steps) - 1
        return tuple(
            Lifetime(draft.name, draft.kind, draft.bytes, draft.first, min(draft.last, last)) for draft in self._buffers
        )

"""Where every tensor of a host segment lives while it runs.

In: a `HostSegment`. Out: a `MemoryPlan`. Always: tensors that are alive at one time never share a byte, and no result
shares one with its node's operands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sima_compiler.a65.lowering.movement import VIEWS
from sima_compiler.ir.host import HostSegment, HostTensor

#: Every tensor in the workspace starts at a multiple of it: a line of the processor's cache.
ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """``offsets``: tensors in the workspace, ``bytes`` in all; ``views``: those that are another in another shape."""

    offsets: Mapping[str, int]
    views: Mapping[str, str]
    bytes: int


@dataclass(frozen=True, slots=True)
class _Life:
    name: str
    bytes: int
    first: int
    last: int

    def meets(self, other: _Life) -> bool:
        return self.first <= other.last and other.first <= self.last


def plan_memory(segment: HostSegment, tensors: Mapping[str, HostTensor]) -> MemoryPlan:
    """Largest tensors first, each at the lowest free place: as small as the best of many orders in most networks."""
    views = _views(segment)
    placed: list[tuple[_Life, int]] = []
    for life in sorted(_lives(segment, tensors, views), key=lambda life: (-life.bytes, life.first, life.name)):
        placed.append((life, _lowest(life, placed)))
    end = max((offset + life.bytes for life, offset in placed), default=0)
    return MemoryPlan({life.name: offset for life, offset in placed}, views, end)


def aligned(size: int) -> int:
    """The next multiple of `ALIGNMENT`."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _views(segment: HostSegment) -> dict[str, str]:
    """Results of Reshape and its like that do not leave the segment -> what they are views of, never a view itself."""
    leaving = {tensor.name for tensor in segment.outputs}
    views: dict[str, str] = {}
    for node in segment.nodes:
        if node.op in VIEWS and node.outputs[0] not in leaving:
            views[node.outputs[0]] = views.get(node.inputs[0], node.inputs[0])
    return views


def _lives(segment: HostSegment, tensors: Mapping[str, HostTensor], views: Mapping[str, str]) -> list[_Life]:
    last: dict[str, int] = {}
    for place, node in enumerate(segment.nodes):
        for name in node.inputs:
            last[views.get(name, name)] = place
    leaving = {tensor.name for tensor in segment.outputs}
    return [
        _Life(name, aligned(tensors[name].bytes), place, last.get(name, place))
        for place, node in enumerate(segment.nodes)
        for name in node.outputs
        if name and name not in leaving and name not in views
    ]


def _lowest(life: _Life, placed: list[tuple[_Life, int]]) -> int:
    """The lowest place that no tensor alive at the same time takes."""
    taken = sorted((offset, offset + other.bytes) for other, offset in placed if other.meets(life))
    place = 0
    for start, end in taken:
        if place + life.bytes <= start:
            break
        place = max(place, end)
    return place

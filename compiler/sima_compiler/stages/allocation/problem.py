"""The allocation problem: buffers with sizes and lifetimes, before any of them has an address.

In: nothing. Out: records. Always holds: a lifetime is half open, so that one buffer's ``upper`` may be another's
``lower``, and every size, lifetime and alignment is positive. Nothing here knows about layers or machines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sima_compiler.errors import OptionError


@dataclass(frozen=True, slots=True)
class Buffer:
    """``size`` bytes that must lie together from time ``lower`` until just before time ``upper``."""

    id: str
    lower: int
    upper: int
    size: int
    alignment: int = 1

    def __post_init__(self) -> None:
        if self.upper <= self.lower:
            raise OptionError(f"buffer {self.id}: upper {self.upper} must lie above lower {self.lower}")
        if self.size < 1:
            raise OptionError(f"buffer {self.id}: size {self.size} must be at least 1")
        if self.alignment < 1:
            raise OptionError(f"buffer {self.id}: alignment {self.alignment} must be at least 1")


@dataclass(frozen=True, slots=True)
class Problem:
    """Buffers to be placed in ``capacity`` bytes; their order is the order of a solution's offsets."""

    buffers: tuple[Buffer, ...]
    capacity: int

    def __post_init__(self) -> None:
        if self.capacity < 0:
            raise OptionError(f"the capacity must not be negative, found {self.capacity}")

    @property
    def lower_bound(self) -> int:
        """The largest sum of bytes that live at one time: no placement has a lower peak."""
        return busiest(self.buffers)[1]

    @property
    def busiest_time(self) -> int:
        """The earliest time at which that many bytes live; 0 where there is no buffer."""
        return busiest(self.buffers)[0]


def busiest(buffers: Iterable[Buffer]) -> tuple[int, int]:
    """The earliest time at which most bytes live, and how many; (0, 0) without buffers."""
    changes: dict[int, int] = {}
    for buffer in buffers:
        changes[buffer.lower] = changes.get(buffer.lower, 0) + buffer.size
        changes[buffer.upper] = changes.get(buffer.upper, 0) - buffer.size
    live = most = where = 0
    for time in sorted(changes):
        live += changes[time]
        if live > most:
            most, where = live, time
    return where, most

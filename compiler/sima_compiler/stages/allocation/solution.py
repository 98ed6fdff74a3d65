"""What a solver returns: an offset for every buffer.

In: offsets in the order of the problem's buffers. Out: a record. Whether the offsets are right is not decided here:
`validator` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sima_compiler.stages.allocation.problem import Buffer, Problem


@dataclass(frozen=True, slots=True)
class Solution:
    """``offsets[i]`` is the address of the problem's buffer ``i``; ``peak`` is the end of the highest buffer."""

    offsets: tuple[int, ...]
    peak: int

    def fits(self, problem: Problem) -> bool:
        """Whether no buffer ends above the capacity."""
        return self.peak <= problem.capacity


def solution_of(buffers: Sequence[Buffer], offsets: Sequence[int]) -> Solution:
    """The record for ``offsets``; the peak is worked out."""
    ends = (offset + buffer.size for buffer, offset in zip(buffers, offsets, strict=True))
    return Solution(tuple(offsets), max(ends, default=0))

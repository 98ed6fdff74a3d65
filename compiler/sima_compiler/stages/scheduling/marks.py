"""Who touched which bytes of one space last.

In: accesses in order. Out: for the next access, how many commands of each engine it must see completed. Always holds:
the space is cut into segments whose bytes share their history; a segment remembers its last write and the reads since.
What came before that write is not kept: whoever waits for the write waits for it, too.
"""

from __future__ import annotations

from bisect import bisect_left

from sima_compiler.ir.program import Engine
from sima_compiler.stages.scheduling.access import Access

#: Commands of each engine.
Counts = list[int]

_ENGINES = len(Engine)


class Marks:
    """The segments of one space. ``_lows`` ascend from 0; the last segment has no end."""

    def __init__(self) -> None:
        self._lows = [0]
        self._writes: list[Counts] = [[0] * _ENGINES]
        self._reads: list[Counts] = [[0] * _ENGINES]

    def use(self, access: Access, engine: Engine, number: int, needed: Counts) -> None:
        """``access`` is made by command ``number`` of ``engine``; raises ``needed`` to what it conflicts with.

        An engine never waits for itself. That a command's own accesses are recorded one by one changes nothing: what
        a later one no longer finds, the earlier one has waited for.
        """
        first, last = self._cut(access.low), self._cut(access.high)
        for counts in (self._writes, self._reads) if access.writes else (self._writes,):
            for found in counts[first:last]:
                for other in range(_ENGINES):
                    if other != engine and found[other] > needed[other]:
                        needed[other] = found[other]
        if access.writes:
            written = [0] * _ENGINES
            written[engine] = number + 1
            self._lows[first:last] = [access.low]
            self._reads[first:last] = [[0] * _ENGINES]
            self._writes[first:last] = [written]
        else:
            for read in self._reads[first:last]:
                read[engine] = number + 1

    def _cut(self, low: int) -> int:
        """The segment that begins at ``low``, made if there is none."""
        index = bisect_left(self._lows, low)
        if index == len(self._lows) or self._lows[index] != low:
            self._lows.insert(index, low)
            self._writes.insert(index, list(self._writes[index - 1]))
            self._reads.insert(index, list(self._reads[index - 1]))
        return index

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

    def needed(self, access: Access, engine: Engine, needed: Counts) -> None:
        """Raises ``needed`` to what ``access`` by ``engine`` conflicts with; an engine never waits for itself."""
        for index in range(self._segment(access.low), bisect_left(self._lows, access.high)):
            _raise(needed, self._writes[index], engine)
            if access.writes:
                _raise(needed, self._reads[index], engine)

    def record(self, access: Access, engine: Engine, number: int) -> None:
        """``access`` was made by command ``number`` of ``engine``."""
        first, last = self._cut(access.low), self._cut(access.high)
        if access.writes:
            self._lows[first:last] = [access.low]
            self._reads[first:last] = [[0] * _ENGINES]
            written = [0] * _ENGINES
            written[engine] = number + 1
            self._writes[first:last] = [written]
            return
        for index in range(first, last):
            self._reads[index][engine] = number + 1

    def _segment(self, low: int) -> int:
        """The segment that holds byte ``low``."""
        index = bisect_left(self._lows, low)
        return index if index < len(self._lows) and self._lows[index] == low else index - 1

    def _cut(self, low: int) -> int:
        """The segment that begins at ``low``, made if there is none."""
        index = self._segment(low)
        if self._lows[index] == low:
            return index
        self._lows.insert(index + 1, low)
        self._writes.insert(index + 1, list(self._writes[index]))
        self._reads.insert(index + 1, list(self._reads[index]))
        return index + 1


def _raise(needed: Counts, found: Counts, engine: Engine) -> None:
    for other in range(_ENGINES):
        if other != engine and found[other] > needed[other]:
            needed[other] = found[other]

"""How many cycles a static schedule takes: counted once, in one place, whatever its entries look like.

In: first and last cycle of every layer. Out: a `Coverage`.
Always holds: the total is the number of cycles in which at least one layer runs. Where layers lie end to end from
cycle 0, as the published format says, that is also the sum of their lengths and the end of the last one; where they
do not, `Coverage.sentence` says what was counted, and no reader has to guess which of the three it sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Coverage:
    """``covered`` cycles have a layer, ``overlapping`` is what layers share beyond that, ``gaps`` lie between layers,
    ``before`` in front of the first; ``end`` is the cycle behind the last one; ``without_length`` counts layers.
    """

    covered: int = 0
    overlapping: int = 0
    gaps: int = 0
    before: int = 0
    end: int = 0
    without_length: int = 0

    @property
    def sentence(self) -> str:
        """How the total was counted, empty where there is only one way to count."""
        said = [
            f"{self.overlapping:,} cycles in which layers overlap count once" if self.overlapping else "",
            f"{self.before:,} cycles before the first layer do not count" if self.before else "",
            f"{self.gaps:,} cycles between layers do not count" if self.gaps else "",
            _without_length(self.without_length),
        ]
        reasons = "; ".join(part for part in said if part)
        return f"total: the cycles in which at least one layer runs ({reasons})" if reasons else ""


def coverage_of(starts: Int64Array, ends: Int64Array) -> Coverage:
    """The coverage of layers from ``starts`` to ``ends`` inclusive; an end one below its start is no length."""
    runs = ends >= starts
    without_length = len(runs) - int(np.count_nonzero(runs))
    if without_length:
        starts, ends = starts[runs], ends[runs]
    if not len(starts):
        return Coverage(without_length=without_length)
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    reached = np.maximum.accumulate(ends) + 1
    fresh = np.maximum(starts, np.concatenate([starts[:1], reached[:-1]]))
    covered = int(np.maximum(ends + 1 - fresh, 0).sum())
    before, end = int(starts[0]), int(reached[-1])
    return Coverage(
        covered=covered,
        overlapping=int((ends - starts + 1).sum()) - covered,
        gaps=end - before - covered,
        before=before,
        end=end,
        without_length=without_length,
    )


def _without_length(count: int) -> str:
    if not count:
        return ""
    return "1 layer has no length and counts 0" if count == 1 else f"{count:,} layers have no length and count 0"

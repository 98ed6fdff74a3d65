"""How much of a View a notebook keeps: as much as fits into the bytes that an output of so many layers may take.

In: a `View` (or a pair of them) and what makes its saved forms. Out: the forms of the fullest version that fits. Always
holds: the forms take at most `most_bytes` in the notebook's file, whatever the names and however many the rows; and as
long as all of it fits, all of it is there.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sima_compiler.view.compare import Comparison
from sima_compiler.view.records import View
from sima_compiler.view.saved import MOST_LAYERS, Limits, saved_view
from sima_compiler.view.saved_pair import saved_comparison
from sima_compiler.view.shortening import Lengths

#: Bytes of a saved output, and so many more for each layer that it holds.
BASE_BYTES, LAYER_BYTES = 60_000, 450

#: From everything to what fits under any circumstances. The plain form gives way first, for the HTML beside it says
#: all; then long texts, for their ends still tell the rows apart; then rows. A list in a row names three and counts the
#: others, as the report's own cells do.
LEVELS: tuple[Limits, ...] = (
    Limits(),
    Limits(plain=False),
    Limits(lengths=Lengths(1000, 3), plain=False),
    Limits(rows=256, lengths=Lengths(250, 3), plain=False),
    Limits(rows=128, lengths=Lengths(160, 3), plain=False),
    Limits(rows=64, lengths=Lengths(160, 3), plain=False),
    Limits((70, 2), (30, 1), rows=40, lengths=Lengths(120, 3), plain=False),
    Limits((70, 2), (30, 1), rows=24, lengths=Lengths(100, 3), plain=False),
    Limits((70, 1), (20, 1), rows=16, lengths=Lengths(80, 2), plain=False),
    Limits((40, 1), (20, 0), rows=12, lengths=Lengths(60, 2), plain=False),
    Limits((20, 0), (20, 0), rows=8, lengths=Lengths(48, 1), plain=False),
    Limits((10, 0), (10, 0), rows=4, lengths=Lengths(24, 1), plain=False),
    Limits((10, 0), (10, 0), rows=1, lengths=Lengths(12, 1), plain=False),
)

Forms = Mapping[str, Any]
F = TypeVar("F", bound=Forms)


def saved_forms(view: View, forms: Callable[[View, bool], F]) -> F:
    """``forms`` of the fullest View that fits; they are told whether their plain form may say all of it."""
    return fitting(lambda limits: forms(saved_view(view, limits), limits.plain), most_bytes(len(view.layers)))


def saved_comparison_forms(found: Comparison, forms: Callable[[Comparison, bool], F]) -> F:
    """The same for two Views side by side, whose layers are rows of one table."""
    return fitting(lambda limits: forms(saved_comparison(found, limits), limits.plain), most_bytes(len(found.layers)))


def fitting(forms: Callable[[Limits], F], most: int) -> F:
    """The forms at the first of `LEVELS` at which they take at most so many bytes."""
    tried: dict[int, F] = {}

    def fits(level: int) -> bool:
        tried[level] = forms(LEVELS[level])
        return saved_bytes(tried[level]) <= most

    if fits(0):
        return tried[0]
    last = len(LEVELS) - 1
    level = bisect_left(range(last), True, lo=1, key=fits)
    return tried[level] if level in tried else forms(LEVELS[level])


def most_bytes(layers: int) -> int:
    """What a saved output of so many layers may take in a notebook's file."""
    return BASE_BYTES + LAYER_BYTES * min(layers, MOST_LAYERS)


def saved_bytes(forms: Forms) -> int:
    """Bytes of an output in a notebook's file; how the file is indented and splits its texts is not ours."""
    return len(json.dumps(forms, ensure_ascii=False).encode("utf-8", "surrogatepass"))

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

#: From everything to what fits under any circumstances. Long texts give way first, for their ends still tell the rows
#: apart; then rows. A list in a row names three and counts the others, as the report's own cells do.
LEVELS: tuple[Limits, ...] = (
    Limits(),
    Limits(lengths=Lengths(1000, 3)),
    Limits(rows=256, lengths=Lengths(250, 3)),
    Limits(rows=128, lengths=Lengths(160, 3)),
    Limits(rows=64, lengths=Lengths(160, 3)),
    Limits((70, 2), (30, 1), rows=40, lengths=Lengths(120, 3)),
    Limits((70, 2), (30, 1), rows=24, lengths=Lengths(100, 3)),
    Limits((70, 1), (20, 1), rows=16, lengths=Lengths(80, 2)),
    Limits((40, 1), (20, 0), rows=12, lengths=Lengths(60, 2)),
    Limits((20, 0), (20, 0), rows=8, lengths=Lengths(48, 1)),
    Limits((10, 0), (10, 0), rows=4, lengths=Lengths(24, 1)),
    Limits((10, 0), (10, 0), rows=1, lengths=Lengths(12, 1)),
)

Forms = Mapping[str, Any]
F = TypeVar("F", bound=Forms)


def saved_forms(view: View, forms: Callable[[View], F]) -> F:
    """``forms`` of the fullest View that fits."""
    return fitting(lambda limits: forms(saved_view(view, limits)), most_bytes(len(view.layers)))


def saved_comparison_forms(found: Comparison, forms: Callable[[Comparison], F]) -> F:
    """The same for two Views side by side, whose layers are rows of one table."""
    return fitting(lambda limits: forms(saved_comparison(found, limits)), most_bytes(len(found.layers)))


def short_enough(text: str, layers: int) -> bool:
    """Whether a text may stand beside the other forms: they need most of what an output may take."""
    return saved_bytes({"": text}) <= most_bytes(layers) // 8


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
    """Bytes of an output in a notebook's file, where each line of a text stands on an indented line of its own."""
    text = json.dumps(forms, ensure_ascii=False)
    return len(text.encode("utf-8", "surrogatepass")) + _LINE_BYTES * text.count("\\n") + _KIND_BYTES * len(forms)


#: What a line of text costs beside its letters: quotes, a comma, and the nine blanks that nbformat puts in front.
_LINE_BYTES = 12
#: What each form costs besides: its key and brackets on lines of their own.
_KIND_BYTES = 60

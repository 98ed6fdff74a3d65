"""Progress of a long call, as records handed to a callback.

The callback may raise `KeyboardInterrupt` (or anything else) to stop the work; nothing is half-written then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` units of ``stage`` are complete; 0 of n announces the stage."""

    stage: str
    done: int
    total: int


ProgressCallback = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A callback that shows nothing."""

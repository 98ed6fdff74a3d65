"""Random numbers that are the same on every Python.

In: a seed. Out: numbers. Always holds: nothing outside decides about them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Dice:
    """A linear congruence (Knuth's MMIX constants)."""

    state: int

    def below(self, count: int) -> int:
        """A number from 0 to ``count`` - 1."""
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.state >> 33) * count >> 31

"""The one way in which verifiers complain.

In: the stage whose record is under test, and a broken promise as a sentence. Out: an `InternalError` that names both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass

from sima_compiler.errors import InternalError


@dataclass(frozen=True, slots=True)
class Promises:
    """What a stage said about its result; ``where`` names the part under test."""

    stage: str
    where: str = ""

    def at(self, where: str) -> Promises:
        """The same stage, another part."""
        return Promises(self.stage, where)

    def require(self, kept: bool, sentence: str) -> None:
        """Raise when the promise was not kept.

        Raises:
            InternalError: ``kept`` is false; the message is "<stage>: <where>: <sentence>".
        """
        if not kept:
            raise InternalError(": ".join(part for part in (self.stage, self.where, sentence) if part))

    def equal(self, what: str, found: object, expected: object) -> None:
        """Require two values to be equal, and show both when they are not."""
        self.require(found == expected, f"{what} is {found}, expected {expected}")

    def unique(self, what: str, names: Iterable[str]) -> None:
        """Require names to differ."""
        twice = [name for name, count in Counter(names).items() if count > 1]
        self.require(not twice, f"{what} named twice: {', '.join(twice)}")

    def known(self, what: str, names: Iterable[str], allowed: Container[str]) -> None:
        """Require every name to be among the allowed ones."""
        missing = sorted({name for name in names if name not in allowed})
        self.require(not missing, f"{what} {', '.join(missing)} unknown at this point")

    def clamp(self, bounds: tuple[int, int]) -> None:
        """Require an ordered pair of int8 values."""
        self.require(-128 <= bounds[0] <= bounds[1] <= 127, f"clamp {bounds} is no range within int8")

"""What stands in a file's way: a rule and what was found, without the file's names, so that kinds can be counted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sima_compiler import ModelError, SimaError


@dataclass(frozen=True, slots=True)
class Hindrance:
    """``rule``: the rule's sentence, or what was found where no rule is named. ``found``: the whole sentence."""

    operator: str
    rule: str
    found: str


def hindrances(error: SimaError) -> tuple[Hindrance, ...]:
    """Every obstacle that ``error`` carries, in the order of the file; the error itself where it carries none."""
    if isinstance(error, ModelError) and error.obstacles:
        return tuple(
            Hindrance(obstacle.operator, obstacle.rule or _kind(obstacle.found), obstacle.sentence)
            for obstacle in error.obstacles
        )
    first = error.message.splitlines()[0]
    return (Hindrance("", _kind(first), first),)


def _kind(found: str) -> str:
    """A sentence about one file without its names and parameters: equal for faults of one kind."""
    return re.sub(r"'[^']*'", "...", re.sub(r"\([^()]*\)", "(...)", found))

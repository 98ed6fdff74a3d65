"""One reason why a model cannot be compiled, as data: what errors carry and `simac check` lists.

In and out: plain values. Always: a sentence says what is there; the rule says what would be accepted.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why a model cannot be compiled.

    ``node`` and ``operator`` are empty for what concerns the whole file. ``found`` says what is there, ``rule`` what
    would be accepted, ``hint`` what to do. ``macs_before`` and ``macs_behind`` count the multiply-accumulates of one
    sample that the node depends on and that depend on it; None where that is unknown.
    """

    found: str
    node: str = ""
    operator: str = ""
    rule: str = ""
    hint: str = ""
    macs_before: int | None = None
    macs_behind: int | None = None

    @property
    def sentence(self) -> str:
        """Place, finding and rule in one line."""
        place = f"node {self.node!r} ({self.operator}): " if self.node else ""
        return f"{place}{self.found}" + (f"; rule: {self.rule}" if self.rule else "")

    def to_dict(self) -> dict[str, object]:
        """The keys that ``simac check --json`` prints."""
        return {
            "node": self.node,
            "operator": self.operator,
            "found": self.found,
            "rule": self.rule,
            "hint": self.hint,
            "macs_before": self.macs_before,
            "macs_behind": self.macs_behind,
        }

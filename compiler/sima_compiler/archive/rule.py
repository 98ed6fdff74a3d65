"""A rule about archives: one sentence that must hold, and the function that finds where it does not.

In: rules and what they are about. Out: an `Outcome` per rule, in the order of the table. Always holds: a rule is looked
at only when the rules that it needs are kept, so that a predicate may rely on them and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

Subject = TypeVar("Subject")


class Verdict(StrEnum):
    """What became of a rule; ``NOT_CHECKED`` when a rule that it needs is broken."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Rule(Generic[Subject]):
    """``sentence`` says what must hold; ``find`` yields a sentence, place first, for each place where it does not.

    ``needs`` names rules without which this one means nothing.
    """

    key: str
    sentence: str
    find: Callable[[Subject], Iterator[str]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rule's verdict on one subject; ``findings`` are the sentences of a broken rule."""

    rule: str
    sentence: str
    verdict: Verdict
    findings: tuple[str, ...] = field(default=())


def broken_rules(found: Iterable[Outcome]) -> list[str]:
    """Keys of the rules on which no other may rely."""
    return [outcome.rule for outcome in found if outcome.verdict is not Verdict.KEPT]


def outcomes(rules: Sequence[Rule[Subject]], subject: Subject, broken: Iterable[str] = ()) -> list[Outcome]:
    """Every rule's outcome; ``broken`` are keys of rules of another table that did not hold."""
    unsound = set(broken)
    found: list[Outcome] = []
    for rule in rules:
        if unsound & set(rule.needs):
            outcome = Outcome(rule.key, rule.sentence, Verdict.NOT_CHECKED)
        else:
            findings = tuple(rule.find(subject))
            outcome = Outcome(rule.key, rule.sentence, Verdict.BROKEN if findings else Verdict.KEPT, findings)
        if outcome.verdict is not Verdict.KEPT:
            unsound.add(rule.key)
        found.append(outcome)
    return found

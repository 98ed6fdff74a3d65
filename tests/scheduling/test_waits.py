"""Waits against their definition: commands that touch a common byte, one writing, are ordered, and nothing else is."""

from __future__ import annotations

import random
from itertools import product

import pytest

from sima_compiler.ir.program import Engine
from sima_compiler.stages.scheduling.access import Access
from sima_compiler.stages.scheduling.marks import Marks

Event = tuple[Access, Engine, int]


def random_events(dice: random.Random, count: int) -> list[Event]:
    numbers = dict.fromkeys(Engine, 0)
    events: list[Event] = []
    for _ in range(count):
        engine, low = dice.choice(list(Engine)), dice.randrange(30)
        high = 1 << 62 if dice.random() < 0.1 else low + dice.randrange(1, 12)
        events.append((Access(0, low, high, dice.random() < 0.4), engine, numbers[engine]))
        numbers[engine] += 1
    return events


def clash(one: Access, other: Access) -> bool:
    return (one.writes or other.writes) and one.low < other.high and other.low < one.high


@pytest.mark.parametrize("seed", range(30))
def test_every_conflict_is_ordered_and_every_wait_has_its_reason(seed: int) -> None:
    events = random_events(random.Random(seed), 60)
    marks, floors = Marks(), {engine: [0, 0, 0] for engine in Engine}
    before: list[set[int]] = []
    for place, (access, engine, number) in enumerate(events):
        needed = [0, 0, 0]
        marks.use(access, engine, number, needed)
        assert needed[engine] == 0
        for other, count in enumerate(needed):
            reasons = [e for e in events[:place] if e[1] == other and e[2] == count - 1]
            assert not count or clash(reasons[0][0], access)
        floors[engine] = [max(pair) for pair in zip(floors[engine], needed, strict=True)]
        floors[engine][engine] = number
        direct = {p for p in range(place) if events[p][2] < floors[engine][events[p][1]]}
        before.append(direct.union(*(before[p] for p in direct)))
    for (first, one), (second, other) in product(enumerate(events), repeat=2):
        if first < second and one[1] is not other[1] and clash(one[0], other[0]):
            assert first in before[second], f"{other} does not wait for {one}"

"""The event-driven timeline against a machine that is stepped cycle by cycle: every start and every end agrees."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from sima_compiler.ir.program import Wait
from sima_compiler.machine.description import Machine
from sima_compiler.machine.timeline import Job, replay
from sima_compiler.machine.traffic import SharedPorts
from tests.sim.stepped_timeline import Stepper

#: On-chip ports that compute jobs share with transfers: none; free, narrow and exhausted ones.
PORTS = ((), ((64_000, 0),), ((64_000, 60_000),), ((32_000, 20_001), (24_000, 7)), ((20_000, 9_000), (40_960, 23_456)))
TINY = Machine.load("tiny")


def random_machine(dice: random.Random) -> Machine:
    return replace(
        TINY,
        dma_latency_cycles=dice.choice([0, 1, 3, 17]),
        dma_outstanding=dice.choice([1, 2, 4]),
        dram_burst_bytes=dice.choice([16, 64]),
        dram_bytes_per_cycle=dice.choice([8, 16, 64]),
        instruction_fifo_bytes=dice.choice([0, 100, 256]),
    )


def random_streams(dice: random.Random, length: int) -> list[list[Job]]:
    """Jobs in one global order; a job waits for some that stand before it, so nothing can lock up."""
    streams: list[list[Job]] = [[], [], []]
    floors = [[0, 0, 0] for _ in range(3)]
    for _ in range(dice.randrange(length)):
        engine = dice.randrange(3)
        for other in range(3):
            if other != engine and dice.random() < 0.5:
                floors[engine][other] = max(floors[engine][other], dice.randrange(len(streams[other]) + 1))
        cycles = 0 if engine == 1 else dice.choice([0, 0, 1, 5, 12])
        dram = 0 if engine == 2 else dice.choice([0, 1, 2, 4, 9])
        moved = 0 if engine == 2 else dice.choice([0, 8 * dram, 24 * dram])
        ports = SharedPorts(dice.choice(PORTS), dice.choice(PORTS)) if engine == 2 else SharedPorts()
        streams[engine].append(Job(Wait(*floors[engine]), dice.choice([0, 5, 20, 90]), cycles, dram, moved, ports))
    return streams


@pytest.mark.parametrize("seed", range(40))
def test_every_start_and_end_agrees(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(10):
        machine, streams = random_machine(dice), random_streams(dice, 24)
        timeline = replay(streams, machine)
        spans, last = Stepper(streams, machine).run()
        assert [[(span.start, span.end) for span in engine] for engine in timeline.spans] == spans
        assert timeline.end == last

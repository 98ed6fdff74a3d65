"""Each rule of time by itself, on numbers that anybody can add up.

The machine: a transfer asks for the DRAM 10 cycles after its start; two descriptors per engine; bursts of 16 bytes at 8
bytes per cycle, so a burst of instructions takes 2 cycles; a FIFO of 64 bytes. A job's instruction has 16 bytes, one
burst, unless the case says otherwise. All engines fetch from cycle 0: bursts ask at 10 and come one after the other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.program import Wait
from sima_compiler.machine.description import Machine
from sima_compiler.machine.timeline import Cause, Job, Timeline, replay
from sima_compiler.machine.traffic import SharedPorts

MACHINE = replace(
    Machine.load("tiny"),
    dma_latency_cycles=10,
    dma_outstanding=2,
    dram_burst_bytes=16,
    dram_bytes_per_cycle=8,
    instruction_fifo_bytes=64,
)
NOW = Wait()


def load(dram: int, unpack: int = 0, wait: Wait = NOW) -> Job:
    return Job(wait, 16, unpack, dram)


def store(dram: int, wait: Wait = NOW) -> Job:
    return Job(wait, 16, 0, dram)


def compute(cycles: int, wait: Wait = NOW, fetch: int = 16) -> Job:
    return Job(wait, fetch, cycles)


def run(
    loads: Sequence[Job] = (), stores: Sequence[Job] = (), computes: Sequence[Job] = (), machine: Machine = MACHINE
) -> Timeline:
    return replay([loads, stores, computes], machine)


def times(timeline: Timeline, engine: int) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in timeline.spans[engine]]


def causes(timeline: Timeline, engine: int) -> list[Cause]:
    return [span.cause for span in timeline.spans[engine]]


def test_one_computation_waits_for_its_instruction_only() -> None:
    """The burst asks at 10 and is there at 12."""
    found = run(computes=[compute(7)])
    assert times(found, 2) == [(12, 19)]
    assert causes(found, 2) == [Cause.FETCH]
    assert found.end == 19
    assert found.dram_busy == (0, 0, 2)


def test_computations_follow_each_other_without_a_gap() -> None:
    """Both bursts ask at 10: there at 12 and 14; the second job is free to start when the first ends, at 19."""
    found = run(computes=[compute(7), compute(5)])
    assert times(found, 2) == [(12, 19), (19, 24)]
    assert causes(found, 2) == [Cause.FETCH, Cause.NONE]


def test_a_load_pays_fetch_latency_and_transfer() -> None:
    """Fetched at 12, asks at 22, 30 cycles of DRAM: 52."""
    found = run([load(30)])
    assert times(found, 0) == [(12, 52)]
    assert found.dram_busy == (30, 0, 2)
    assert found.moving == ((10, 12), (22, 52))


def test_latencies_of_two_descriptors_overlap_and_the_third_waits_for_a_place() -> None:
    """Fetched at 12, 14, 16. One: asks 22, ends 52. Two: starts 14, asks 24, served 52 to 82. Three: a place is free
    at 52, asks 62, served 82 to 112."""
    found = run([load(30), load(30), load(30)])
    assert times(found, 0) == [(12, 52), (14, 82), (52, 112)]
    assert causes(found, 0) == [Cause.FETCH, Cause.FETCH, Cause.NONE]


def test_a_single_place_exposes_every_latency() -> None:
    """12 + 10 + 30 = 52; then 52 + 10 + 30 = 92."""
    found = run([load(30), load(30)], machine=replace(MACHINE, dma_outstanding=1))
    assert times(found, 0) == [(12, 52), (52, 92)]


def test_loads_and_stores_share_the_dram_first_come_first_served() -> None:
    """Bursts of both engines ask at 10: the load's is there at 12, the store's at 14. The load asks at 22 and is served
    to 52; the store asks at 24 and is served 52 to 72."""
    found = run([load(30)], [store(20)])
    assert times(found, 0) == [(12, 52)]
    assert times(found, 1) == [(14, 72)]
    assert found.dram_busy == (30, 20, 4)


def test_of_two_that_ask_in_the_same_cycle_the_load_goes_first() -> None:
    """A computation from 16 to 26 (its burst is the third) lets both start at 26 and ask at 36."""
    after = Wait(compute=1)
    found = run([load(30, wait=after)], [store(20, after)], [compute(10)])
    assert times(found, 0) == [(26, 66)]
    assert times(found, 1) == [(26, 86)]


def test_the_decompressor_may_be_what_a_load_waits_for() -> None:
    """Bytes from 22 to 32, but writing them out takes 25 cycles from 22: 47. The DRAM is free at 32 for the second load
    (asks at 24): 32 to 42, but it is decompressed from 47 to 52."""
    found = run([load(10, unpack=25), load(10, unpack=5)])
    assert times(found, 0) == [(12, 47), (14, 52)]
    assert found.moving == ((10, 14), (22, 52))


def test_a_computation_waits_for_the_load_that_it_names() -> None:
    """Loads fetched at 12 and 14, the computation's burst at 16. The first load ends at 52: compute to 59."""
    found = run([load(30), load(30)], computes=[compute(7, Wait(dma_in=1))])
    assert times(found, 2) == [(52, 59)]
    assert causes(found, 2) == [Cause.DMA_IN]
    assert found.end == 82


def test_a_load_into_freed_bytes_waits_for_store_and_computation() -> None:
    """Computation 16 to 26, store starts at 26, asks 36, ends 56; the load starts then, asks 66, ends 96."""
    found = run([load(30, wait=Wait(0, 1, 1))], [store(20, Wait(compute=1))], [compute(10)])
    assert times(found, 2) == [(16, 26)]
    assert times(found, 1) == [(26, 56)]
    assert times(found, 0) == [(56, 96)]
    assert causes(found, 0) == [Cause.DMA_OUT]


def test_of_two_reasons_the_later_is_the_cause() -> None:
    """Load 12 to 52, store fetched at 14, served 52 to 72: the computation waits for both and starts at 72."""
    found = run([load(30)], [store(20)], [compute(1, Wait(1, 1)), compute(1, Wait(1, 1))])
    assert times(found, 2) == [(72, 73), (73, 74)]
    assert causes(found, 2) == [Cause.DMA_OUT, Cause.NONE]


def test_long_commands_starve_the_compute_engine() -> None:
    """Commands of 64 bytes, four bursts. The FIFO has room for the longest command and a burst: five bursts ask at 10
    and are there at 12, 14, 16, 18, 20. The first job runs from 18 to 19; its start frees room for the last three: they
    ask at 28 and are there at 30, 32, 34.
    """
    found = run(computes=[compute(1, fetch=64), compute(1, fetch=64)])
    assert times(found, 2) == [(18, 19), (34, 35)]
    assert causes(found, 2) == [Cause.FETCH, Cause.FETCH]


def test_instructions_queue_behind_transfers() -> None:
    """The FIFO holds two bursts, the second and third job's come when the first has started. The computation starts at
    14, asks for the third burst at 24; the load (fetched at 12, asks at 22) holds the DRAM to 62: fetched at 64."""
    small = replace(MACHINE, instruction_fifo_bytes=32)
    found = run([load(40)], computes=[compute(1), compute(1), compute(1)], machine=small)
    assert times(found, 0) == [(12, 62)]
    assert times(found, 2) == [(14, 15), (16, 17), (64, 65)]
    assert causes(found, 2) == [Cause.FETCH, Cause.FETCH, Cause.FETCH]


PORT = SharedPorts(((64_000, 52_000),), ((64_000, 52_000),))
#: 50 cycles of DRAM, 24 bytes on chip in each: more than the 12 that a command with `PORT` leaves.
MOVING = Job(NOW, 16, 0, 50, 1200)


def test_a_transfer_moves_what_the_command_leaves_of_a_shared_port() -> None:
    """Half its speed from its grant at 22: 100 cycles; the command, which starts at 16, loses nothing."""
    timeline = run(loads=[MOVING], computes=[Job(NOW, 16, 400, ports=PORT), compute(1)])
    assert times(timeline, 0) == [(12, 122)]
    assert times(timeline, 2)[0] == (14, 414)
    assert timeline.dram_busy[0] == 100
    assert timeline.spans[2][0].behind is None


def test_a_transfer_goes_on_at_full_speed_when_the_command_is_done() -> None:
    """Granted at 22, half speed to 54: 34 cycles' worth are left."""
    timeline = run(loads=[MOVING], computes=[Job(NOW, 16, 40, ports=PORT), compute(1)])
    assert times(timeline, 0) == [(12, 54 + 34)]


def test_a_transfer_goes_first_when_the_next_command_waits_for_it() -> None:
    """50 cycles from 22 to 72 at (64 - 24) / 52 of the command's speed: 787 of 1,024 steps, so it ends 12 later."""
    timeline = run(loads=[MOVING], computes=[Job(NOW, 16, 400, ports=PORT), compute(1, Wait(dma_in=1))])
    assert times(timeline, 0) == [(12, 72)]
    assert times(timeline, 2)[0] == (14, 414 + 12)
    assert timeline.spans[2][0].behind == (0, 0)


def test_loads_and_stores_share_ports_of_their_own() -> None:
    free, exhausted = (64_000, 30_000), (24_000, 24_000)
    ports = SharedPorts(loads=(free, exhausted), stores=(free,))
    computes = [Job(NOW, 16, 400, ports=ports), compute(1)]
    assert times(run(stores=[MOVING], computes=computes), 1)[0][1] - 50 == 22
    assert times(run(loads=[MOVING], computes=computes), 0)[0][1] == 414 + 50


def test_waits_that_can_never_be_met_are_named() -> None:
    with pytest.raises(ExecutionError, match=r"dma_in at command 0 of 1; compute at command 0 of 1"):
        run([load(1, wait=Wait(compute=1))], computes=[compute(1, Wait(dma_in=1))])
    assert run().end == 0


def chain(dice: random.Random) -> list[list[Job]]:
    """Load, compute, store, one after the other and overlapping as far as their waits let them."""
    count = dice.randrange(1, 30)
    loads = [load(dice.randrange(2, 60), dice.randrange(40), Wait(compute=max(0, n - 2))) for n in range(count)]
    computes = [compute(dice.randrange(1, 80), Wait(n + 1, max(0, n - 2))) for n in range(count)]
    return [loads, [store(dice.randrange(2, 40), Wait(compute=n + 1)) for n in range(count)], computes]


@pytest.mark.parametrize("seed", range(20))
def test_what_always_holds(seed: int) -> None:
    streams = chain(random.Random(seed))
    found = replay(streams, MACHINE)
    assert replay(streams, MACHINE) == found
    for engine, jobs in enumerate(streams):
        spans = found.spans[engine]
        assert len(spans) == len(jobs)
        assert all(a.start <= b.start and a.end <= b.end for a, b in pairwise(spans))
        for job, span in zip(jobs, spans, strict=True):
            for other, counted in enumerate((job.wait.dma_in, job.wait.dma_out, job.wait.compute)):
                assert not counted or found.spans[other][counted - 1].end <= span.start
    assert found.end == max(span.end for spans in found.spans for span in spans)
    assert sum(found.dram_busy) <= found.end
    assert all(a < b for a, b in found.moving)
    assert all(a[1] < b[0] for a, b in pairwise(found.moving))
    assert found.end >= max(sum(job.cycles for job in streams[2]), sum(found.dram_busy))

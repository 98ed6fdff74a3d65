"""Runs of commands: what two of one layer have in common, and what ends a run."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from sima_compiler import Machine
from sima_compiler.ir.program import ArrayMapping, Convolve, Engine, Part, Program, Wait
from sima_compiler.machine.cost import ArrayWork, array_parts, command_work
from sima_compiler.machine.runs import goes_on, lead, leads, run_cycles
from sima_compiler.machine.starts import entries
from sima_compiler.machine.timeline import Cause, Job, replay
from tests.lowering.graph_pen import Pen
from tests.machine.test_starts import entries_of, program_of

TINY = Machine.load("tiny")
HALF = TINY.accumulator_pixels // 2


def test_pixels_in_several_commands_take_what_they_take_in_one() -> None:
    """Passes of half the accumulators each: three commands of one pass are the three passes of one command."""
    one = array_parts(ArrayWork(pixels=3 * HALF, outputs=1, contraction=9), ArrayMapping(1, 1), TINY)
    each = array_parts(ArrayWork(pixels=HALF, outputs=1, contraction=9), ArrayMapping(1, 1), TINY)
    assert run_cycles([each] * 3, TINY) == one.cycles == TINY.fill_cycles + 3 * 9 * HALF + HALF
    assert run_cycles([each], TINY) == each.cycles


def test_results_that_leave_for_longer_than_the_next_pass_streams_are_waited_for() -> None:
    long = array_parts(ArrayWork(pixels=HALF, outputs=1, contraction=1), ArrayMapping(1, 1), TINY)
    short = array_parts(ArrayWork(pixels=1, outputs=1, contraction=1), ArrayMapping(1, 1), TINY)
    assert (long.draining, short.entering) == (32, TINY.weight_load_cycles)
    assert lead(long, short, TINY) == TINY.fill_cycles + 16
    assert lead(short, long, TINY) == TINY.fill_cycles + 1


def blocks() -> Program:
    """Two layers, the first in several blocks of channels."""
    pen = Pen(5)
    graph = pen.graph(pen.conv(pen.conv(pen.input(48, 6, 6), 160, (3, 3), pads=(1, 1, 1, 1)), 40))
    return program_of(graph, TINY, 2)


def test_a_run_ends_with_its_layer_and_where_a_sample_begins() -> None:
    program = blocks()
    entered = entries_of(program)
    works = [command_work(command, TINY, program.quads) for command in program.compute]
    found = leads(program.compute, works, entered, TINY)
    assert sum(ahead > 0 for ahead in found) > 3
    assert found[0] == 0
    for (one, two), entry, ahead in zip(pairwise(program.compute), entered[1:], found[1:], strict=True):
        assert bool(ahead) == (one.layer == two.layer and not entry.begun)


def test_a_command_that_reads_what_the_one_before_writes_waits_for_it() -> None:
    one, two = (command for command in blocks().compute[:2] if isinstance(command, Convolve))
    assert goes_on(one, two)
    inside = replace(two.source, buffer=one.target.buffer, offset=one.target.offset)
    behind = replace(inside, offset=one.target.offset + 1_000_000)
    assert not goes_on(one, replace(two, source=inside))
    assert goes_on(one, replace(two, source=behind))
    assert not goes_on(replace(one, part=Part.FIRST), two)
    assert not goes_on(one, replace(two, part=Part.LAST))


def test_other_labels_make_no_run() -> None:
    """A run is told by what commands read and write, as layers are."""
    program = blocks()
    transfers = (*program.dma_in, *program.dma_out)
    works = [command_work(command, TINY, program.quads) for command in program.compute]
    same = tuple(replace(command, layer=0) for command in program.compute)
    honest, relabelled = (
        leads(commands, works, entries(commands, transfers, program.tensors, program.constants), TINY)
        for commands in (program.compute, same)
    )
    assert honest == relabelled


@pytest.mark.parametrize(("load", "stall"), [(60, 0), (92, 0), (95, 3), (130, 38)])
def test_what_a_command_waits_for_must_be_there_when_it_begins_to_stream(load: int, stall: int) -> None:
    """The first command takes 100 cycles; the second streams 8 cycles before that ends. Its load ends at ``load``."""
    machine = replace(TINY, dma_latency_cycles=0)
    jobs: list[list[Job]] = [[] for _ in Engine]
    jobs[Engine.DMA_IN] = [Job(Wait(), 0, dram_cycles=load)]
    jobs[Engine.COMPUTE] = [Job(Wait(), 0, 100), Job(Wait(dma_in=1), 0, 50, lead=8)]
    one, two = replay(jobs, machine).spans[Engine.COMPUTE]
    assert (one.start, one.end) == (0, 100)
    assert (two.start, two.end) == (100 + stall, 150 + stall)
    assert two.cause == (Cause.DMA_IN if stall else Cause.NONE)

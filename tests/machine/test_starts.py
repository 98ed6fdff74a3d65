"""What a layer pays to begin, and when: once per sample, whatever its commands are called and however they are cut."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sima_compiler.errors import UnsupportedError
from sima_compiler.ir.graph import Graph, Op
from sima_compiler.ir.program import Convolve, Fill, Gather, Program, Wait
from sima_compiler.lm.reader import decode
from sima_compiler.lm.writer import encode
from sima_compiler.machine.description import Machine
from sima_compiler.machine.starts import Entry, entries
from sima_compiler.pipeline import ConstantStore, Plan, Target, assemble, lower, plan
from sima_compiler.sim.timing import replay_lm
from tests.lowering.graph_pen import Pen
from tests.lowering.random_graphs import random_graph

TINY = Machine.load("tiny")
STARTING = Machine.parse(f"{TINY.text}\nstart_cycles: 500\n")


def program_of(graph: Graph, machine: Machine, batch: int) -> Program:
    (segment,) = lower(graph, machine).segments
    found = plan(segment, Target(machine, machine.quads, True), batch, ConstantStore(compress=True))
    assert isinstance(found, Plan), found.sentence()
    return decode(assemble(found))


def entries_of(program: Program) -> list[Entry]:
    return entries(program.compute, (*program.dma_in, *program.dma_out), program.tensors, program.constants)


def chain(rows: int) -> Graph:
    """Three convolutions whose maps leave the chip: they run in stripes, or fused, row by row."""
    pen = Pen(2)
    x = pen.conv(pen.input(16, rows, 40), 16, (3, 3), pads=(1, 1, 1, 1))
    return pen.graph(pen.conv(pen.conv(x, 16, (3, 3), pads=(1, 1, 1, 1)), 16, (3, 3), pads=(1, 1, 1, 1)))


def branches(rows: int) -> Graph:
    """Parts of a concatenation, one of them in place; two slices of one map; a sum in place of one of its operands."""
    pen = Pen(4)
    x = pen.input(32, rows, 8)
    y = pen.conv(x, 16, (3, 3), pads=(1, 1, 1, 1))
    z = pen.binary(Op.ADD, pen.conv(x, 16), y)
    both = pen.concat(z, pen.unary(Op.TANH, pen.slice(x, (0, 0, 0), (16, rows, 8), (1, 1, 1))))
    other = pen.slice(x, (16, 0, 0), (32, rows, 8), (1, 1, 1))
    return pen.graph(pen.conv(both, 8), pen.conv(other, 8), pen.global_pool(both))


def loaded_twice(rows: int) -> Graph:
    """More output channels than weights fit at once: every block of channels comes back to the layer."""
    pen = Pen(5)
    return pen.graph(pen.conv(pen.conv(pen.input(48, rows, 6), 160, (3, 3), pads=(1, 1, 1, 1)), 40))


NETWORKS: dict[str, Callable[[int], Graph]] = {"chain": chain, "branches": branches, "blocks": loaded_twice}


@cache
def compiled(name: str, rows: int, batch: int) -> Program:
    return program_of(NETWORKS[name](rows), TINY, batch)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("rows", [6, 60])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_begins_once_for_every_sample(name: str, rows: int, batch: int) -> None:
    """Judged by the labels, at which the rule does not look."""
    program = compiled(name, rows, batch)
    begun = Counter[str]()
    for command, entry in zip(program.compute, entries_of(program), strict=True):
        begun[program.layers[command.layer].name] += entry.begun
    copied = {program.layers[c.layer].name for c in program.compute if isinstance(c, Gather | Fill)}
    assert {count for layer, count in begun.items() if layer not in copied} == {batch}
    assert all(begun[layer] <= batch for layer in copied)


def test_a_layer_begins_once_per_sample_in_random_networks() -> None:
    counts = Counter[bool]()
    for seed in range(1000, 1024):
        try:
            program = program_of(random_graph(seed, 2 + seed % 11), TINY, 2)
        except UnsupportedError:
            continue
        begun = Counter[int]()
        found = entries_of(program)
        for command, entry in zip(program.compute, found, strict=True):
            begun[command.layer] += entry.begun
        counts.update(count == 2 for count in begun.values())
        switched = sum(one.layer != two.layer for one, two in pairwise(program.compute)) + 1
        assert abs(sum(entry.switches for entry in found) - switched) <= 1
    assert counts[True] > 100
    assert counts[False] <= 2, "two copies of one map for the same reader are one layer; nothing else is"


def relabelled(program: Program, label: Callable[[int], int]) -> Program:
    compute = tuple(replace(command, layer=label(index)) for index, command in enumerate(program.compute))
    return replace(program, compute=compute)


@pytest.mark.parametrize("name", NETWORKS)
def test_other_labels_save_no_start_and_no_synchronization(name: str) -> None:
    program = replace(compiled(name, 60, 3), machine=STARTING.text)
    count, pick = len(program.layers), random.Random(1)
    honest = replay_lm(encode(program))
    for label in (lambda _: 0, lambda index: index % count, lambda _: pick.randrange(count)):
        other = replay_lm(encode(relabelled(program, label)))
        # Labels of one length take the same bytes, so the commands arrive no later either.
        assert (other.compute_cycles, other.runtime_cycles) == (honest.compute_cycles, honest.runtime_cycles)


def test_other_names_of_layers_and_buffers_save_nothing() -> None:
    program = replace(compiled("branches", 60, 3), machine=STARTING.text)
    renamed = replace(
        program,
        layers=tuple(replace(layer, name="same", operator="same") for layer in program.layers),
        buffers=tuple(replace(buffer, name="same") for buffer in program.buffers),
    )
    assert replay_lm(encode(renamed)).compute_cycles == replay_lm(encode(program)).compute_cycles


def test_a_start_stands_in_for_a_synchronization() -> None:
    assert Entry(begun=2, switches=True).cycles(STARTING) == 2 * 500
    assert Entry(begun=1, switches=False).cycles(STARTING) == 500
    assert Entry(begun=0, switches=True).cycles(STARTING) == STARTING.layer_sync_cycles
    assert Entry(begun=0, switches=False).cycles(STARTING) == 0


def test_without_the_field_a_layer_synchronizes_as_before() -> None:
    assert TINY.start_cycles == 0
    assert Entry(begun=2, switches=True).cycles(TINY) == TINY.layer_sync_cycles
    assert Entry(begun=1, switches=False).cycles(TINY) == 0


@pytest.mark.parametrize("batch", [1, 3])
def test_starts_are_part_of_the_compute_cycles(batch: int) -> None:
    """The same commands on the same machine with and without: a start for each layer and sample, less one
    synchronization for each layer and sample that had the queue to itself before.
    """
    program = compiled("blocks", 6, batch)
    bare, starting = replay_lm(encode(program)), replay_lm(encode(replace(program, machine=STARTING.text)))
    begun = sum(entry.begun for entry in entries_of(program))
    spared = sum(entry.switches and entry.begun > 0 for entry in entries_of(program))
    assert begun == batch * len(program.layers)
    assert starting.compute_cycles - bare.compute_cycles == 500 * begun - TINY.layer_sync_cycles * spared


def test_one_command_for_several_samples_pays_for_each(tmp_path: Path) -> None:
    pen = Pen(1)
    program = program_of(pen.graph(pen.conv(pen.input(16, 4, 4), 16)), TINY, 4)
    begun = [entry.begun for entry in entries_of(program)]
    assert sum(begun) == 4
    assert np.count_nonzero(begun) == len({command.target.offset for command in program.compute})  # type: ignore[union-attr]


def gather(source: int, target: int, size: int) -> Gather:
    return Gather(0, Wait(), source, 0, target, 0, (size,), (1,), (1,), None)


def test_a_byte_moved_in_front_of_two_copies_does_not_make_their_readers_one_layer() -> None:
    """Two maps are copied behind a byte of a third one, and the same product reads each: two layers begin. Told by
    what was moved there first, the copies would be one map and the second start spared.
    """
    layer = next(command for command in compiled("chain", 6, 1).compute if isinstance(command, Convolve))
    region = replace(layer.source, offset=0)
    size = region.sample_stride
    maps = (gather(0, 10, size), gather(1, 11, size), gather(2, 12, size))
    honest = [
        replace(layer, source=replace(region, buffer=one), target=replace(layer.target, buffer=20 + one))
        for one in (10, 11)
    ]
    copies = (gather(12, 13, 1), gather(10, 13, size), gather(12, 14, 1), gather(11, 14, size))
    hidden = [replace(one, source=replace(region, buffer=buffer)) for one, buffer in zip(honest, (13, 14), strict=True)]
    for commands in ((*maps, *honest), (*maps, *copies, *hidden)):
        found = entries(commands, (), (), ())
        assert [entry.begun for entry in found[-2:]] == [1, 1]
    again = [replace(honest[0], target=replace(layer.target, buffer=40)), honest[0]]
    assert [entry.begun for entry in entries((*maps, *again), (), (), ())[-2:]] == [1, 0]

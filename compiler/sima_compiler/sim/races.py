"""Races: two commands of different engines that touch the same byte, one of them writing, and that no wait orders.

In: a program that was executed once. Out: nothing, or an error that names two commands. Always holds: what passes
gives the same bytes in every order that the waits allow, not only in the orders that were tried.

A command's *clock* counts, per engine, the commands that have certainly completed when it starts: its own
predecessors, what it waits for, and what those waited for. Two commands are ordered when one lies inside the
other's clock. Clocks never fall along a stream, so the commands that a given one may meet form one short window per
engine, and only those are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.program import (
    Combine,
    Command,
    Convolve,
    Engine,
    Fill,
    Gather,
    LoadConstants,
    LoadTensor,
    Program,
    StoreTensor,
    part_of,
)
from sima_compiler.lm.constants import constants_bytes
from sima_compiler.lm.listing import merged
from sima_compiler.sim.commands import chip_box, dram_box, operand_region
from sima_compiler.sim.memory import Region

Clock = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Access:
    """Bytes that a command reads or writes. Its range begins at ``start`` of the memory; all its bytes lie from
    ``low`` to ``high`` - 1 of it.
    """

    on_chip: bool
    writes: bool
    start: int
    low: int
    high: int
    region: Region

    def conflicts(self, other: Access) -> bool:
        """Whether a byte is common and one of both is a write."""
        if self.low >= other.high or other.low >= self.high or self.on_chip != other.on_chip:
            return False
        return (self.writes or other.writes) and self._meets(other)

    def _meets(self, other: Access) -> bool:
        """Exact answer for boxes whose bounds overlap: strided regions may interleave without meeting."""
        low = min(self.low, other.low)
        touched = np.zeros(max(self.high, other.high) - low, np.bool_)
        self._view(touched, low)[...] = True
        return bool(other._view(touched, low).any())

    def _view(self, touched: np.ndarray, low: int) -> np.ndarray:
        return np.lib.stride_tricks.as_strided(
            touched[self.start + self.region.offset - low :], self.region.shape, self.region.strides
        )


class Order:
    """The clocks of a program's commands."""

    def __init__(self, program: Program) -> None:
        self.program = program

    @cached_property
    def clocks(self) -> dict[Engine, list[Clock]]:
        """Per engine and command, what has certainly completed when it starts."""
        clocks: dict[Engine, list[Clock]] = {engine: [] for engine in Engine}
        for engine, number, command in merged(self.program):
            wait = command.wait
            clock = [wait.dma_in, wait.dma_out, wait.compute]
            clock[engine] = max(clock[engine], number)
            for other, count in zip(Engine, tuple(clock), strict=True):
                if 0 < count <= len(clocks[other]):
                    clock = [max(pair) for pair in zip(clock, clocks[other][count - 1], strict=True)]
            clocks[engine].append((clock[0], clock[1], clock[2]))
        return clocks

    def meeting(self, engine: Engine, number: int, other: Engine) -> range:
        """Commands of ``other`` that may run at the same time as command ``number`` of ``engine``."""
        clocks = self.clocks[other]
        first = last = self.clocks[engine][number][other]
        while last < len(clocks) and clocks[last][engine] <= number:
            last += 1
        return range(first, last)


def check_races(program: Program) -> None:
    """Every two commands that touch a common byte, one of them writing, must be ordered.

    Raises:
        ExecutionError: two that are not, by name.
    """
    order = Order(program)
    streams: dict[Engine, tuple[Command, ...]] = {
        Engine.DMA_IN: program.dma_in,
        Engine.DMA_OUT: program.dma_out,
        Engine.COMPUTE: program.compute,
    }
    touched = {engine: [accesses(program, command) for command in stream] for engine, stream in streams.items()}
    pairs = ((Engine.COMPUTE, Engine.DMA_IN), (Engine.COMPUTE, Engine.DMA_OUT), (Engine.DMA_OUT, Engine.DMA_IN))
    for engine, other in pairs:
        for number in range(len(streams[engine])):
            for rival in order.meeting(engine, number, other):
                if any(a.conflicts(b) for a in touched[engine][number] for b in touched[other][rival]):
                    raise _race(program, (engine, number), (other, rival))


def accesses(program: Program, command: Command) -> tuple[Access, ...]:
    """All bytes that a command reads and writes."""
    match command:
        case LoadTensor(tensor=tensor, dram_offset=offset, box=box):
            chip = _chip(program, chip_box(command.buffer, command.chip_offset, box), writes=True)
            return (_dram(program, dram_box(tensor, offset, box), writes=False), chip)
        case StoreTensor(tensor=tensor, dram_offset=offset, box=box):
            chip = _chip(program, chip_box(command.buffer, command.chip_offset, box), writes=False)
            return (_dram(program, dram_box(tensor, offset, box), writes=True), chip)
        case LoadConstants(constants=constants, buffer=buffer):
            return _whole(program, buffer, len(program.constants[constants].data), writes=True)
        case Fill(target=target):
            return (_chip(program, operand_region(target, target.padding), writes=True),)
        case Gather(sizes=sizes):
            source = Region(command.source_buffer, command.source_offset, sizes, command.source_strides)
            target = Region(command.target_buffer, command.target_offset, sizes, command.target_strides)
            both = (_chip(program, source, writes=False), _chip(program, target, writes=True))
            return both + _whole(program, command.parameters, constants_bytes(command), writes=False)
        case _:
            found = (_chip(program, operand_region(command.source, 0), writes=False),)
            if part_of(command).finishes:
                found += (_chip(program, operand_region(command.target, command.target.padding), writes=True),)
            step = command.binary if isinstance(command, Convolve | Combine) else None
            if step is not None and step.operand is not None:
                found += (_chip(program, operand_region(step.operand, 0), writes=False),)
            return found + _whole(program, command.parameters, constants_bytes(command), writes=False)


def _chip(program: Program, region: Region, *, writes: bool) -> Access:
    return _access(region, program.buffers[region.range].address, on_chip=True, writes=writes)


def _dram(program: Program, region: Region, *, writes: bool) -> Access:
    return _access(region, program.tensors[region.range].address, on_chip=False, writes=writes)


def _access(region: Region, start: int, *, on_chip: bool, writes: bool) -> Access:
    low, high = region.bounds()
    return Access(on_chip, writes, start, start + low, start + high, region)


def _whole(program: Program, buffer: int, size: int, *, writes: bool) -> tuple[Access, ...]:
    """The first ``size`` bytes of a buffer, nothing if there are none."""
    return (_chip(program, Region(buffer, 0, (size,), (1,)), writes=writes),) if size else ()


def _race(program: Program, one: tuple[Engine, int], other: tuple[Engine, int]) -> ExecutionError:
    names: list[str] = []
    for engine, number in (one, other):
        stream = (program.dma_in, program.dma_out, program.compute)[engine]
        command = stream[number]
        layer = program.layers[command.layer].name
        names.append(f"{engine.name} command {number} ({type(command).__name__} of {layer})")
    return ExecutionError(
        f"a race: {names[0]} and {names[1]} touch the same bytes and nothing orders them", hint="a wait is missing"
    )

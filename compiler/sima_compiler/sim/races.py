"""Races: two commands of different engines that touch the same byte, one of them writing, and that no wait orders.

In: a program that was executed once. Out: nothing, or an error that names two commands. Always holds: what passes
gives the same bytes in every order that the waits allow, not only in the orders that were tried.

A command's *clock* counts, per engine, the commands that have certainly completed when it starts: its own
predecessors, what it waits for, and what those waited for. Two commands are ordered when one lies inside the
other's clock. Clocks never fall along a stream, so the commands that a given one may meet form one short window per
engine, and only those are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

import numpy as np
import numpy.typing as npt

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.program import (
    Combine,
    Command,
    Convolve,
    Engine,
    Fill,
    Gather,
    Interpolate,
    LoadConstants,
    LoadTensor,
    Multiply,
    Normalize,
    Pool,
    Program,
    Resample,
    StoreTensor,
    Translate,
    part_of,
)
from sima_compiler.lm.constants import constants_bytes
from sima_compiler.lm.listing import merged
from sima_compiler.sim.commands import chip_box, dram_box, operand_region, second_of
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

    def meets(self, other: Access) -> bool:
        """Whether a byte of one memory is common, for boxes whose bounds overlap: strided ones may interleave."""
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

    @cached_property
    def columns(self) -> dict[Engine, npt.NDArray[np.int64]]:
        """The clocks of each engine as a table: a row for each command, a column for each engine."""
        return {engine: np.array(rows, np.int64).reshape(-1, len(Engine)) for engine, rows in self.clocks.items()}

    def meeting(self, engine: Engine, number: int, other: Engine) -> range:
        """Commands of ``other`` that may run at the same time as command ``number`` of ``engine``."""
        first = self.clocks[engine][number][other]
        last = int(np.searchsorted(self.columns[other][:, engine], number, side="right"))
        return range(first, max(first, last))


class Stream:
    """What the commands of one engine touch, also as columns: networks with a table for each channel have tens of
    thousands of commands, and millions of pairs that may meet.
    """

    def __init__(self, program: Program, commands: Sequence[Command]) -> None:
        self.touched = [accesses(program, command) for command in commands]
        self.flat = [access for group in self.touched for access in group]
        self.owner = np.repeat(np.arange(len(commands)), [len(group) for group in self.touched])
        self.low = np.array([access.low for access in self.flat], np.int64)
        self.high = np.array([access.high for access in self.flat], np.int64)
        self.on_chip = np.array([access.on_chip for access in self.flat], np.bool_)
        self.writes = np.array([access.writes for access in self.flat], np.bool_)

    def conflict(self, access: Access, window: range) -> int | None:
        """The first command in ``window`` with a byte in common with ``access``, one of both writing."""
        begin, end = np.searchsorted(self.owner, (window.start, window.stop))
        near = slice(int(begin), int(end))
        overlap = (self.low[near] < access.high) & (self.high[near] > access.low)
        overlap &= self.on_chip[near] == access.on_chip
        if not access.writes:
            overlap &= self.writes[near]
        for place in np.flatnonzero(overlap) + near.start:
            if access.meets(self.flat[int(place)]):
                return int(self.owner[place])
        return None


def check_races(program: Program) -> None:
    """Every two commands that touch a common byte, one of them writing, must be ordered.

    Raises:
        ExecutionError: two that are not, by name.
    """
    order = Order(program)
    streams = {
        Engine.DMA_IN: Stream(program, program.dma_in),
        Engine.DMA_OUT: Stream(program, program.dma_out),
        Engine.COMPUTE: Stream(program, program.compute),
    }
    pairs = ((Engine.COMPUTE, Engine.DMA_IN), (Engine.COMPUTE, Engine.DMA_OUT), (Engine.DMA_OUT, Engine.DMA_IN))
    for engine, other in pairs:
        for number, touched in enumerate(streams[engine].touched):
            window = order.meeting(engine, number, other)
            rivals = [streams[other].conflict(access, window) for access in touched] if window else []
            found = min((rival for rival in rivals if rival is not None), default=None)
            if found is not None:
                raise _race(program, (engine, number), (other, found))


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
        case Convolve() | Pool() | Combine() | Translate() | Resample() | Interpolate() | Normalize() | Multiply():
            found = (_chip(program, operand_region(command.source, 0), writes=False),)
            if part_of(command).finishes:
                found += (_chip(program, operand_region(command.target, command.target.padding), writes=True),)
            second = second_of(command)
            if second is not None:
                found += (_chip(program, operand_region(second, 0), writes=False),)
            return found + _whole(program, command.parameters, constants_bytes(command), writes=False)
        case _:
            assert_never(command)


def _chip(program: Program, region: Region, *, writes: bool) -> Access:
    return _access(region, program.buffers[region.range].address, on_chip=True, writes=writes)


def _dram(program: Program, region: Region, *, writes: bool) -> Access:
    return _access(region, program.tensors[region.range].address, on_chip=False, writes=writes)


def _access(region: Region, start: int, *, on_chip: bool, writes: bool) -> Access:
    low, high = region.bounds()
    return Access(on_chip=on_chip, writes=writes, start=start, low=start + low, high=start + high, region=region)


def _whole(program: Program, buffer: int | None, size: int, *, writes: bool) -> tuple[Access, ...]:
    """The first ``size`` bytes of a buffer, nothing if there are none."""
    if not size or buffer is None:
        return ()
    return (_chip(program, Region(buffer, 0, (size,), (1,)), writes=writes),)


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

"""Runs: commands of one layer right behind one another, between which the array neither fills nor drains.

In: commands with their work and how they stand to the layers. Out: the cycles by which each begins to stream before
the command in front of it is done. The pixels of a command that goes on enter right behind the last ones of the command
before: its first weights load behind those, its first results come out right behind theirs, and while its first pass
streams into one half of the accumulators the last results of the command before leave the other half.

A run goes on only within one layer and one kind of command, without a sample that begins; not from part to part of a
reduction, which holds all accumulators; and not into what the command before writes. What a command waits for must be
there when it begins to stream, not only when the one before is done (`timeline`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from sima_compiler.ir.commands import facts
from sima_compiler.ir.program import ComputeCommand, Part
from sima_compiler.machine.cost import CommandWork, command_work
from sima_compiler.machine.description import Machine
from sima_compiler.machine.starts import Entry, read_ranges, written_range


def leads(
    commands: Sequence[ComputeCommand], works: Sequence[CommandWork], entered: Sequence[Entry], machine: Machine
) -> list[int]:
    """Cycles by which each command begins before the one in front of it is done; 0 where it begins a run."""
    found = [0] * len(commands)
    if not machine.commands_run_on:
        return found
    for index in range(1, len(commands)):
        if not entered[index].begun and not entered[index].switches and goes_on(commands[index - 1], commands[index]):
            found[index] = lead(works[index - 1], works[index], machine)
    return found


def durations(commands: Sequence[ComputeCommand], entered: Sequence[Entry], machine: Machine, quads: int) -> list[int]:
    """Cycles that each command keeps the compute queue, where nothing makes it wait."""
    works = [command_work(command, machine, quads) for command in commands]
    rows = zip(works, entered, leads(commands, works, entered, machine), strict=True)
    return [work.cycles + entry.cycles(machine) - ahead for work, entry, ahead in rows]


def lead(before: CommandWork, work: CommandWork, machine: Machine) -> int:
    """Cycles that two commands of one run have in common: filling, and the first one's results on their way out."""
    return machine.fill_cycles + min(before.draining, work.entering)


def run_cycles(works: Sequence[CommandWork], machine: Machine) -> int:
    """Cycles of commands that are one run."""
    common = sum(lead(before, work, machine) for before, work in pairwise(works)) if machine.commands_run_on else 0
    return sum(work.cycles for work in works) - common


def goes_on(before: ComputeCommand, command: ComputeCommand) -> bool:
    """Whether a command of the same layer may stream behind another one."""
    if type(before) is not type(command) or not facts(before).part is facts(command).part is Part.WHOLE:
        return False
    buffer, low, high = written_range(before)
    reads = read_ranges(command)
    return not any(space == buffer and first < high and low < end for space, first, end in reads)

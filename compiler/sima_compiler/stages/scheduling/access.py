"""Which bytes a command reads and writes, as half-open intervals in named spaces.

A space is an on-chip buffer (its index) or a DRAM tensor (-1 - its index). Intervals are exact for whole rows and
bounding otherwise: too wide an interval costs a wait, never a wrong result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from sima_compiler.ir.commands import facts
from sima_compiler.ir.program import (
    Box,
    Combine,
    Command,
    Convolve,
    Fill,
    Gather,
    Interpolate,
    LoadConstants,
    LoadTensor,
    Multiply,
    Normalize,
    Operand,
    Pool,
    Resample,
    StoreTensor,
    Translate,
    part_of,
)

#: End of an interval that covers a whole space.
EVERYTHING = 1 << 62


@dataclass(frozen=True, slots=True)
class Access:
    """One interval of one space, read or written."""

    space: int
    low: int
    high: int
    writes: bool


def accesses(command: Command) -> list[Access]:
    """Everything that a command touches."""
    match command:
        case LoadConstants():
            return [Access(command.buffer, 0, EVERYTHING, writes=True)]
        case LoadTensor():
            dram = _box(-1 - command.tensor, command.dram_offset, command.box, dram=True, writes=False)
            return dram + _box(command.buffer, command.chip_offset, command.box, dram=False, writes=True)
        case StoreTensor():
            dram = _box(-1 - command.tensor, command.dram_offset, command.box, dram=True, writes=True)
            return dram + _box(command.buffer, command.chip_offset, command.box, dram=False, writes=False)
        case Gather():
            return _gather(command) + _parameters(command.parameters)
        case Fill():
            return _operand(command.target, writes=True)
        case Convolve() | Pool() | Combine() | Translate() | Resample() | Interpolate() | Normalize() | Multiply():
            found = _operand(command.source, writes=False)
            if part_of(command).finishes:
                found += _operand(command.target, writes=True)
            second = facts(command).second
            if second is not None:
                found += _operand(second, writes=False)
            return found + _parameters(command.parameters)
        case _:
            assert_never(command)


def _parameters(buffer: int | None) -> list[Access]:
    return [] if buffer is None else [Access(buffer, 0, EVERYTHING, writes=False)]


def _operand(operand: Operand, *, writes: bool) -> list[Access]:
    pixel = operand.channels + operand.padding
    span = (operand.rows - 1) * operand.row_stride + (operand.columns - 1) * operand.pixel_stride + pixel
    return _samples(operand.buffer, operand.offset, (operand.samples, operand.sample_stride), span, writes=writes)


def _box(space: int, offset: int, box: Box, *, dram: bool, writes: bool) -> list[Access]:
    strides = box.dram_strides if dram else box.chip_strides
    samples, rows, columns, run = box.sizes
    span = (rows - 1) * strides[1] + (columns - 1) * strides[2] + run
    return _samples(space, offset, (samples, strides[0]), span, writes=writes)


def _samples(space: int, low: int, samples: tuple[int, int], span: int, *, writes: bool) -> list[Access]:
    """``samples`` = (count, stride) runs of ``span`` bytes: one interval where each begins where the last one ends, as
    whole maps do (at batch 16, ResNet-50 has an interval instead of 14).
    """
    count, stride = samples
    if count == 1 or stride == span:
        return [Access(space, low, low + count * span, writes)]
    return [Access(space, start, start + span, writes) for start in range(low, low + count * stride, stride)]


def _gather(command: Gather) -> list[Access]:
    def span(strides: tuple[int, ...]) -> int:
        return sum((size - 1) * stride for size, stride in zip(command.sizes, strides, strict=True)) + 1

    source, target = command.source_offset, command.target_offset
    return [
        Access(command.source_buffer, source, source + span(command.source_strides), writes=False),
        Access(command.target_buffer, target, target + span(command.target_strides), writes=True),
    ]

"""One command on the modelled machine: which bytes it reads, what it computes, which bytes it writes.

In: the machine's state and a command. Out: the state's memories changed. Always holds: all bytes are read (and checked)
before the first one is written; a command's reads count as outstanding until it has completed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Int8Array
from sima_compiler.ir.program import (
    BinaryStep,
    Box,
    Combine,
    Command,
    ComputeCommand,
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
    Program,
    Resample,
    StoreTensor,
    Translate,
)
from sima_compiler.lm.constants import ConstantSections, constants_bytes, unpack_constants
from sima_compiler.sim import kernels, pooling, products, rows
from sima_compiler.sim.accumulators import Accumulated, Accumulators
from sima_compiler.sim.memory import Memory, Region

#: Commands that turn a source region into a target region of their own shape.
Mapped = Convolve | Pool | Combine | Translate | Resample | Interpolate | Normalize | Multiply


@dataclass(frozen=True, slots=True)
class State:
    """The program, and the two memories and the accumulators that its commands change."""

    program: Program
    dram: Memory
    chip: Memory
    accumulators: Accumulators


def chip_reads(command: Command) -> frozenset[int]:
    """Buffers that a command reads."""
    match command:
        case StoreTensor():
            return frozenset((command.buffer,))
        case LoadTensor() | LoadConstants() | Fill():
            return frozenset()
        case Gather():
            found = {command.source_buffer}
        case Convolve() | Pool() | Combine() | Translate() | Resample() | Interpolate() | Normalize() | Multiply():
            found = {command.source.buffer}
        case _:
            assert_never(command)
    if constants_bytes(command) and command.parameters is not None:
        found.add(command.parameters)
    second = second_of(command)
    if second is not None:
        found.add(second.buffer)
    return frozenset(found)


def second_of(command: ComputeCommand) -> Operand | None:
    """The region of a second map that a command reads."""
    if isinstance(command, Multiply):
        return command.right
    step = command.binary if isinstance(command, Convolve | Combine) else None
    return None if step is None else step.operand


def dram_reads(command: Command) -> frozenset[int]:
    """DRAM tensors that a command reads."""
    return frozenset((command.tensor,)) if isinstance(command, LoadTensor) else frozenset()


def run_command(state: State, command: Command) -> None:
    """Execute one command.

    Raises:
        ExecutionError: it reads or destroys the wrong bytes, or contradicts itself.
    """
    match command:
        case LoadTensor():
            _load_tensor(state, command)
        case LoadConstants():
            _load_constants(state, command)
        case StoreTensor():
            _store_tensor(state, command)
        case (
            Convolve() | Pool() | Combine() | Translate() | Gather() | Fill()
            | Resample() | Interpolate() | Normalize() | Multiply()
        ):  # fmt: skip
            _compute(state, command)
        case _:
            assert_never(command)
    _finish(state.chip, chip_reads(command))
    _finish(state.dram, dram_reads(command))


def _finish(memory: Memory, numbers: Iterable[int]) -> None:
    for number in numbers:
        memory.finish_read(number)


def _load_tensor(state: State, command: LoadTensor) -> None:
    values = state.dram.read(dram_box(command.tensor, command.dram_offset, command.box))
    state.chip.write(chip_box(command.buffer, command.chip_offset, command.box))[...] = values


def _store_tensor(state: State, command: StoreTensor) -> None:
    values = state.chip.read(chip_box(command.buffer, command.chip_offset, command.box))
    state.dram.write(dram_box(command.tensor, command.dram_offset, command.box))[...] = values


def _load_constants(state: State, command: LoadConstants) -> None:
    data = state.program.constants[command.constants].data
    if data:
        region = Region(command.buffer, 0, (len(data),), (1,))
        state.chip.write(region)[...] = np.frombuffer(data, np.int8)


def _gather(state: State, command: Gather) -> None:
    source = Region(command.source_buffer, command.source_offset, command.sizes, command.source_strides)
    target = Region(command.target_buffer, command.target_offset, command.sizes, command.target_strides)
    values = kernels.look_up(state.chip.read(source), _parameters(state, command).lookup)
    moved = values.copy() if command.source_buffer == command.target_buffer else values
    state.chip.write(target)[...] = moved


def _compute(state: State, command: ComputeCommand) -> None:
    before = state.accumulators.before(command)
    if isinstance(command, Mapped):
        state.chip.check_bounds(operand_region(command.target, command.target.padding), "write")
    match command:
        case Gather():
            _gather(state, command)
        case Fill(target=target, value=value):
            _write(state, target, np.int8(value), value)
        case Convolve() | Pool():
            found = _reduce(state, command, before)
            finished = not isinstance(found, Accumulated)
            state.accumulators.after(command, None if finished else found)
            if finished:
                _leave(state, command, found, _zero_point(command))
        case Combine(binary=step):
            source, sections = _read(state, command.source), _parameters(state, command)
            _leave(state, command, kernels.combine(step, source, _operand(state, step), sections), _zero_point(command))
        case Translate():
            values = kernels.look_up(_read(state, command.source), _parameters(state, command).lookup)
            _leave(state, command, values, 0)
        case Resample():
            _leave(state, command, kernels.resample(_read(state, command.source), _parameters(state, command)), 0)
        case Multiply(intermediate=output):
            sections = _parameters(state, command)
            found = products.multiply(command, _read(state, command.source), _read(state, command.right), sections)
            _leave(state, command, found, output.zero_point)
        case Interpolate(output=output):
            values = kernels.interpolate(command, _read(state, command.source), _parameters(state, command))
            _leave(state, command, values, output.zero_point)
        case Normalize(output=output):
            found = rows.normalize(command, _read(state, command.source), _parameters(state, command))
            _leave(state, command, found, output.zero_point)
        case _:
            assert_never(command)


def _reduce(state: State, command: Convolve | Pool, before: Accumulated | None) -> Int8Array | Accumulated:
    """The results of a command that finishes its block, else the sums so far."""
    reads, writes = command.source, command.target
    if reads.samples != writes.samples or (isinstance(command, Pool) and reads.channels != writes.channels):
        raise ExecutionError(f"a source of shape {_shape(reads)} does not reduce to {_shape(writes)}")
    source, sections = _read(state, command.source), _parameters(state, command)
    if isinstance(command, Convolve):
        return kernels.run_convolution(command, source, _operand(state, command.binary), sections, before)
    found = pooling.reduce_window(command, source, before, sections.reals)
    return kernels.look_up(pooling.finish_pool(command, found), sections.lookup) if command.part.finishes else found


def _leave(state: State, command: Mapped, result: Int8Array, fill: int) -> None:
    if result.shape != _shape(command.target):
        raise ExecutionError(f"the result has shape {result.shape}, the target {_shape(command.target)}")
    _write(state, command.target, result, fill)


def _zero_point(command: Convolve | Pool | Combine) -> int:
    """Of the last quantization that the command names: what padding is filled with."""
    match command:
        case Pool():
            return command.output.zero_point
        case Combine():
            return command.binary.output.zero_point
        case Convolve():
            return (command.intermediate if command.binary is None else command.binary.output).zero_point
        case _:
            assert_never(command)


def _parameters(state: State, command: ComputeCommand) -> ConstantSections:
    """The arrays in the command's parameter buffer."""
    size = constants_bytes(command)
    if not size or isinstance(command, Fill):
        return ConstantSections()
    if command.parameters is None:
        raise ExecutionError(f"{size} bytes of parameters are needed and no buffer is named")
    stored = state.chip.read(Region(command.parameters, 0, (size,), (1,)))
    return unpack_constants(stored.data, command)


def _operand(state: State, step: BinaryStep | None) -> Int8Array | None:
    return None if step is None or step.operand is None else _read(state, step.operand)


def _read(state: State, operand: Operand) -> Int8Array:
    return state.chip.read(operand_region(operand, 0))


def _write(state: State, operand: Operand, values: Int8Array | np.int8, fill: int) -> None:
    """Values into the operand's region, the zero point into the padding after each pixel."""
    view = state.chip.write(operand_region(operand, operand.padding))
    view[..., : operand.channels] = values
    view[..., operand.channels :] = fill


def _shape(operand: Operand) -> tuple[int, int, int, int]:
    return operand.samples, operand.rows, operand.columns, operand.channels


def operand_region(operand: Operand, padding: int) -> Region:
    """The bytes of an operand, with ``padding`` bytes after each pixel."""
    samples, rows, columns, channels = _shape(operand)
    strides = (operand.sample_stride, operand.row_stride, operand.pixel_stride, 1)
    return Region(operand.buffer, operand.offset, (samples, rows, columns, channels + padding), strides)


def dram_box(tensor: int, offset: int, box: Box) -> Region:
    """The bytes of a transfer in DRAM."""
    return Region(tensor, offset, box.sizes, (*box.dram_strides, 1))


def chip_box(buffer: int, offset: int, box: Box) -> Region:
    """The bytes of a transfer on chip."""
    return Region(buffer, offset, box.sizes, (*box.chip_strides, 1))

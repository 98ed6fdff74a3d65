"""What is true of every compute command: the one declaration that planning, costs and the file's reader use.

In: a command of `ir.program`. Out: its `CommandFacts`. Always holds: every command states every fact; none has a
default. The verifiers of `ir` and the simulator do not ask here: they judge, so each tells commands apart by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from sima_compiler.ir.kernels import Unit
from sima_compiler.ir.layers import Window
from sima_compiler.ir.program import (
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
    Part,
    Pool,
    Resample,
    StoreTensor,
    Translate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFacts:
    """The facts of one compute command.

    ``source`` and ``target`` are buffers, None where nothing is read; ``results`` is the block of a map that the
    command computes, None where it moves bytes of any shape. ``window`` slides over the source; ``second`` is the
    second operand, where that is a map; ``parameters`` is the buffer of its constants.
    """

    unit: Unit
    part: Part
    source: int | None
    target: int
    results: Operand | None
    window: Window | None
    second: Operand | None
    parameters: int | None


def facts(command: ComputeCommand) -> CommandFacts:
    """What is true of a compute command."""
    match command:
        case Convolve():
            return CommandFacts(
                unit=Unit.ARRAY if on_array(command) else Unit.VECTOR,
                part=command.part,
                source=command.source.buffer,
                target=command.target.buffer,
                results=command.target,
                window=command.window,
                second=None if command.binary is None else command.binary.operand,
                parameters=command.parameters,
            )
        case Pool():
            return CommandFacts(
                unit=Unit.VECTOR,
                part=command.part,
                source=command.source.buffer,
                target=command.target.buffer,
                results=command.target,
                window=command.window,
                second=None,
                parameters=command.parameters,
            )
        case Combine():
            return _whole(command, command.binary.operand)
        case Translate() | Resample() | Interpolate() | Normalize():
            return _whole(command, None)
        case Multiply():
            return replace(_whole(command, command.right), unit=Unit.ARRAY)
        case Gather():
            return CommandFacts(
                unit=Unit.VECTOR,
                part=Part.WHOLE,
                source=command.source_buffer,
                target=command.target_buffer,
                results=None,
                window=None,
                second=None,
                parameters=command.parameters,
            )
        case Fill():
            return CommandFacts(
                unit=Unit.VECTOR,
                part=Part.WHOLE,
                source=None,
                target=command.target.buffer,
                results=command.target,
                window=None,
                second=None,
                parameters=None,
            )
        case _:
            assert_never(command)


def on_array(command: Convolve) -> bool:
    """Whether the array computes it: where every group has one input channel, the vector unit does."""
    return command.groups == 1 or command.groups != command.source.channels


def buffers_of(command: Command) -> Iterator[int]:
    """Indexes of the buffers that a command touches."""
    match command:
        case LoadTensor() | LoadConstants() | StoreTensor():
            yield command.buffer
        case _:
            known = facts(command)
            second = None if known.second is None else known.second.buffer
            touched = (known.source, known.target, second, known.parameters)
            yield from (buffer for buffer in touched if buffer is not None)


def with_buffers(command: ComputeCommand, renumbered: Callable[[int], int]) -> ComputeCommand:
    """The command on other buffers of the same shape; its parameters stay where they are."""
    match command:
        case Gather():
            places = renumbered(command.source_buffer), renumbered(command.target_buffer)
            return replace(command, source_buffer=places[0], target_buffer=places[1])
        case Fill():
            return replace(command, target=_moved(command.target, renumbered))
        case Convolve() | Pool() | Combine() | Translate() | Resample() | Interpolate() | Normalize() | Multiply():
            moved = replace(
                command, source=_moved(command.source, renumbered), target=_moved(command.target, renumbered)
            )
            second = facts(moved).second
            if second is not None and isinstance(moved, Multiply):
                return replace(moved, right=_moved(second, renumbered))
            if second is None or not isinstance(moved, Convolve | Combine) or moved.binary is None:
                return moved
            return replace(moved, binary=replace(moved.binary, operand=_moved(second, renumbered)))
        case _:
            assert_never(command)


def _whole(
    command: Combine | Translate | Resample | Interpolate | Normalize | Multiply, second: Operand | None
) -> CommandFacts:
    """The facts of a command that maps a region to a region of its own shape, all at once."""
    return CommandFacts(
        unit=Unit.VECTOR,
        part=Part.WHOLE,
        source=command.source.buffer,
        target=command.target.buffer,
        results=command.target,
        window=None,
        second=second,
        parameters=command.parameters,
    )


def _moved(operand: Operand, renumbered: Callable[[int], int]) -> Operand:
    return replace(operand, buffer=renumbered(operand.buffer))

"""What the tiles can hold of a convolution: refuses mappings that no machine of this description could run.

In: the commands and the machine that an `.lm` names. Out: nothing, or `ExecutionError`. The cost of a command follows
from its mapping, so a mapping that does not exist would buy cycles that do not exist; both the simulator and the
replay of time ask here before they believe a file. Written apart from the stage that chooses mappings.
"""

from __future__ import annotations

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.program import Convolve, Multiply, Operand, Program
from sima_compiler.machine.description import Machine


def machine_of(program: Program) -> Machine:
    """The machine that the program was compiled for, which can run every one of its mappings.

    Raises:
        MachineError: the description in the file is damaged. ExecutionError: more quads than the machine has, or a
            mapping that it cannot hold.
    """
    machine = Machine.parse(program.machine, origin=f"{program.segment}: embedded machine")
    if not 1 <= program.quads <= machine.quads:
        raise ExecutionError(f"the program uses {program.quads} quads, {machine.name} has {machine.quads}")
    for number, command in enumerate(program.compute):
        if isinstance(command, Convolve | Multiply):
            kind = type(command).__name__
            where = f"COMPUTE command {number} ({kind} of {program.layers[command.layer].name})"
            _check_tiles(command, machine, program.quads, where)
            _check_contraction(command, machine, where)
            if isinstance(command, Convolve) and command.mapping.folded:
                _check_folding(command, machine, where)
            elif command.mapping.folded:
                raise ExecutionError(f"{where}: a matrix product has no window to fold")
    return machine


def _check_tiles(command: Convolve | Multiply, machine: Machine, quads: int, where: str) -> None:
    """Each of the pixels x outputs x contraction parts sits on a tile of its own."""
    spread, tiles = command.mapping, machine.tiles(quads)
    used = spread.pixels * spread.outputs * spread.contraction
    if min(spread.pixels, spread.outputs, spread.contraction) < 1 or used > tiles:
        raise ExecutionError(
            f"{where}: {spread.pixels} x {spread.outputs} x {spread.contraction} parts take {used} tiles of {tiles}"
        )


def _check_contraction(command: Convolve | Multiply, machine: Machine, where: str) -> None:
    """Partial sums hop along a row of tiles, and rows are shared evenly."""
    parts, row = command.mapping.contraction, machine.tile_row
    if row % parts:
        raise ExecutionError(f"{where}: a contraction in {parts} parts does not divide a row of {row} tiles")


def _check_folding(command: Convolve, machine: Machine, where: str) -> None:
    """The lanes take neighbouring bytes of a row, so its pixels must lie side by side and be all that is wanted."""
    source = command.source
    if not _is_packed(source) or source.channels >= machine.lanes:
        raise ExecutionError(
            f"{where}: folds rows whose pixels lie {source.pixel_stride} bytes apart with {source.channels} channels; "
            f"only packed rows of fewer than {machine.lanes} channels fold"
        )
    if command.groups != 1 or command.window.dilations[1] != 1:
        raise ExecutionError(
            f"{where}: folds a window of {command.groups} groups, {command.window.dilations[1]} columns apart"
        )


def _is_packed(source: Operand) -> bool:
    return source.pixel_stride == source.channels and source.padding == 0

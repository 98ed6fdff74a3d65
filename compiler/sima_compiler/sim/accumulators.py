"""The accumulators between two parts of one block: what they hold, and who may add to it.

In: compute commands in the order of their queue. Out: the sums that a part continues. Always holds: a block's parts
follow each other with nothing between, on one target, and all its results have room in the accumulators.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sima_compiler.errors import ExecutionError
from sima_compiler.ir.graph import Int32Array
from sima_compiler.ir.program import ComputeCommand, Convolve, Part, Pool, part_of
from sima_compiler.machine.cost import accumulators_needed
from sima_compiler.machine.description import Machine

#: What reduces in parts.
Reduction = Convolve | Pool


def _no_cells() -> Int32Array:
    return np.zeros((), np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Accumulated:
    """Unfinished results (samples, rows, columns, channels) and the cells that an average divides by, broadcast."""

    values: npt.NDArray[np.int8 | np.int32 | np.float32]
    cells: Int32Array = field(default_factory=_no_cells)


class Accumulators:
    """What the tiles hold of a block that is not finished."""

    def __init__(self, machine: Machine, quads: int) -> None:
        self._machine, self._quads = machine, quads
        self._open: Reduction | None = None
        self._held: Accumulated | None = None

    def before(self, command: ComputeCommand) -> Accumulated | None:
        """What earlier parts of the command's block have summed; None for a command that starts.

        Raises:
            ExecutionError: the command belongs to another block than the parts before it.
        """
        if part_of(command).starts:
            self.check_empty(f"{type(command).__name__} starts")
        elif self._open is None or not isinstance(command, Reduction) or _block(self._open) != _block(command):
            raise ExecutionError(f"a {part_of(command)} part continues no part of its block")
        return self._held

    def after(self, command: Reduction, found: Accumulated | None) -> None:
        """The command's sums, to be continued; None when it has finished its block.

        Raises:
            ExecutionError: the block is too large for the accumulators.
        """
        if found is not None and command.part is Part.FIRST:
            self._check_room(command)
        self._open, self._held = (None, None) if found is None else (command, found)

    def _check_room(self, command: Reduction) -> None:
        """Each tile holds its share of the block's results; `sim.mappings` has counted the tiles."""
        needed = accumulators_needed(command, self._machine, self._quads)
        limit = self._machine.accumulator_pixels
        if needed > limit:
            raise ExecutionError(f"a block in parts needs {needed} accumulators per tile and lane of {limit}")

    def check_empty(self, event: str) -> None:
        """Nothing may wait for its last part when ``event`` happens.

        Raises:
            ExecutionError: something does.
        """
        if self._open is not None:
            raise ExecutionError(f"{event} while a {type(self._open).__name__} in parts waits for its last part")


def _block(command: Reduction) -> tuple[object, ...]:
    """What all parts of one block have in common."""
    spread = command.mapping if isinstance(command, Convolve) else (command.kind, command.is_global)
    return type(command), command.layer, command.target, spread

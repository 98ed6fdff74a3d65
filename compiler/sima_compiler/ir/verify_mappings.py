"""Checks that convolutions of a plan lie on tiles that exist, by laying them out; written apart from the mapping search
and from the simulator's own check.

In: a tiling and the shape of the machine. Out: nothing, or an `InternalError` that names the step. Kernels of the
vector unit have no mapping.
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.errors import InternalError
from sima_compiler.ir.program import Convolve, Multiply
from sima_compiler.ir.tiles import Tiling


@dataclass(frozen=True, slots=True)
class TileShape:
    """Rows of tiles in the quads in use, tiles per row, and bytes that a tile takes at a time."""

    rows: int
    row_tiles: int
    lanes: int


def verify_mappings(tiling: Tiling, shape: TileShape) -> None:
    """Every convolution's parts find tiles: those of one contraction side by side in a row, all others anywhere."""
    for step, command in enumerate(tiling.steps):
        if isinstance(command, Convolve | Multiply):
            _check_places(command, shape, f"tile: step {step}")
            if isinstance(command, Convolve) and command.mapping.folded:
                _check_lanes(command, shape, f"tile: step {step}")


def _check_places(command: Convolve | Multiply, shape: TileShape, where: str) -> None:
    """Cut each row of tiles into groups of one contraction and count the groups."""
    spread = command.mapping
    groups_of_row, left_over = divmod(shape.row_tiles, max(spread.contraction, 1))
    if spread.contraction < 1 or left_over or not groups_of_row:
        raise InternalError(f"{where}: rows of {shape.row_tiles} tiles do not hold groups of {spread.contraction}")
    wanted, there = spread.pixels * spread.outputs, shape.rows * groups_of_row
    if min(spread.pixels, spread.outputs) < 1 or wanted > there:
        raise InternalError(f"{where}: {spread.pixels} x {spread.outputs} groups of tiles, there are {there}")


def _check_lanes(command: Convolve, shape: TileShape, where: str) -> None:
    """The bytes of one window row follow each other, and a vector spans more than one pixel."""
    source, width = command.source, command.window.kernel[1]
    row = [
        column * command.window.dilations[1] * source.pixel_stride + channel
        for column in range(width)
        for channel in range(source.channels // command.groups)
    ]
    if row != list(range(len(row))) or source.channels >= shape.lanes:
        raise InternalError(f"{where}: folds a row that is not packed: {source}")

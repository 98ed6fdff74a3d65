"""One block of linear resampling: its tables, and its command.

In: a `Blend` kernel and the block's region. Out: constants whose tables count from the first row and column that the
block reads, and the command.
"""

from __future__ import annotations

import numpy as np

from sima_compiler.ir.graph import Float32Array, Int32Array, Neighbours, Quantization
from sima_compiler.ir.layers import Blend
from sima_compiler.ir.program import Interpolate, Operand, Wait
from sima_compiler.lm.constants import ConstantSections
from sima_compiler.stages.tiling.block.geometry import Region


def blend_sections(kernel: Blend, region: Region) -> ConstantSections:
    """Places and weights of the block's rows and columns, near ones first."""
    rows, row_weights = _tables(kernel.rows.part(*region.rows))
    columns, column_weights = _tables(kernel.columns.part(*region.columns))
    return ConstantSections(
        lookup=kernel.lookup, rows=rows, columns=columns, row_weights=row_weights, column_weights=column_weights
    )


def blend_command(
    kernel: Blend, layer: int, operands: tuple[Operand, Operand], quants: tuple[Quantization, Quantization], tables: int
) -> Interpolate:
    """The command on (source, target) with their quantizations; ``tables`` is the parameters' buffer."""
    return Interpolate(
        layer=layer,
        wait=Wait(),
        source=operands[0],
        target=operands[1],
        parameters=tables,
        input=quants[0],
        output=quants[1],
        clamp=kernel.clamp,
        has_lookup=kernel.lookup is not None,
    )


def _tables(axis: Neighbours) -> tuple[Int32Array, Float32Array]:
    places = np.array([axis.near, axis.far], np.int32)
    return places - places.min(), np.array([axis.near_weights, axis.far_weights], np.float32)

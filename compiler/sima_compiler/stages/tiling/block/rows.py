"""Commands and constants of layers that look at all channels of a pixel.

In: a `Normalization` and a block of its output. Out: its `Normalize` command, and the parameters that it reads.
"""

from __future__ import annotations

import numpy as np

from sima_compiler.ir.graph import Float32Array, Quantization
from sima_compiler.ir.layers import Normalization
from sima_compiler.ir.program import Normalize, Operand, Wait
from sima_compiler.lm.constants import ConstantSections
from sima_compiler.stages.tiling.block.geometry import Region

Quants = tuple[Quantization, Quantization]


def row_command(
    kernel: Normalization, layer: int, operands: tuple[Operand, Operand], quants: Quants, parameters: int | None
) -> Normalize:
    """A block as one command: ``operands`` and ``quants`` of its input and output, the buffer of its parameters."""
    return Normalize(
        layer=layer,
        wait=Wait(),
        kind=kernel.kind,
        source=operands[0],
        target=operands[1],
        parameters=parameters,
        input=quants[0],
        output=quants[1],
        epsilon=kernel.epsilon,
        clamp=kernel.clamp,
        gains=kernel.gains is not None,
        offsets=kernel.offsets is not None,
        per_pixel=kernel.per_pixel,
        response=kernel.response,
    )


def row_sections(kernel: Normalization, region: Region) -> ConstantSections | None:
    """What the parameters of a block hold, None for nothing."""
    if kernel.exponentials is None and kernel.gains is None and kernel.offsets is None:
        return None
    return ConstantSections(
        exponentials=kernel.exponentials,
        gains=_part(kernel, kernel.gains, region),
        offsets=_part(kernel, kernel.offsets, region),
    )


def _part(kernel: Normalization, values: Float32Array | None, region: Region) -> Float32Array | None:
    if values is None or not kernel.per_pixel:
        return values
    return np.ascontiguousarray(values[slice(*region.rows), slice(*region.columns)]).reshape(-1)

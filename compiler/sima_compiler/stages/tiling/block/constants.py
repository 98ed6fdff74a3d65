"""What the constants of a block hold.

In: a layer, an output region, the part of its window in work. Out: the sections of its block of constants, or None for
a block that needs none. A part that is not the last has weights alone.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np

from sima_compiler.ir.graph import Int8Array
from sima_compiler.ir.kernels import facts
from sima_compiler.ir.layers import (
    Binary,
    Blend,
    Broadcast,
    Convolution,
    Copy,
    Elementwise,
    Layer,
    Lookup,
    Normalization,
    Pooling,
    Product,
    Resize,
)
from sima_compiler.lm.constants import ConstantSections
from sima_compiler.stages.tiling.block.blend import blend_sections
from sima_compiler.stages.tiling.block.contraction import WindowPart
from sima_compiler.stages.tiling.block.geometry import Region
from sima_compiler.stages.tiling.block.rows import row_sections


def constants_of(layer: Layer, region: Region, cells: WindowPart | None = None) -> ConstantSections | None:
    """The parameters of a block, or of a part of it, or None when its kernel needs none."""
    channels = slice(*region.channels)
    kernel = layer.kernel
    if cells is not None and not cells.part.finishes:
        reals = kernel.reals if isinstance(kernel, Pooling) else None
        whole = facts(kernel).weights
        weights = None if whole is None else _weights(whole, channels, cells)
        return None if weights is None and reals is None else ConstantSections(weights=weights, reals=reals)
    match kernel:
        case Convolution():
            return ConstantSections(
                weights=_weights(kernel.weights, channels, cells),
                bias=kernel.bias[channels] if kernel.real_bias is None else None,
                real_bias=kernel.real_bias[channels] if kernel.real_bias is not None else None,
                multipliers=kernel.multipliers[channels],
                lookup=kernel.lookup,
                binary_values=_binary_values(kernel.binary, region),
                binary_lookup=kernel.binary.lookup if kernel.binary is not None else None,
            )
        case Elementwise():
            values, lookup = _binary_values(kernel.binary, region), kernel.binary.lookup
            absent = values is None and lookup is None
            return None if absent else ConstantSections(binary_values=values, binary_lookup=lookup)
        case Lookup():
            return ConstantSections(lookup=kernel.table)
        case Pooling():
            absent = kernel.reals is None and kernel.lookup is None
            return None if absent else ConstantSections(reals=kernel.reals, lookup=kernel.lookup)
        case Resize():
            return _resize_sections(kernel, region)
        case Product():
            return None if kernel.lookup is None else ConstantSections(lookup=kernel.lookup)
        case Blend():
            return blend_sections(kernel, region)
        case Normalization():
            return row_sections(kernel, region)
        case Copy():
            return None  # each move loads its own table
        case _:
            assert_never(kernel)


def _weights(weights: Int8Array, channels: slice, cells: WindowPart | None) -> Int8Array:
    found = weights[channels]
    if cells is not None:
        found = found[:, slice(*cells.rows), slice(*cells.columns), slice(*cells.channels)]
    return np.ascontiguousarray(found)


def _binary_values(binary: Binary | None, region: Region) -> np.ndarray | None:
    if binary is None or binary.values is None:
        return None
    if binary.broadcast is Broadcast.SCALAR:
        return binary.values
    if binary.broadcast is Broadcast.CHANNEL:
        return np.ascontiguousarray(binary.values[..., slice(*region.channels)])
    rows, columns, channels = slice(*region.rows), slice(*region.columns), slice(*region.channels)
    return np.ascontiguousarray(binary.values[rows, columns, channels])


def _resize_sections(kernel: Resize, region: Region) -> ConstantSections:
    rows = np.asarray(kernel.rows[slice(*region.rows)], np.int32)
    columns = np.asarray(kernel.columns[slice(*region.columns)], np.int32)
    return ConstantSections(lookup=kernel.lookup, rows=rows - rows.min(), columns=columns - columns.min())

"""Which region of each input an output block of a layer reads.

In: a layer, its maps, an output region. Out: input regions. A window reaches over its stride, dilation and pads; a
grouped convolution into its groups' channels; a broadcast operand stays whole; a copy into the box of its moves.
"""

from __future__ import annotations

from typing import assert_never

from sima_compiler.ir.graph import Neighbours
from sima_compiler.ir.kernels import Reach, facts
from sima_compiler.ir.layers import (
    Blend,
    Convolution,
    Copy,
    Elementwise,
    FeatureMap,
    Layer,
    Lookup,
    Normalization,
    Pooling,
    Product,
    Resize,
)
from sima_compiler.stages.tiling.block.contraction import group_channels
from sima_compiler.stages.tiling.block.copies import copy_input_region
from sima_compiler.stages.tiling.block.geometry import Range, Region, block_window


def input_region(layer: Layer, index: int, source: FeatureMap, target: FeatureMap, output: Region) -> Region:
    """The region of input ``index`` that an output block reads."""
    kernel = layer.kernel
    if index > 0 and isinstance(kernel, Product):
        return Region(output.samples, output.rows, output.channels, (0, source.channels))
    if index > 0 and not isinstance(kernel, Copy):
        return _operand_region(source, target, output)
    match kernel:
        case Copy():
            return copy_input_region(kernel, source, target, output)
        case Convolution():
            rows, columns, _ = block_window(output, kernel.window, source)
            return Region(output.samples, rows, columns, group_channels(kernel, source, target, output.channels))
        case Pooling():
            rows, columns, _ = block_window(output, kernel.window, source)
            return Region(output.samples, rows, columns, output.channels)
        case Resize():
            rows, columns = _table_range(kernel.rows, output.rows), _table_range(kernel.columns, output.columns)
            return Region(output.samples, rows, columns, output.channels)
        case Blend():
            rows, columns = _neighbour_range(kernel.rows, output.rows), _neighbour_range(kernel.columns, output.columns)
            return Region(output.samples, rows, columns, output.channels)
        case Elementwise() | Lookup():
            return output
        case Normalization() | Product():
            return Region(output.samples, output.rows, output.columns, (0, source.channels))
        case _:
            assert_never(kernel)


def stripable(layer: Layer) -> bool:
    """Whether a range of output rows needs less than all input rows, and no weights of its own.

    A block's constants are loaded together: where values of the second operand differ from stripe to stripe, so would
    the block of weights that they lie in.
    """
    known = facts(layer.kernel)
    constant = known.second is not None and known.second.values is not None
    own = known.reach is Reach.PIXEL and known.constants.by_place
    return not known.whole_map and not own and not (constant and known.weights is not None)


def _operand_region(source: FeatureMap, target: FeatureMap, output: Region) -> Region:
    """A second operand follows the output where it is as large, and stays whole where it broadcasts."""
    if source.rows == target.rows and source.columns == target.columns:
        channels = output.channels if source.channels == target.channels else (0, source.channels)
        return Region(output.samples, output.rows, output.columns, channels)
    channels = output.channels if source.channels == target.channels else (0, source.channels)
    return Region(output.samples, (0, source.rows), (0, source.columns), channels)


def _neighbour_range(axis: Neighbours, output: Range) -> Range:
    part = axis.part(*output)
    return _table_range((*part.near, *part.far), (0, 2 * len(part.near)))


def _table_range(table: tuple[int, ...], output: Range) -> Range:
    part = table[output[0] : output[1]]
    return (min(part), max(part) + 1)

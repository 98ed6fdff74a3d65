"""Which region of each input an output block of a layer reads.

In: a layer, its maps, an output region. Out: input regions. A window reaches over its stride, dilation and pads; a
grouped convolution into its groups' channels; a broadcast operand stays whole; a copy into the box of its moves.
"""

from __future__ import annotations

from sima_compiler.ir.layers import Convolution, Copy, FeatureMap, Layer, Normalization, Pooling, Resize
from sima_compiler.stages.tiling.block.copies import copy_input_region
from sima_compiler.stages.tiling.block.geometry import Range, Region, block_window


def input_region(layer: Layer, index: int, source: FeatureMap, target: FeatureMap, output: Region) -> Region:
    """The region of input ``index`` that an output block reads."""
    kernel = layer.kernel
    if isinstance(kernel, Copy):
        return copy_input_region(kernel, source, target, output)
    if index > 0:
        return _operand_region(source, target, output)
    if isinstance(kernel, Convolution):
        rows, columns, _ = block_window(output, kernel.window, source)
        return Region(output.samples, rows, columns, _conv_channels(kernel, source, target, output.channels))
    if isinstance(kernel, Pooling):
        rows, columns, _ = block_window(output, kernel.window, source)
        return Region(output.samples, rows, columns, output.channels)
    if isinstance(kernel, Resize):
        rows, columns = _table_range(kernel.rows, output.rows), _table_range(kernel.columns, output.columns)
        return Region(output.samples, rows, columns, output.channels)
    if isinstance(kernel, Normalization):  # a pixel is looked at as a whole
        return Region(output.samples, output.rows, output.columns, (0, source.channels))
    return output


def stripable(layer: Layer) -> bool:
    """Whether a range of output rows needs less than all input rows, and no parameters of its own."""
    kernel = layer.kernel
    if isinstance(kernel, Pooling):
        return not kernel.is_global
    if isinstance(kernel, Normalization):
        return not kernel.per_pixel
    return not (isinstance(kernel, Convolution) and kernel.binary is not None and kernel.binary.values is not None)


def _operand_region(source: FeatureMap, target: FeatureMap, output: Region) -> Region:
    """A second operand follows the output where it is as large, and stays whole where it broadcasts."""
    if source.rows == target.rows and source.columns == target.columns:
        channels = output.channels if source.channels == target.channels else (0, source.channels)
        return Region(output.samples, output.rows, output.columns, channels)
    channels = output.channels if source.channels == target.channels else (0, source.channels)
    return Region(output.samples, (0, source.rows), (0, source.columns), channels)


def _conv_channels(kernel: Convolution, source: FeatureMap, target: FeatureMap, outputs: Range) -> Range:
    """Input channels of the groups that an output channel range belongs to."""
    if kernel.groups == 1:
        return (0, source.channels)
    per_group_in, per_group_out = source.channels // kernel.groups, target.channels // kernel.groups
    return (outputs[0] // per_group_out * per_group_in, -(-outputs[1] // per_group_out) * per_group_in)


def _table_range(table: tuple[int, ...], output: Range) -> Range:
    part = table[output[0] : output[1]]
    return (min(part), max(part) + 1)

"""On-chip bytes of a layer's parameters."""

from __future__ import annotations

from sima_compiler.ir.layers import Convolution, Layer, Resize


def parameter_bytes(layer: Layer, channels: int) -> int:
    """Upper bound of the on-chip parameters of a block with so many output channels."""
    kernel = layer.kernel
    tables = 4 * 256 + 64
    if isinstance(kernel, Resize):
        return tables + 4 * (len(kernel.rows) + len(kernel.columns))
    if not isinstance(kernel, Convolution):
        return tables
    _, height, width, inputs = kernel.weights.shape
    values = kernel.binary.values.size if kernel.binary is not None and kernel.binary.values is not None else 0
    return channels * (height * width * inputs + 8) + values + tables + 96


def parts_of_vector(lanes: int) -> tuple[int, ...]:
    """Blocks of fewer output channels than the array has lanes, for contractions too long for a whole vector."""
    return tuple(size for size in (8, 4, 2, 1) if size < lanes)


def least_parameter_bytes(layer: Layer, channels: int, lanes: int, capacity: int) -> int:
    """Parameters of the smallest block to plan with: a vector of output channels, less where that fills the chip, and
    never a part of a group.
    """
    kernel = layer.kernel
    sizes = [min(lanes, channels)]
    if isinstance(kernel, Convolution) and kernel.groups > 1 and not kernel.is_depthwise:
        sizes = [channels // kernel.groups]
    if isinstance(kernel, Convolution) and kernel.groups == 1:
        sizes += [size for size in parts_of_vector(lanes) if size < channels]
    found = [parameter_bytes(layer, size) for size in sizes]
    return next((size for size in found if size <= capacity // 4), found[-1])

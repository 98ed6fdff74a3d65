"""On-chip bytes of a layer's parameters."""

from __future__ import annotations

from sima_compiler.ir.layers import Broadcast, Convolution, Elementwise, Layer, Resize

#: Tables, and what aligning the sections of a block adds, at most.
TABLES, ALIGNMENT = 4 * 256 + 64, 96


def parameter_bytes(layer: Layer, channels: int, pixels: int | None = None) -> int:
    """Upper bound of the on-chip parameters of a block with so many output channels and pixels, all pixels if None."""
    kernel = layer.kernel
    if isinstance(kernel, Resize):
        return TABLES + 4 * (len(kernel.rows) + len(kernel.columns))
    if not isinstance(kernel, Convolution):
        return TABLES + value_bytes(layer, channels, pixels)
    _, height, width, inputs = kernel.weights.shape
    weights = channels * (height * width * inputs + 8)
    return weights + value_bytes(layer, channels, pixels) + TABLES + ALIGNMENT


def least_constants(layer: Layer, channels: int, pixels: int) -> int:
    """`parameter_bytes` without tables and alignment, which may be absent: what a block cannot do without."""
    return parameter_bytes(layer, channels, pixels) - TABLES - ALIGNMENT


def value_bytes(layer: Layer, channels: int, pixels: int | None = None) -> int:
    """Bytes of a constant second operand that a block of so many channels and pixels reads."""
    kernel = layer.kernel
    binary = kernel.binary if isinstance(kernel, Convolution | Elementwise) else None
    if binary is None or binary.values is None:
        return 0
    if binary.broadcast is not Broadcast.NONE:
        return min(binary.values.size, channels)
    every = binary.values.size // binary.values.shape[-1]
    return channels * (every if pixels is None else min(pixels, every))


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
    found = [parameter_bytes(layer, size, 1) for size in sizes]
    return next((size for size in found if size <= capacity // 4), found[-1])

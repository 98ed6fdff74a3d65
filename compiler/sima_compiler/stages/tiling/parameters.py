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

"""Convolutions that only repeat one channel: the way in which this compiler spreads an operand, not what it must do.

In: a kernel and the map that it reads. Out: whether any program could copy instead. Such layers count as copies do.
"""

from __future__ import annotations

from sima_compiler.ir.layers import Convolution, FeatureMap, Kernel


def only_repeats(kernel: Kernel, source: FeatureMap) -> bool:
    """Whether every result is the byte of the one channel at its own place."""
    if not isinstance(kernel, Convolution) or kernel.weights.shape[1:] != (1, 1, 1) or kernel.groups > 1:
        return False
    plain = kernel.window.strides == (1, 1) and not any(kernel.window.pads) and kernel.real_bias is None
    same = kernel.intermediate == source.quant and bool((kernel.multipliers == 1).all())
    return plain and same and bool((kernel.weights == 1).all()) and not kernel.bias.any()

"""What a whole layer of the vector unit takes, told before it is cut into commands.

In: a layer, so many result pixels of it, a `Machine`, the quads in use. Out: whole cycles, ports left out. Always: the
same as `cost` says of a command that does all of them.
"""

from __future__ import annotations

from math import prod
from typing import assert_never

from sima_compiler.ir.kernels import facts
from sima_compiler.ir.layers import (
    Blend,
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
from sima_compiler.machine.cost import INTERPOLATED, depthwise_cycles, pool_cycles, vector_cycles
from sima_compiler.machine.description import Machine
from sima_compiler.machine.row_costs import pixel_cycles
from sima_compiler.machine.traffic import ceil_div


def layer_vector_cycles(layer: Layer, pixels: int, channels: int, machine: Machine, quads: int) -> int:
    """Cycles of so many result pixels of a layer of the vector unit, ports left out; of a copy, those of a vector."""
    if isinstance(layer.kernel, Normalization):
        each = pixel_cycles(layer.kernel.kind, layer.kernel.channels, machine, layer.kernel.response)
        return vector_cycles(pixels, each, machine, quads)
    vectors = pixels * ceil_div(channels, machine.lanes)
    return vector_cycles(vectors, vector_steps(layer, machine), machine, quads)


def vector_steps(layer: Layer, machine: Machine) -> int:
    """Cycles that one result vector of a whole layer keeps a tile's vector unit busy: of a copy, one per move."""
    kernel = layer.kernel
    second = facts(kernel).second_map is not None
    match kernel:
        case Convolution():
            return depthwise_cycles(prod(kernel.window.kernel), machine) + second
        case Pooling():
            return pool_cycles(prod(kernel.window.kernel), machine)
        case Elementwise():
            return 1 + second
        case Blend():
            return depthwise_cycles(INTERPOLATED, machine)
        case Lookup() | Copy() | Resize() | Product():
            return 1
        case Normalization():
            return ceil_div(
                pixel_cycles(kernel.kind, kernel.channels, machine, kernel.response),
                ceil_div(kernel.channels, machine.lanes),
            )
        case _:
            assert_never(kernel)

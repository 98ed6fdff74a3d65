"""Which layers no legal program can do without, each of which begins once for every sample.

In: a segment. Out: the starts of each layer for one sample, none or one. Counted are nodes of the source that multiply
by weights or reduce a window, rows of values, and products of two maps (`work` lets those ride where that is cheaper).

Left out is whatever a legal program might spare: copies and tables; a window of one cell per channel, which a table or
another layout can stand for; a second layer of one node; and layers that the machine could not tell from one layer of
more channels, because they do the same to the same map. Where it is not certain that two differ, they count as one.
"""

from __future__ import annotations

from typing import assert_never

from sima_compiler.bounds.repeats import only_repeats
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
    Segment,
)


def starts_of(segment: Segment) -> tuple[int, ...]:
    """Starts of every layer for one sample."""
    maps: dict[str, object] = {}
    begun: set[object] = set()
    nodes: set[str] = set()
    found: list[int] = []
    for layer in segment.layers:
        source = layer.inputs[0]
        done = None if only_repeats(layer.kernel, segment.maps[source]) else _operation(layer)
        # What lies behind a copy or a table is any such map: which of them a program reads is not certain.
        made = type(layer.kernel) if done is None else (done, maps.get(source, source))
        maps[layer.output] = made
        counts = done is not None and made not in begun and nodes.isdisjoint(layer.sources)
        found.append(int(counts))
        if counts:
            begun.add(made)
            nodes.update(layer.sources)
    return tuple(found)


def _operation(layer: Layer) -> object:
    """What tells a layer from another one on the same map, roughly; None for a layer that might be spared."""
    kernel = layer.kernel
    match kernel:
        case Convolution():
            window = kernel.window
            alike = (window.strides, window.dilations, kernel.intermediate, kernel.clamp)
            return None if kernel.is_depthwise and window.kernel == (1, 1) else (Convolution, *alike)
        case Pooling():
            window = kernel.window
            alike = (window.strides, window.dilations, kernel.kind, kernel.clamp)
            return None if window.kernel == (1, 1) else (Pooling, *alike)
        case Normalization():
            return (Normalization, kernel.kind)
        case Product():
            return (Product, kernel.multiplier, kernel.real, kernel.intermediate)
        case Elementwise():
            if facts(kernel).second_map is None:
                return None
            return (Elementwise, kernel.binary.op, kernel.binary.output)
        case Lookup() | Copy() | Resize() | Blend():
            return None
        case _:
            assert_never(kernel)

"""Which layers no legal program can do without, each of which begins once for every sample.

In: a segment. Out: the starts of each layer for one sample, none or one. Counted are nodes of the source that multiply
by weights or reduce a window, rows of values, and products of two maps (`work` lets those ride where that is cheaper).

Left out is whatever a legal program might spare: copies and tables; a window of one cell per channel, which a table or
another layout can stand for; a second layer of one node; and layers that the machine could not tell from one layer of
more channels, because they do the same to the same map. Where it is not certain that two differ, they count as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    known = _Known()
    nodes: set[str] = set()
    found: list[int] = []
    for layer in segment.layers:
        repeats = only_repeats(layer.kernel, segment.maps[layer.inputs[0]])
        done = None if repeats else _operation(layer)
        if done is None:
            known.maps[layer.output] = known.passed(layer.inputs)
            counts = False
        else:
            counts = known.begins(layer, done) and nodes.isdisjoint(layer.sources)
        found.append(int(counts))
        if counts:
            nodes.update(layer.sources)
    return tuple(found)


#: So many maps may lie behind a copy until nothing is certain of it: a concatenation of thousands is read by few.
MOST_MAPS = 32
#: Stands for any map among those that a kind of layer has read.
_UNCERTAIN = -1
_Maps = frozenset[int] | None


@dataclass(slots=True)
class _Known:
    """For each map, the layers of which the machine may see it as a result, by number; None where it may be any.

    A copy or a table is passed through: a program may read what lies behind it, or one of the maps that it joins.
    """

    maps: dict[str, _Maps] = field(default_factory=dict[str, _Maps])
    begun: dict[object, dict[int, _Maps]] = field(default_factory=dict[object, dict[int, frozenset[int] | None]])
    numbers: dict[object, int] = field(default_factory=dict[object, int])

    def passed(self, names: Sequence[str]) -> _Maps:
        """The maps that a program may read in place of what a copy or a table makes of these."""
        found = [self.of(name) for name in names]
        joined = frozenset[int]().union(*(maps for maps in found if maps is not None))
        return None if None in found or len(joined) > MOST_MAPS else joined

    def of(self, name: str) -> _Maps:
        """The maps that the machine may take for this one; an input of the network is one by itself."""
        if name not in self.maps:
            self.maps[name] = frozenset((self.number(("input", name)),))
        return self.maps[name]

    def number(self, key: object) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def begins(self, layer: Layer, done: object) -> bool:
        """Whether no layer in front did the same to what may be the same map; the layer's result is put down: one more
        map, or one of those that the layers made of which it may be one.
        """
        # A sum may be turned round, so that either operand is the one that tells it.
        sources = layer.inputs if isinstance(layer.kernel, Elementwise | Product) else layer.inputs[:1]
        read = self.passed(sources)
        before = self.begun.setdefault(done, {})
        if read is None:
            self.maps[layer.output] = None
            certain = not before
            before[_UNCERTAIN] = None
            return certain
        if _UNCERTAIN in before:
            self.maps[layer.output] = None
            return False
        alike = frozenset[int]().union(*(before[one] or () for one in read if one in before))
        made = alike | {self.number((done, layer.output))}
        self.maps[layer.output] = made if len(made) <= MOST_MAPS else None
        before.update(dict.fromkeys(read, made))
        return not alike


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

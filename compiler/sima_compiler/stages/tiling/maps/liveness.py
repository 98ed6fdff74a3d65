"""From which layer to which layer each map of a segment must exist."""

from __future__ import annotations

from collections.abc import Mapping

from sima_compiler.ir.layers import Segment


def live_layers(segment: Segment) -> dict[str, tuple[int, int]]:
    """First and last layer (inclusive) at which each map must exist somewhere."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for index, layer in enumerate(segment.layers):
        for name in (*layer.inputs, layer.output):
            first.setdefault(name, index)
            last[name] = index
    return {name: (first[name], last[name]) for name in first}


def maps_inside(segment: Segment, lives: Mapping[str, tuple[int, int]], first: int, last: int) -> frozenset[str]:
    """The maps that layers ``first`` to ``last`` make for each other alone."""
    made = [layer.output for layer in segment.layers[first:last]]
    return frozenset(name for name in made if lives[name][1] <= last and name not in segment.outputs)

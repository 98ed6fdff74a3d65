"""From which layer to which layer each map of a segment must exist."""

from __future__ import annotations

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

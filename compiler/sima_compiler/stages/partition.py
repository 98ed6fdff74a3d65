"""Stage 2: which processor runs which layers, and every layer's final name.

The frontend parts a network into segments of the MLA and of the A65 (`frontend.segments`); this is about one of the
MLA's. In: the `LayerGraph` of `legalize`. Out: the same layers in a segment, named ``MLA_0/conv2d_add_relu_3``: one
counter over all layers in execution order, one over the segments. Always holds: every layer has a placement and its
reason.
"""

from __future__ import annotations

from dataclasses import replace

from sima_compiler.ir.layers import Layer, LayerGraph
from sima_compiler.machine.description import Machine

#: Why a layer is where it is, by processor; shown to people.
REASONS = {"MLA": "{operator} is a kernel of the machine {machine}"}


def partition(layers: LayerGraph, machine: Machine, place: int = 0, first: int = 0) -> LayerGraph:
    """Every layer to the MLA, in one segment: the network's number ``place``, whose layers count from ``first``."""
    found = [layer for segment in layers.segments for layer in segment.layers]
    name = f"MLA_{place}"
    numbered = tuple(
        _placed(layer, f"{name}/{layer.name}_{first + number}", machine) for number, layer in enumerate(found)
    )
    whole = layers.segments[0]
    return replace(layers, segments=(replace(whole, name=name, processor="MLA", layers=numbered),))


def _placed(layer: Layer, name: str, machine: Machine) -> Layer:
    reason = REASONS["MLA"].format(operator=layer.operator, machine=machine.name)
    return replace(layer, name=name, placement="MLA", reason=reason)

"""Stage 2: which processor runs which layers, and every layer's final name.

In: the `LayerGraph` of `legalize`. Out: the same layers in segments, named ``MLA_0/conv2d_add_relu_3``: one counter
over all layers in execution order, one over the segments. Always holds: every layer has a placement and its reason.
"""

from __future__ import annotations

from dataclasses import replace

from sima_compiler.ir.layers import Layer, LayerGraph
from sima_compiler.machine.description import Machine

#: Why a layer is where it is, by processor; shown to people.
REASONS = {"MLA": "{operator} is a kernel of the machine {machine}"}


def partition(layers: LayerGraph, machine: Machine) -> LayerGraph:
    """Every layer to the MLA, in one segment."""
    found = [layer for segment in layers.segments for layer in segment.layers]
    name = "MLA_0"
    numbered = tuple(_placed(layer, f"{name}/{layer.name}_{number}", machine) for number, layer in enumerate(found))
    first = layers.segments[0]
    return replace(layers, segments=(replace(first, name=name, processor="MLA", layers=numbered),))


def _placed(layer: Layer, name: str, machine: Machine) -> Layer:
    reason = REASONS["MLA"].format(operator=layer.operator, machine=machine.name)
    return replace(layer, name=name, placement="MLA", reason=reason)

"""Depthwise layers: kernels that take many steps of the vector unit, and many channels where few would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from sima_compiler.view.advice.evidence import (
    CONTRACTING,
    LANES,
    cause_cycles,
    has_few_pixels,
    ids,
    input_channels,
    lane_blocks,
    least_cycles,
    output_channels,
    share_sentence,
    sizes,
    why_no_claim,
)
from sima_compiler.view.advice.replay import Changed, claim, recovered_cycles
from sima_compiler.view.records import Finding, Layer, View

#: Window cells of the kernel that is advised in place of a larger one.
SMALL_KERNEL = 9
#: Causes that shrink with a layer's channels.
WORK = ("useful", "padding", "vector")


def large_kernels(view: View, layers: Sequence[Layer]) -> Finding | None:
    """The vector unit takes a step per window cell; those over padding are not counted here."""
    concerned = _depthwise(layers, large=True)
    spent = {layer.id: cause_cycles(view, layer, "useful", "vector") for layer in concerned}
    changes = {layer.id: Changed(spent[layer.id] * (1 - SMALL_KERNEL / _kernel_cells(layer))) for layer in concerned}
    if recovered_cycles(view, layers, changes) < least_cycles(view):
        return None
    cycles = claim(view, layers, changes)
    return Finding(
        kind="large_depthwise",
        title="Large depthwise kernels on the vector unit",
        evidence=f"{len(concerned)} depthwise layers with kernels beyond 3 x 3 work for "
        f"{share_sentence(view, sum(spent.values()))}: the vector unit takes a step for each cell of the kernel."
        f"{why_no_claim(cycles)}",
        advice="Use 3 x 3 kernels where the accuracy allows it.",
        cycles=cycles,
        layers=ids(concerned),
    )


def many_channels(view: View, layers: Sequence[Layer]) -> Finding | None:
    """A dense convolution is no way out: it takes as long from 16 channels on, and more with every further lane.

    With fewer channels the layers that make and read the same maps have less to do, too: about as much again.
    """
    concerned = [layer for layer in _depthwise(layers, large=False) if output_channels(layer) >= 2 * LANES]
    maps = _same_channels(layers, concerned)
    changes = dict(_halved(view, layers, maps))
    if recovered_cycles(view, layers, changes) < least_cycles(view):
        return None
    cycles = claim(view, layers, changes)
    spent = sum(cause_cycles(view, layer, "useful", "vector") for layer in concerned)
    around = sum(cause_cycles(view, layer, *WORK) for layer in layers if layer.id in changes) - spent
    return Finding(
        kind="depthwise",
        title="Depthwise layers on the vector unit",
        evidence=f"{len(concerned)} depthwise layers work for {share_sentence(view, spent)}, and the layers that make "
        f"and read their maps for {share_sentence(view, around)}: the vector unit does {LANES} multiply-accumulates "
        f"per tile and cycle where the array does 256.{why_no_claim(cycles)}",
        advice="Halve the channels of these layers (a smaller expansion), which halves the time of both; "
        "a dense convolution is no faster.",
        cycles=cycles,
        layers=ids(concerned),
    )


def _kernel_cells(layer: Layer) -> int:
    """Window cells of a depthwise convolution: its multiply-accumulates for one output."""
    outputs = prod(sizes(layer.output_shape)) if layer.output_shape else 0
    return -(-layer.macs // outputs) if layer.macs and outputs else 0


def _depthwise(layers: Sequence[Layer], *, large: bool) -> list[Layer]:
    found = [layer for layer in layers if layer.family == "depthwise" and _kernel_cells(layer)]
    return [layer for layer in found if (_kernel_cells(layer) > SMALL_KERNEL) == large]


def _same_channels(layers: Sequence[Layer], concerned: Sequence[Layer]) -> frozenset[str]:
    """Maps whose channels must change with those of the concerned layers: through gates, additions and pools."""
    found = {name for layer in concerned for name in _tied(layer)}
    while True:
        more = {name for layer in layers for name in _tied(layer) if not found.isdisjoint(_tied(layer))} - found
        if not more:
            return frozenset(found)
        found |= more


def _tied(layer: Layer) -> frozenset[str]:
    """The maps around a layer that have its output's channels; a convolution contracts those of its first operand."""
    operands = zip(layer.inputs, layer.input_shapes, strict=False)
    first = 1 if layer.family in CONTRACTING else 0
    wide = output_channels(layer)
    equal = [name for name, shape in list(operands)[first:] if (sizes(shape) or (0,))[-1] == wide]
    return frozenset([*equal, *([layer.output] if layer.output else [])])


def _halved(view: View, layers: Sequence[Layer], maps: frozenset[str]) -> Iterator[tuple[int, Changed]]:
    """Every layer that these maps concern, with the work and the loads that half of their channels leave.

    A pool to few pixels has a tile for each block of channels already: it takes as long with half of them.
    """
    for layer in layers:
        if layer.family not in CONTRACTING and has_few_pixels(layer):
            continue
        work, loads = 1.0, 1.0
        if layer.output in maps:
            work, loads = _half(output_channels(layer)), 0.5
        if layer.family in CONTRACTING and layer.inputs and layer.inputs[0] in maps:
            work, loads = work * _half(input_channels(layer)), loads * 0.5
        if work < 1.0:
            yield layer.id, Changed(cause_cycles(view, layer, *WORK) * (1 - work), loads)


def _half(channels: int) -> float:
    """Work of half as many channels over that of all: whole lanes are worked on."""
    return lane_blocks(channels // 2) / max(1, lane_blocks(channels))

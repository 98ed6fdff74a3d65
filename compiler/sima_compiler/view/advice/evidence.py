"""What every kind of finding asks of a View: cycles by cause, shapes as numbers, sentences about shares of the run."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from sima_compiler.view import units
from sima_compiler.view.records import Layer, View

#: Channels that one weight block takes, and that a pixel in the MLA's layout is padded to.
LANES = 16
#: Findings below this share of the run are left out: half of it is within what another schedule of the same network
#: gains or loses.
LEAST_SHARE = 0.01
#: Output pixels up to which the array waits for weight blocks and tiles have nothing to do: a row of four tiles has 16
#: pixels of each block then, as many cycles as the block takes to load.
FEW_PIXELS = 64
#: Families of layers that contract their first operand's channels; further operands have the result's.
CONTRACTING = frozenset({"convolution", "dense"})


def cause_cycles(view: View, layer: Layer, *causes: str) -> int:
    """Cycles of the layer with one of these causes."""
    pairs = zip(view.palette.causes, layer.cause_cycles, strict=False)
    return sum(cycles for cause, cycles in pairs if cause.key in causes)


def shared_starts(view: View, layer: Layer) -> int:
    """Cycles in which the array fills and layers go on after others: what of *start* no sample pays for itself."""
    begun = (view.machine.start_cycles or 0) * (view.batch.actual_batch_size or 1)
    return max(0, cause_cycles(view, layer, "start") - begun)


def share_sentence(view: View, cycles: int) -> str:
    """``1,234 cycles, 5.6 % of the run``."""
    return f"{units.count(cycles)} cycles, {units.percent(cycles / (view.totals.runtime_cycles or 1))} of the run"


def ids(layers: Iterable[Layer]) -> tuple[int, ...]:
    """The layers' ids."""
    return tuple(layer.id for layer in layers)


def sizes(shape: str | None) -> tuple[int, ...]:
    """Samples, rows, columns and channels of a shape's text; empty where none is recorded."""
    return tuple(int(size) for size in (shape or "").split("x") if size)


def channels(shape: str | None) -> int:
    """Channels of a shape's text, 0 where none is recorded."""
    return (sizes(shape) or (0,))[-1]


def input_channels(layer: Layer) -> int:
    """Channels of the first operand."""
    return channels(layer.input_shapes[0] if layer.input_shapes else None)


def output_channels(layer: Layer) -> int:
    """Channels of the result."""
    return channels(layer.output_shape)


def lane_blocks(count: int) -> int:
    """Blocks of lanes that so many channels take: the last may be partly idle."""
    return -(-count // LANES)


def has_few_pixels(layer: Layer) -> bool:
    """Pixels of the batch; a global pool has one per sample, which keeps few tiles busy."""
    found = sizes(layer.output_shape)
    return 0 < prod(found[:-1]) <= FEW_PIXELS and len(found) > 1


def spilled_maps(view: View) -> dict[str, int]:
    """Maps that go out to DRAM and come back, with their bytes."""
    return {tensor.name: tensor.bytes for segment in view.segments for tensor in segment.spilled}


def short_of_memory(view: View, layers: Iterable[Layer]) -> frozenset[int]:
    """Ids of the layers that memory shapes: they make or read a spilled map, or run in stripes with those that do."""
    maps = spilled_maps(view).keys()
    touching = {layer.id for layer in layers if layer.output in maps or not maps.isdisjoint(layer.inputs)}
    return frozenset(touching.union(*(row.layers for row in view.memory_map if row.kind == "stripe")))


def least_cycles(view: View) -> float:
    """What is worth a line: `LEAST_SHARE` of the run; more than nothing where it takes none."""
    return max(1.0, LEAST_SHARE * (view.totals.runtime_cycles or 0))


def why_no_claim(cycles: int | None) -> str:
    """What follows the evidence where a change has no cycles.

    Half a map may stay where the whole was spilled: that gains many times the layers' own work, or nothing.
    """
    if cycles is not None:
        return ""
    return " Maps of these layers do not stay on chip as they are: only a compile tells what smaller ones recover."

"""What a larger batch shares: time that is paid once per run, whatever the batch.

Three things do not grow with it: waiting for weights, going on with layers and filling the array, and units that few
pixels leave idle. What each sample pays to begin a layer does. Where the
negotiation planned a smaller size too, the line through both sizes says what it saw not to grow. A line through two
schedules is off by what either wins or loses by chance, so that the layers' own account limits it on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from sima_compiler.view import units
from sima_compiler.view.advice.evidence import (
    LEAST_SHARE,
    cause_cycles,
    has_few_pixels,
    ids,
    share_sentence,
    shared_starts,
)
from sima_compiler.view.records import Finding, Layer, View

#: A batch this many times as large is advised: 7/8 of what does not grow with the batch is gained then; twice as much
#: again gains 1/16 more, and asks for twice the memory.
BATCH_FACTOR = 8


@dataclass(frozen=True, slots=True)
class _Shared:
    """Cycles of a layer that a larger batch shares. ``first_start``: those of ``starts`` that no further block adds."""

    weights: float
    starts: int
    first_start: float
    idle: int

    @property
    def most(self) -> float:
        """All of them."""
        return self.weights + self.starts + self.idle

    @property
    def least(self) -> float:
        """Those that would not grow even if every block came once more with each sample."""
        return self.weights + self.first_start + self.idle


def larger_batch(view: View, layers: Sequence[Layer]) -> Finding | None:
    """Silent where a larger batch was asked for and refused: that is `limits.batch_limit`."""
    actual, desired = view.batch.actual_batch_size, view.batch.desired_batch_size
    if actual is None or (desired is not None and desired > actual):
        return None
    each = [_shared(view, layer) for layer in layers]
    shared = round(_paid_once(view, actual, sum(one.least for one in each), sum(one.most for one in each)))
    least = LEAST_SHARE * (view.totals.runtime_cycles or 0)
    factor = _batch_factor(view)
    if factor == 1 and shared < 2 * least:  # twice the batch, if it can be built, gains half of what is shared
        return None
    cycles = None if factor == 1 else shared * (factor - 1) // factor
    weights, starts, idle = (round(sum(getattr(one, name) for one in each)) for name in ("weights", "starts", "idle"))
    return Finding(
        kind="larger_batch",
        title="Time that a larger batch shares",
        evidence=f"{units.count(weights)} cycles waiting for weights, {units.count(starts)} filling the array and "
        f"going on with layers, {units.count(idle)} in layers of few pixels: of these {share_sentence(view, shared)}, "
        "do not grow with the batch.",
        advice=_advice(actual, factor, cycles),
        cycles=cycles,
        layers=ids(layer for layer, one in zip(layers, each, strict=True) if one.most > least),
    )


def _advice(actual: int, factor: int, cycles: int | None) -> str:
    if cycles is None:
        return (
            f"Maps fill the on-chip memory: simac batch MODEL --batch-size {2 * actual} plans whether a larger batch "
            "can be built, and what it takes."
        )
    return (
        f"Ask for a larger batch (--batch-size {factor * actual}): "
        f"about {units.count(cycles / actual)} cycles less per sample."
    )


def _shared(view: View, layer: Layer) -> _Shared:
    """Waiting for a transfer of weights that stand behind the layer's maps in the queue grows with those maps."""
    starts = shared_starts(view, layer)
    loaded = layer.loaded_bytes or 0
    weights = min(1.0, (layer.stored_parameter_bytes or 0) / loaded) if loaded else 1.0
    return _Shared(
        weights=cause_cycles(view, layer, "weights") * weights,
        starts=starts,
        first_start=starts / (layer.blocks or 1),
        idle=cause_cycles(view, layer, "padding", "vector") if has_few_pixels(layer) else 0,
    )


def _paid_once(view: View, actual: int, least: float, most: float) -> float:
    """The line through the built size and the largest planned below it, at batch 0, held between two accounts of the
    layers. From batch 1 no line can be drawn, and the larger account stands.
    """
    runs = {row.batch_size: row.cycles for row in view.candidates if row.cycles and row.status == "scheduled"}
    built = view.totals.runtime_cycles or 0
    smaller = max((size for size in runs if size < actual), default=None)
    if smaller is None:
        return min(most, built)
    line = (runs[smaller] * actual - built * smaller) / (actual - smaller)
    return max(min(line, most), least)


def _batch_factor(view: View) -> int:
    """How many times the batch the on-chip memory is sure to hold: activations grow with it, parameters do not.

    1 where it is not even twice: maps may be run in stripes then, or spilled, and only planning tells what that takes.
    """
    capacity = view.machine.on_chip_bytes
    rows = [row for row in view.memory_map if row.kind != "parameters"]
    if capacity is None or not rows:
        return BATCH_FACTOR
    if any(row.kind == "stripe" for row in rows) or any(segment.spilled for segment in view.segments):
        return 1
    changes = sorted(
        change
        for row in rows
        for change in (((row.first_step or 0), row.bytes), ((row.last_step or 0) + 1, -row.bytes))
    )
    peak = max(accumulate(size for _, size in changes))
    parameters = max((row.bytes for row in view.memory_map if row.kind == "parameters"), default=0)
    return max(1, min(BATCH_FACTOR, (capacity - parameters) // peak))

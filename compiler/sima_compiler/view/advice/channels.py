"""Channels that leave lanes idle: weight blocks are counted, and what whole lanes would not need is what is gained."""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.view.advice.evidence import (
    CONTRACTING,
    LANES,
    cause_cycles,
    ids,
    input_channels,
    lane_blocks,
    least_cycles,
    output_channels,
    share_sentence,
    why_no_claim,
)
from sima_compiler.view.advice.replay import Changed, claim, recovered_cycles
from sima_compiler.view.records import Finding, Layer, View

#: Channels that fill their lanes to this share or more are good enough: 240 of 256 lose 6 %.
GOOD_FILL = 0.94
#: Sizes that the advice names; the layers concerned are listed whole.
MOST_SIZES = 4


def idle_lanes(view: View, layers: Sequence[Layer]) -> Finding | None:
    """Up to 16 channels there is no smaller size, and first layers fold window columns into the lanes instead."""
    fewer = {layer.id: _fewer_blocks(view, layer) for layer in layers if layer.family in CONTRACTING and _odd(layer)}
    changes = {number: change for number, change in fewer.items() if change.saved_cycles}
    concerned = [layer for layer in layers if layer.id in changes]
    saved = recovered_cycles(view, layers, changes)
    if saved < least_cycles(view):
        return None
    cycles = claim(view, layers, changes)
    odd = sorted({size for layer in concerned for size in _odd(layer)})
    listed = ", ".join(f"{size} to {_smaller(size)}" for size in odd[:MOST_SIZES])
    return Finding(
        kind="idle_lanes",
        title="Channels that leave lanes idle",
        evidence=f"{len(concerned)} layers have channels that are no multiple of {LANES}: the next smaller multiples "
        f"need fewer weight blocks and save {share_sentence(view, saved)} of their work.{why_no_claim(cycles)}",
        advice=f"Use multiples of {LANES} channels: {listed}; the next larger multiple costs the same time as now.",
        cycles=cycles,
        layers=ids(concerned),
    )  # fmt: skip


def _odd(layer: Layer) -> list[int]:
    """The layer's channels, of its input and of its output, that leave lanes idle."""
    return [size for size in (input_channels(layer), output_channels(layer)) if _is_odd(size)]


def _is_odd(channels: int) -> bool:
    return channels > LANES and channels < lane_blocks(channels) * LANES * GOOD_FILL


def _smaller(channels: int) -> int:
    return channels - channels % LANES


def _fewer_blocks(view: View, layer: Layer) -> Changed:
    work, weights = 1.0, 1.0
    for size in _odd(layer):
        work *= (size // LANES) / lane_blocks(size)
        weights *= _smaller(size) / size
    return Changed(cause_cycles(view, layer, "useful", "padding") * (1 - work), weights)

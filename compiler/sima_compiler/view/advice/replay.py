"""A run told from its layers alone, so that it can be told again with other layers.

In: a View, and what some of its layers would compute and load after a change. Out: the cycles that the run would have
less. Two engines work: one loads what the layers need, in their order and without a break; a layer's blocks follow
their loads. So time saved in a layer counts only as far as loads do not become what is waited for, which at batch 1
is most of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sima_compiler.view.advice.evidence import short_of_memory
from sima_compiler.view.records import Layer, View


@dataclass(frozen=True, slots=True)
class Changed:
    """A layer after a change: cycles that it computes less, and the share of its loaded bytes that is left."""

    saved_cycles: float
    loaded_share: float = 1.0


def claim(view: View, layers: Sequence[Layer], changes: Mapping[int, Changed]) -> int | None:
    """`recovered_cycles`, None where memory shapes one of the layers: other blocks, or none of the waits, come then."""
    if not short_of_memory(view, layers).isdisjoint(changes):
        return None
    return recovered_cycles(view, layers, changes)


def recovered_cycles(view: View, layers: Sequence[Layer], changes: Mapping[int, Changed]) -> int:
    """Cycles of the run that the changes, by a layer's id, save; never less than 0."""
    before = _run(view, layers, {})
    return max(0, round(before - _run(view, layers, changes)))


def _run(view: View, layers: Sequence[Layer], changes: Mapping[int, Changed]) -> float:
    loaded = computed = 0.0
    for layer in layers:
        change = changes.get(layer.id, Changed(0.0))
        work = (layer.compute_cycles or 0) - change.saved_cycles
        loaded += _load_cycles(view, layer) * change.loaded_share
        # The first block waits for its share of the loads, the last one for all of them.
        computed = max(computed + work, loaded + work / (layer.blocks or 1))
    return computed


def _load_cycles(view: View, layer: Layer) -> float:
    """Cycles that the layer's loads keep the DRAM's port; 0 where the machine's rate is not recorded."""
    rate = view.machine.dram_bytes_per_cycle
    return (layer.loaded_bytes or 0) / rate if rate else 0.0

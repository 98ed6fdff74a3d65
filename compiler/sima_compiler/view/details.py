"""One layer in words: what a hover, a details panel or a terminal says about it.

In: a `Layer` and its `View`. Out: lines of text, one fact each.
"""

from __future__ import annotations

from sima_compiler.screen import printable
from sima_compiler.view import units
from sima_compiler.view.palette import label_of
from sima_compiler.view.records import Layer, View


def layer_details(layer: Layer, view: View) -> str:
    """Name, cycles, place, work, cause, sources and placement; what is not recorded is left out."""
    cycles, clock = layer.compute_cycles or 0, view.machine.clock_mhz
    start = layer.start_cycle or 0
    lines = [
        printable(layer.name),
        f"{units.count(cycles)} cycles ({units.duration(cycles, clock)}), {units.percent(layer_share(layer, view))}",
        f"cycle {units.count(start)} to {units.count(max(start, start + cycles - 1))}",
    ]
    if layer.macs:
        lines.append(f"{units.count(layer.macs)} MACs")
    if layer.macs and layer.utilization is not None:
        lines.append(f"{units.percent(layer.utilization)} of peak MACs")
    if layer.runtime_cycles is not None:
        lines.append(f"{units.count(layer.runtime_cycles)} cycles with stalls")
    if layer.bound_by:
        lines.append(f"bound by {bound_text(layer, view)}")
    if layer.sources:
        lines.append(f"from {', '.join(layer.sources)}")
    return "\n".join(lines)


def layer_share(layer: Layer, view: View) -> float:
    """The layer's share of all compute cycles."""
    return (layer.compute_cycles or 0) / (view.totals.compute_cycles or 1)


def bound_text(layer: Layer, view: View) -> str:
    """What the layer's time is made of for the largest part, as people read it."""
    return label_of(view.palette.bounds, layer.bound_by).label if layer.bound_by else units.NOT_RECORDED

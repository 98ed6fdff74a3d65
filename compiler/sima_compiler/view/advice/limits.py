"""What memory and the host limit: maps that are spilled, the batch that was refused, outputs that are padded."""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.view import units, wordings
from sima_compiler.view.advice.evidence import (
    LANES,
    cause_cycles,
    ids,
    share_sentence,
    shared_starts,
    short_of_memory,
    spilled_maps,
)
from sima_compiler.view.folding import why_not_more
from sima_compiler.view.records import Finding, Layer, Plugin, Port, View


def spills(view: View, layers: Sequence[Layer]) -> Finding | None:
    """Maps that go out to DRAM and come back. Without waiting a spill costs no time: it is hidden behind compute.

    Layers whose maps are not on chip run in small blocks as well: more starts, weights loaded again. What small blocks
    waste of the array is between none and all of its padding: where that leaves too much room, nothing is claimed.
    """
    maps = spilled_maps(view)
    shaped = short_of_memory(view, layers)
    concerned = [layer for layer in layers if layer.id in shaped]
    waits = sum(cause_cycles(view, layer, "input", "output", "dependency") for layer in concerned)
    if not maps or not waits:
        return None
    small = round(sum(_small_blocks(view, layer) for layer in concerned))
    wasted = sum(cause_cycles(view, layer, "padding") for layer in concerned)
    sure = waits + small
    return Finding(
        kind="spills",
        title="Feature maps that are spilled to DRAM",
        evidence=f"{len(maps)} maps of {units.size(sum(maps.values()))} ({', '.join(list(maps)[:3])}) do not stay on "
        f"chip; layers wait for them {share_sentence(view, waits)}, and {units.count(small)} cycles more for weights "
        "and starts of small blocks.",
        advice="Keep them on chip: a smaller input, fewer channels in these layers, or more quads where some are left.",
        cycles=sure + wasted // 2 if wasted <= sure else None,
        layers=ids(layer for layer in concerned if cause_cycles(view, layer, "input", "output", "dependency")),
    )


def _small_blocks(view: View, layer: Layer) -> float:
    """Cycles of starts beyond the first, and of waiting for weights that each block loads again."""
    blocks = layer.blocks or 1
    weights = cause_cycles(view, layer, "weights") if blocks > 1 else 0
    return weights + shared_starts(view, layer) * (1 - 1 / blocks)


def batch_limit(view: View) -> Finding | None:
    """What keeps the batch from being larger; the best lever that was planned and needs no other machine."""
    actual, reason = view.batch.actual_batch_size, why_not_more(view)
    if not reason or actual is None:
        return None
    following = min((row for row in view.candidates if row.batch_size > actual), key=lambda row: row.batch_size)
    limiting = [layer for layer in view.layers if layer.name == following.limiting_layer]
    planned = [
        lever for row in view.candidates for lever in row.levers if lever.cycles_per_sample and not lever.what_if
    ]
    best = min(planned, key=lambda lever: lever.cycles_per_sample or 0.0, default=None)
    each = (view.totals.runtime_cycles or 0) / actual
    gained = round((each - (best.cycles_per_sample or each)) * actual) if best else 0
    advice = "simac batch MODEL --levers plans what would help."
    if best is not None:
        advice = (
            f"{wordings.lever_sentence(best)}."
            if gained > 0
            else "None of the levers that were planned gives fewer cycles."
        )
    return Finding(
        kind="batch_limit",
        title="What limits the batch",
        evidence=reason,
        advice=advice,
        cycles=gained if gained > 0 else None,
        layers=ids(limiting),
    )


def padded_outputs(view: View) -> Finding | None:
    """Outputs in the MLA's layout have whole lanes of channels; the EV74 reads the padding and drops it."""
    padding = {plugin.name: _padding(plugin) for plugin in view.plugins if "detess" in plugin.detail}
    padding = {name: size for name, size in padding.items() if size > 0}
    if not padding:
        return None
    total = sum(padding.values())
    return Finding(
        kind="padded_output",
        title="Outputs whose channels are padded",
        evidence=f"{', '.join(list(padding)[:3])}: of what is read, {units.size(total)} are padding to multiples of "
        f"{LANES} channels.",
        advice=f"Give outputs a multiple of {LANES} channels: the steps stay, but move data only.",
        bytes=total,
        steps=len(padding),
    )


def _padding(plugin: Plugin) -> int:
    """Bytes that the plugin reads and does not write; 0 where sizes are not recorded."""
    read, written = _total(plugin.inputs), _total(plugin.outputs)
    return read - written if plugin.processor == "EV74" and read and written else 0


def _total(ports: Sequence[Port]) -> int | None:
    sizes = [port.bytes for port in ports]
    return sum(size for size in sizes if size is not None) if sizes and None not in sizes else None

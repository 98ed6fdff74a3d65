"""What a host segment costs: a switch between processors, with the EV74 steps on either side of it."""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.archive.report_records import HostLayer
from sima_compiler.view import units
from sima_compiler.view.records import Finding, Plugin, View

#: Layers that the evidence names with their reasons.
MOST_NAMED = 2
#: EV74 kernels that are there for a switch, by how their names begin.
CONVERSIONS = ("quantiz", "dequantiz", "tessellat", "detessellat")


def host_switches(view: View) -> list[Finding]:
    """A finding per A65 segment: its nodes, what crosses for them, and what would move them back."""
    plugins = list(view.plugins)
    found: list[Finding] = []
    for segment in view.segments:
        layers = [layer for layer in view.host_layers if layer.segment == segment.name]
        plugin = next((one for one in plugins if one.name == segment.name), None)
        if plugin is not None and layers:
            found.append(_switch(plugin, plugins, layers))
    return found


def _switch(plugin: Plugin, plugins: Sequence[Plugin], layers: Sequence[HostLayer]) -> Finding:
    around = _conversions(plugin, plugins)
    crossing = sum(port.bytes or 0 for port in (*plugin.inputs, *plugin.outputs))
    named = "; ".join(f"{layer.operator} {layer.node!r}: {_lowered(layer.reason)}" for layer in layers[:MOST_NAMED])
    more = f"; and {len(layers) - MOST_NAMED} more" if len(layers) > MOST_NAMED else ""
    remedies = list(dict.fromkeys(layer.remedy for layer in layers if layer.remedy))
    steps = len(around) + 1
    return Finding(
        kind="host_segment",
        title=f"Layers on the A65: {plugin.name}",
        evidence=f"{units.size(crossing)} of reals and integers cross in {steps} steps, {len(around)} of them on the "
        f"EV74. {named}{more}.",
        advice=_advice(remedies),
        bytes=crossing,
        steps=steps,
    )


def _advice(remedies: Sequence[str]) -> str:
    if not remedies:
        return "Nothing moves them to the MLA; --cut-at TENSOR ends the network in front of them."
    return f"To move them to the MLA: {remedies[0]}" + (
        f" ({len(remedies) - 1} more in the list)." if remedies[1:] else "."
    )


def _lowered(reason: str) -> str:
    return reason[:1].lower() + reason[1:]


def _conversions(plugin: Plugin, plugins: Sequence[Plugin]) -> list[Plugin]:
    """EV74 steps through which a segment's tensors come from the MLA and go to it."""
    makers = {port.name: one for one in plugins for port in one.outputs}
    readers: dict[str, list[Plugin]] = {}
    for one in plugins:
        for port in one.inputs:
            readers.setdefault(port.name, []).append(one)
    found: dict[str, Plugin] = {}
    waiting = [makers[port.name] for port in plugin.inputs if port.name in makers]
    while waiting:
        one = waiting.pop()
        if _converts(one) and one.name not in found:
            found[one.name] = one
            waiting += [makers[port.name] for port in one.inputs if port.name in makers]
    waiting = [reader for port in plugin.outputs for reader in readers.get(port.name, ())]
    while waiting:
        one = waiting.pop()
        if _converts(one) and one.name not in found:
            found[one.name] = one
            waiting += [reader for port in one.outputs for reader in readers.get(port.name, ())]
    return list(found.values())


def _converts(plugin: Plugin) -> bool:
    return plugin.processor == "EV74" and plugin.detail.startswith(CONVERSIONS)

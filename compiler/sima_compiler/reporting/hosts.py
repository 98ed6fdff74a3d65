"""Nodes of the A65 as reports list them.

In: a network, or one of its segments. Out: `HostLayer` records.
"""

from __future__ import annotations

from sima_compiler.archive.report_records import HostLayer
from sima_compiler.ir.network import HostPart, Network


def host_layers(network: Network, batch: int = 1) -> tuple[HostLayer, ...]:
    """Every node of the network that the A65 runs."""
    return tuple(layer for part in network.parts for layer in part_layers(part, batch))


def part_layers(part: HostPart, batch: int) -> tuple[HostLayer, ...]:
    """The nodes of one segment."""
    return tuple(
        HostLayer(
            node=found.node,
            operator=found.operator,
            segment=part.name,
            reason=found.reason,
            rule=found.rule,
            remedy=found.remedy,
            macs=found.macs * batch,
            share=found.share,
        )
        for found in part.placements
    )

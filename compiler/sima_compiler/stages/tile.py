"""Tile: a segment of layers becomes steps on blocks, with the transfers that feed them.

Before: layers on whole feature maps. After: compute commands on regions in on-chip buffers that have sizes and
lifetimes, and loads and stores that say at which step they are needed or produced. Checks: a layer that fits in no way
is a `Misfit`, with the demand, the limit and what would help; nothing is refused because it is big.
"""

from __future__ import annotations

from sima_compiler.ir.layers import Segment
from sima_compiler.ir.tiles import Misfit, Tiling
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.blocks import LayerSite, plan_blocks
from sima_compiler.stages.tiling.emit import Emitter
from sima_compiler.stages.tiling.residency import choose_residency


def tile(segment: Segment, machine: Machine, *, quads: int, batch: int, capacity: int | None = None) -> Tiling | Misfit:
    """The segment as steps for a batch of ``batch`` samples.

    Args:
        segment: layers in execution order.
        machine: the target.
        quads: quads in use, 1 to ``machine.quads``.
        batch: samples computed by one run.
        capacity: on-chip bytes to plan with; the machine's own when None. Less is asked for after an allocation failed.

    Returns:
        The tiling, or why there is none.
    """
    limit = machine.sram_bytes(quads) if capacity is None else capacity
    residency = choose_residency(segment, batch, limit, machine)
    if isinstance(residency, Misfit):
        return residency
    emitter = Emitter(segment, machine, quads, batch, residency)
    for index, layer in enumerate(segment.layers):
        site = LayerSite(layer, segment, batch, residency.spilled, residency.free[index], limit, machine, quads)
        plan = plan_blocks(site)
        if isinstance(plan, Misfit):
            return plan
        emitter.layer(index, plan)
    return emitter.finish()

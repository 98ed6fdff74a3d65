"""Into which blocks a layer's output is cut, and in which order they run.

In: a layer, which of its maps are spilled, the bytes that are free for it. Out: a `BlockPlan` or a `Misfit`. Layers
whose maps are all resident are cut by output channels only, so that parameters arrive while earlier blocks compute;
they are also cut by samples or rows when they meet the network's inputs or outputs and all their parameters can stay
meanwhile, so that transfers overlap. Layers with a spilled map are cut into stripes.
"""

from __future__ import annotations

from sima_compiler.ir.layers import Copy
from sima_compiler.ir.tiles import Misfit
from sima_compiler.stages.tiling.block.geometry import map_bytes
from sima_compiler.stages.tiling.block.parameters import least_constants, parameter_bytes
from sima_compiler.stages.tiling.cuts.channels import ChannelSite, channel_block
from sima_compiler.stages.tiling.cuts.copy_plans import plan_copy
from sima_compiler.stages.tiling.cuts.plans import BORDER_BLOCKS, BlockPlan, LayerSite
from sima_compiler.stages.tiling.cuts.stripes import plan_stripes

#: Share of on-chip memory that one block of parameters may take at most.
PARAMETER_SHARE = 10
#: Blocks of parameters for which the resident maps leave room: one in use, and those that arrive meanwhile.
PARAMETERS_IN_FLIGHT = 3


def plan_blocks(site: LayerSite) -> BlockPlan | Misfit:
    """The block plan of one layer."""
    if not site.striped:
        plan = _resident_plan(site)
        if least_constants(site.layer, plan.channels, plan.rows * plan.columns) <= site.free:
            return plan
    return plan_copy(site) if isinstance(site.layer.kernel, Copy) else plan_stripes(site)


def _channels(site: LayerSite, samples: int, rows: int) -> int:
    """Output channels of one block that spans so many samples and rows."""
    target = site.target
    repeats = -(-site.batch // samples) * -(-target.rows // rows)
    pixels = samples * rows * target.columns
    source = site.segment.maps[site.layer.inputs[0]]
    choice = ChannelSite(site.layer, source, target, pixels, repeats, site.machine, site.quads)
    budget = min(site.free // PARAMETERS_IN_FLIGHT, site.capacity // PARAMETER_SHARE)
    return channel_block(choice, max(budget, 1))


def _resident_plan(site: LayerSite) -> BlockPlan:
    target = site.target
    samples, rows = site.batch, target.rows
    parameters = parameter_bytes(site.layer, target.channels)
    if _at_border(site) and not isinstance(site.layer.kernel, Copy) and parameters <= site.free:
        if site.batch >= BORDER_BLOCKS:
            samples = -(-site.batch // BORDER_BLOCKS)
        elif target.rows > 1:
            samples, rows = 1, max(1, -(-target.rows // BORDER_BLOCKS))
    channels = _channels(site, samples, rows)
    if (samples, rows) != (site.batch, target.rows) and _kept(site, channels) > site.free:
        samples, rows = site.batch, target.rows
        channels = _channels(site, samples, rows)
    return BlockPlan(samples, rows, target.columns, channels)


def _kept(site: LayerSite, channels: int) -> int:
    """Bytes of the parameters of all channel blocks, which stay from one stripe to the next; each has its tables."""
    blocks = -(-site.target.channels // channels)
    return blocks * site.machine.align(parameter_bytes(site.layer, channels))


def _at_border(site: LayerSite) -> bool:
    """The layer's transfers from or to the network's border are large enough to be worth overlapping."""
    borders = [name for name in site.layer.inputs if name in site.segment.inputs]
    borders += [site.layer.output] if site.layer.output in site.segment.outputs else []
    worth = site.capacity // 1024
    return any(map_bytes(site.segment.maps[name], site.batch, site.machine) > worth for name in borders)

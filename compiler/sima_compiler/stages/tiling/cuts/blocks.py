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
from sima_compiler.stages.tiling.cuts.channels import ChannelProblem, channel_block
from sima_compiler.stages.tiling.cuts.copy_plans import plan_copy
from sima_compiler.stages.tiling.cuts.plans import BORDER_BLOCKS, BlockPlan, LayerProblem
from sima_compiler.stages.tiling.cuts.stripes import plan_stripes

#: Share of on-chip memory that one block of parameters may take at most.
PARAMETER_SHARE = 10
#: Blocks of parameters for which the resident maps leave room: one in use, and those that arrive meanwhile.
PARAMETERS_IN_FLIGHT = 3


def plan_blocks(problem: LayerProblem) -> BlockPlan | Misfit:
    """The block plan of one layer."""
    if not problem.striped:
        plan = _resident_plan(problem)
        if least_constants(problem.layer, plan.channels, plan.rows * plan.columns) <= problem.free:
            return plan
    return plan_copy(problem) if isinstance(problem.layer.kernel, Copy) else plan_stripes(problem)


def _channels(problem: LayerProblem, samples: int, rows: int) -> int:
    """Output channels of one block that spans so many samples and rows."""
    target = problem.target
    repeats = -(-problem.batch // samples) * -(-target.rows // rows)
    pixels = samples * rows * target.columns
    source = problem.segment.maps[problem.layer.inputs[0]]
    choice = ChannelProblem(
        layer=problem.layer,
        source=source,
        target=target,
        pixels=pixels,
        repeats=repeats,
        machine=problem.machine,
        quads=problem.quads,
    )
    budget = min(problem.free // PARAMETERS_IN_FLIGHT, problem.capacity // PARAMETER_SHARE)
    return channel_block(choice, max(budget, 1))


def _resident_plan(problem: LayerProblem) -> BlockPlan:
    target = problem.target
    samples, rows = problem.batch, target.rows
    parameters = parameter_bytes(problem.layer, target.channels)
    if _at_border(problem) and not isinstance(problem.layer.kernel, Copy) and parameters <= problem.free:
        if problem.batch >= BORDER_BLOCKS:
            samples = -(-problem.batch // BORDER_BLOCKS)
        elif target.rows > 1:
            samples, rows = 1, max(1, -(-target.rows // BORDER_BLOCKS))
    channels = _channels(problem, samples, rows)
    if (samples, rows) != (problem.batch, target.rows) and _kept(problem, channels) > problem.free:
        samples, rows = problem.batch, target.rows
        channels = _channels(problem, samples, rows)
    return BlockPlan(samples, rows, target.columns, channels)


def _kept(problem: LayerProblem, channels: int) -> int:
    """Bytes of the parameters of all channel blocks, which stay from one stripe to the next; each has its tables."""
    blocks = -(-problem.target.channels // channels)
    return blocks * problem.machine.align(parameter_bytes(problem.layer, channels))


def _at_border(problem: LayerProblem) -> bool:
    """The layer's transfers from or to the network's border are large enough to be worth overlapping."""
    borders = [name for name in problem.layer.inputs if name in problem.segment.inputs]
    borders += [problem.layer.output] if problem.layer.output in problem.segment.outputs else []
    worth = problem.capacity // 1024
    return any(map_bytes(problem.segment.maps[name], problem.batch, problem.machine) > worth for name in borders)

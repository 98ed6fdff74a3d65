"""Tile: a segment of layers becomes steps on blocks, with the transfers that feed them.

Before: layers on whole feature maps. After: compute commands on regions in on-chip buffers that have sizes and
lifetimes, and loads and stores that say at which step they are needed or produced. Checks: a layer that fits in no way
is a `Misfit`, with the demand, the limit and what would help. Since maps can be cut along every axis and windows be
summed in parts, that takes a memory that does not hold one vector of each operand and a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sima_compiler.ir.layers import Segment
from sima_compiler.ir.tiles import Misfit, Overflow, Tiling
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.cuts.blocks import plan_blocks
from sima_compiler.stages.tiling.cuts.fusion import FusionProblem, Group, choose_groups, with_groups
from sima_compiler.stages.tiling.cuts.plans import LayerProblem
from sima_compiler.stages.tiling.cuts.stripe_costs import StripeCosts
from sima_compiler.stages.tiling.maps.dram import dram_tensors
from sima_compiler.stages.tiling.maps.residency import Residency, choose_residency
from sima_compiler.stages.tiling.writing.emit import Emitter
from sima_compiler.stages.tiling.writing.repetition import kept_parameters, repeatable, repeated


@dataclass(frozen=True, slots=True)
class TileOptions:
    """``quads`` in use; ``batch`` samples per run; on-chip bytes to plan with; the longest group of fused layers.

    ``repeat``: one sample follows the other (`sample_by_sample`). ``allowed``: the maps that may be spilled, None for
    all; a tiling that would spill others is not written.
    """

    quads: int
    batch: int
    capacity: int
    longest_group: int = 0
    repeat: bool = False
    allowed: frozenset[str] | None = None


def tile(
    segment: Segment, machine: Machine, options: TileOptions, stripes: StripeCosts | None = None
) -> Tiling | Misfit | Overflow:
    """The segment, layers in execution order, as steps; or why there is no tiling.

    ``stripes`` of the same segment, machine and quads spare working out again what other plans asked for.
    """
    stripes = stripes or StripeCosts(segment, machine, options.quads)
    if options.repeat:
        return _repeated(segment, machine, options, stripes)
    residency = choose_residency(segment, options.batch, options.capacity, machine)
    if isinstance(residency, Misfit):
        return residency
    groups: tuple[Group, ...] = ()
    if residency.spilled:
        decided = (options.batch, residency.spilled, residency.storage, options.capacity)
        groups = choose_groups(FusionProblem(stripes, *decided, options.longest_group))
        residency = with_groups(residency, groups, segment, machine)
    if options.allowed is not None and not residency.spilled <= options.allowed:
        tensors = dram_tensors(segment, options.batch, residency.spilled, machine)
        spilled = sorted((tensor.name, tensor.bytes) for tensor in tensors if tensor.name in residency.spilled)
        return Overflow(tuple(spilled), any(group.inside for group in groups))
    return _emit(segment, machine, options, residency, groups)


def sample_by_sample(segment: Segment, machine: Machine, *, quads: int, batch: int) -> bool:
    """Whether a batch is to run as one sample after the other: together their maps would not fit, and all parameters
    can stay on chip meanwhile.
    """
    if batch == 1 or not repeatable(segment, machine, quads):
        return False
    together = choose_residency(segment, batch, machine.sram_bytes(quads), machine)
    return isinstance(together, Misfit) or bool(together.spilled)


def _repeated(
    segment: Segment, machine: Machine, options: TileOptions, stripes: StripeCosts
) -> Tiling | Misfit | Overflow:
    left = options.capacity - kept_parameters(segment, machine) // 4
    one = tile(segment, machine, replace(options, batch=1, capacity=left, repeat=False), stripes)
    if isinstance(one, Misfit):
        return one
    spilled = [name for name, _ in one.spilled] if isinstance(one, Overflow) else one.spilled
    tensors = dram_tensors(segment, options.batch, frozenset(spilled), machine)
    if isinstance(one, Overflow):
        sizes = {tensor.name: tensor.bytes for tensor in tensors}
        return replace(one, spilled=tuple((name, sizes[name]) for name in spilled))
    return repeated(one, tensors, options.batch)


def _emit(
    segment: Segment, machine: Machine, options: TileOptions, residency: Residency, fused: Sequence[Group]
) -> Tiling | Misfit:
    emitter = Emitter(segment, machine, quads=options.quads, batch=options.batch, residency=residency, groups=fused)
    groups = {group.first: group for group in fused}
    index = 0
    while index < len(segment.layers):
        group = groups.get(index)
        if group is not None:
            emitter.group(group)
            index = group.last + 1
            continue
        plan = plan_blocks(_site(segment, machine, options, residency, index))
        if isinstance(plan, Misfit):
            return plan
        emitter.layer(index, plan)
        index += 1
    return emitter.finish()


def _site(segment: Segment, machine: Machine, options: TileOptions, residency: Residency, index: int) -> LayerProblem:
    return LayerProblem(
        layer=segment.layers[index],
        segment=segment,
        batch=options.batch,
        spilled=residency.spilled,
        free=residency.free[index],
        capacity=options.capacity,
        machine=machine,
        quads=options.quads,
    )

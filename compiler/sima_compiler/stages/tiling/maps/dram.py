"""Where maps lie in DRAM.

In: a segment, the batch, the spilled maps. Out: a `DramTensor` for every input, output and spilled map. Always holds:
no two share a byte.
"""

from __future__ import annotations

from sima_compiler.ir.layers import Segment
from sima_compiler.ir.program import DramTensor, Role
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.geometry import strides_of, whole


def dram_tensors(segment: Segment, batch: int, spilled: frozenset[str], machine: Machine) -> tuple[DramTensor, ...]:
    """A place in DRAM for every input, output and spilled map.

    Inputs lie one after the other at multiples of the lanes, and so do outputs: each group is the one buffer that the
    archive's plugins hand over. A group, and every spilled map, starts at a burst.
    """
    groups = [segment.inputs, segment.outputs]
    groups += [(name,) for name in sorted(spilled - {*segment.inputs, *segment.outputs})]
    tensors: list[DramTensor] = []
    address = 0
    for group in groups:
        address = -(-address // machine.dram_burst_bytes) * machine.dram_burst_bytes
        for name in group:
            tensors.append(_dram_tensor(segment, name, batch, address, machine))
            address += machine.align(tensors[-1].bytes)
    return tuple(tensors)


def _dram_tensor(segment: Segment, name: str, batch: int, address: int, machine: Machine) -> DramTensor:
    feature_map = segment.maps[name]
    strides = strides_of(feature_map, whole(feature_map, batch), machine)
    return DramTensor(
        name=name,
        role=_role(name, segment),
        address=address,
        samples=batch,
        rows=feature_map.rows,
        columns=feature_map.columns,
        channels=feature_map.channels,
        layout=feature_map.layout,
        pixel_stride=strides.pixel,
        row_stride=strides.row,
        sample_stride=strides.sample,
        quant=feature_map.quant,
        source_shape=feature_map.source_shape,
        source_axes=feature_map.source_axes,
    )


def _role(name: str, segment: Segment) -> Role:
    if name in segment.inputs:
        return Role.INPUT
    return Role.OUTPUT if name in segment.outputs else Role.SPILL

"""The fewest on-chip bytes with which a layer can run, besides maps that stay there.

In: a layer, the maps that are spilled. Out: bytes of its smallest block, whole or in parts.
"""

from __future__ import annotations

from collections.abc import Collection

from sima_compiler.ir.kernels import Reach, Reduction, facts
from sima_compiler.ir.layers import Copy, Layer, Segment
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.geometry import Region, bytes_of, map_bytes
from sima_compiler.stages.tiling.block.parameters import least_parameter_bytes, parameter_bytes, table_bytes
from sima_compiler.stages.tiling.block.parts import PartProblem, least_part_bytes
from sima_compiler.stages.tiling.block.reach import input_region

#: A part of a window that takes this share of the capacity is large enough.
COMFORT = 4
#: A copy of maps in DRAM is left this share of the memory, because smaller blocks are many blocks.
COPY_SHARE = 8


def working_bytes(segment: Segment, layer: Layer, spilled: Collection[str], machine: Machine, capacity: int) -> int:
    """Least on-chip bytes besides resident maps: one block of parameters, one pixel of each spilled map; less where the
    layer can sum its window in parts and the whole would take more than half of the capacity.
    """
    if isinstance(layer.kernel, Copy):
        return _copy_bytes(
            segment=segment, layer=layer, kernel=layer.kernel, spilled=spilled, machine=machine, capacity=capacity
        )
    size = _whole_window_bytes(segment, layer, spilled, machine, capacity)
    if size <= capacity // 2 or not isinstance(layer.kernel, Reduction):
        return size
    problem = PartProblem(layer, layer.kernel, segment, spilled, machine)
    return min(size, least_part_bytes(problem, capacity // COMFORT))


def _whole_window_bytes(
    segment: Segment, layer: Layer, spilled: Collection[str], machine: Machine, capacity: int
) -> int:
    target = segment.maps[layer.output]
    channels = target.channels
    if facts(layer.kernel).reach is Reach.PLACE:  # each output depends on its own channel alone
        channels = min(machine.lanes, channels)
        size = machine.align(parameter_bytes(layer, channels, 1))
    else:
        size = machine.align(least_parameter_bytes(layer, channels, machine.lanes, capacity))
    if facts(layer.kernel).reach is Reach.MATRIX:
        channels = min(machine.lanes, channels)
    block = Region((0, 1), (0, 1), (0, 1), (0, channels))
    if layer.output in spilled:
        size += bytes_of(target, block, machine)
    for index, name in enumerate(layer.inputs):
        if name in spilled:
            source = segment.maps[name]
            size += bytes_of(source, input_region(layer, index, source, target, block), machine)
    return size


def _copy_bytes(
    segment: Segment, layer: Layer, kernel: Copy, spilled: Collection[str], machine: Machine, capacity: int
) -> int:
    """Tables, a vector of the target and one of a source; while the memory has room for it, a share of the memory."""
    names = [name for name in (*layer.inputs, layer.output) if name in spilled]
    vectors = (layer.output in spilled) + any(name in spilled for name in layer.inputs)
    least = machine.align(table_bytes(kernel, capacity)) + machine.lanes * vectors
    wanted = sum(map_bytes(segment.maps[name], 1, machine) for name in names)
    return max(least, min(wanted, capacity // COPY_SHARE))

"""Prefetch: how far ahead of its use each load may start.

Before: every load is due at the step that needs it. After: ``earliest`` and the buffer's first step moved forward, as
far as free on-chip bytes allow, but no further than DMA could make use of. Checks: loads stay in order and behind the
stores that write their bytes; at every step the live buffers' bytes stay below the limit.

The stage walks the loads in order of need and keeps two clocks, DMA's and compute's, by the cost model without
latencies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sima_compiler.ir.program import LoadConstants, LoadTensor, StoreTensor
from sima_compiler.ir.tiles import Lifetime, Load, Tiling
from sima_compiler.machine.cost import box_cycles, constants_cycles
from sima_compiler.machine.description import Machine
from sima_compiler.machine.runs import durations
from sima_compiler.machine.starts import entries


@dataclass(frozen=True, slots=True)
class PrefetchOptions:
    """``limit``: on-chip bytes that live buffers may take; 0 keeps every load at its need."""

    quads: int
    limit: int


def prefetch(tiling: Tiling, stored: Sequence[int], machine: Machine, options: PrefetchOptions) -> Tiling:
    """Moves loads ahead; ``stored`` holds the DRAM bytes of each constants block."""
    if not options.limit:
        return tiling
    occupied = _occupancy(tiling)
    entered = entries(tiling.steps, tiling.transfers, tiling.tensors, tiling.constants)
    taken = durations(tiling.steps, entered, machine, options.quads)
    starts = np.zeros(len(taken) + 1, np.int64)
    clock, reached, floor = 0, 0, 0
    buffers = list(tiling.buffers)
    loads: list[Load] = []
    written = _writes(tiling)
    for load in tiling.loads:
        buffer = buffers[load.command.buffer]
        for step in range(reached, load.needed):
            starts[step + 1] = starts[step] + taken[step]
        reached = max(reached, load.needed)
        floor = max(floor, _written_before(load, written))
        earliest = max(floor, _free_since(occupied, load.needed, buffer, options.limit))
        running = int(np.searchsorted(starts[: load.needed + 1], clock, side="right")) - 1
        earliest = min(max(earliest, running, 0), load.needed)
        if earliest < buffer.first:
            occupied[earliest : buffer.first] += buffer.bytes
            buffers[load.command.buffer] = replace(buffer, first=earliest)
        clock = max(clock, int(starts[earliest])) + _load_cycles(load, tiling, stored, machine)
        starts[load.needed] = max(starts[load.needed], clock)
        floor = earliest
        loads.append(replace(load, earliest=earliest))
    return replace(tiling, loads=tuple(loads), buffers=tuple(buffers))


def _occupancy(tiling: Tiling) -> np.ndarray:
    """Live bytes at every step."""
    delta = np.zeros(len(tiling.steps) + 1, np.int64)
    for buffer in tiling.buffers:
        delta[buffer.first] += buffer.bytes
        delta[buffer.last + 1] -= buffer.bytes
    return np.cumsum(delta)[:-1]


def _writes(tiling: Tiling) -> dict[int, np.ndarray]:
    """Stores by DRAM tensor: rows of first bytes, of ends, and of the steps after which they run."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    for store in tiling.stores:
        low, high = _dram_range(store.command)
        found.setdefault(store.command.tensor, []).append((low, high, store.produced))
    return {tensor: np.array(stores, np.int64).T for tensor, stores in found.items()}


def _written_before(load: Load, written: Mapping[int, np.ndarray]) -> int:
    """The first step at which every byte that the load reads has been stored."""
    if isinstance(load.command, LoadConstants) or load.command.tensor not in written:
        return 0
    low, high = _dram_range(load.command)
    starts, ends, steps = written[load.command.tensor]
    return int(steps[(starts < high) & (low < ends) & (steps < load.needed)].max(initial=-1)) + 1


def _dram_range(command: LoadTensor | StoreTensor) -> tuple[int, int]:
    """First byte and end of a box in its DRAM tensor."""
    box = command.box
    reach = sum((size - 1) * stride for size, stride in zip(box.sizes, box.dram_strides, strict=False))
    return command.dram_offset, command.dram_offset + reach + box.sizes[3]


def _free_since(occupied: np.ndarray, needed: int, buffer: Lifetime, limit: int) -> int:
    """The first step from which the buffer could live without exceeding the limit."""
    if buffer.first < needed:
        return buffer.first
    full = np.flatnonzero(occupied[:needed] + buffer.bytes > limit)
    return int(full[-1]) + 1 if full.size else 0


def _load_cycles(load: Load, tiling: Tiling, stored: Sequence[int], machine: Machine) -> int:
    command = load.command
    if isinstance(command, LoadConstants):
        raw = len(tiling.constants[command.constants].data)
        return max(constants_cycles(stored[command.constants], raw, machine))
    return box_cycles(command.box, machine)

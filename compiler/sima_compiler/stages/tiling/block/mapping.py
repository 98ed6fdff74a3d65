"""How a convolution block spreads over the tiles: exhaustive search against the cost model, cached per distinct work.

In: the block's work. Out: the cheapest `ArrayMapping`; ties go to the mapping with fewer contraction splits, then fewer
output splits. All candidates are costed at once, as arrays; `machine.cost.array_cycles` has the last word.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sima_compiler.errors import InternalError
from sima_compiler.ir.program import ArrayMapping
from sima_compiler.machine.cost import ArrayWork, array_cycles
from sima_compiler.machine.description import Machine
from sima_compiler.machine.traffic import Reach, buffered_bytes

Cells = npt.NDArray[np.int64]


@lru_cache(maxsize=65_536)
def folds_rows(*, packed: bool, channels: int, groups: int, dilation: int, machine: Machine) -> bool:
    """Row folding: window columns x channels may share the lanes where a row lies packed, its pixels do not fill them,
    and the window's columns are neighbours of one group.
    """
    return packed and channels < machine.lanes and groups == 1 and dilation == 1


@lru_cache(maxsize=65_536)
def best_mapping(work: ArrayWork, machine: Machine, quads: int) -> ArrayMapping:
    """The cheapest legal split of the tiles over pixels, output blocks and contraction blocks."""
    contraction, outputs = _splits(work, machine, quads)
    pixels = np.minimum(machine.tiles(quads) // (contraction * outputs), work.pixels)
    best = int(np.argmin(_all_cycles(work, pixels, outputs, contraction, machine)))
    return ArrayMapping(int(pixels[best]), int(outputs[best]), int(contraction[best]))


@lru_cache(maxsize=65_536)
def least_cycles(work: ArrayWork, machine: Machine, quads: int) -> int:
    """Cycles of a block under its cheapest mapping."""
    return array_cycles(work, best_mapping(work, machine, quads), machine)


def has_room(work: ArrayWork, machine: Machine, quads: int) -> bool:
    """Whether all results of a block can stay in the accumulators at once."""
    splits = _output_splits(work, machine, quads)
    return any(_held(work, outputs, machine, quads) <= machine.accumulator_pixels for outputs in splits)


@lru_cache(maxsize=4096)
def holding_mapping(work: ArrayWork, machine: Machine, quads: int) -> ArrayMapping:
    """The cheapest split with which all results of a block stay in the accumulators until its last part.

    Raises:
        InternalError: there is none; `has_room` tells before.
    """
    legal = [count for count in range(1, min(machine.tile_row, work.contraction) + 1) if machine.tile_row % count == 0]
    found: list[ArrayMapping] = []
    for contraction in legal:
        for outputs in _output_splits(work, machine, quads, contraction):
            if _held(work, outputs, machine, quads, contraction) <= machine.accumulator_pixels:
                pixels = min(machine.tiles(quads) // (contraction * outputs), work.pixels)
                found.append(ArrayMapping(pixels, outputs, contraction))
    if not found:
        raise InternalError(f"tile: {work.pixels} x {work.outputs} results have no room in the accumulators")
    return min(found, key=lambda mapping: array_cycles(work, mapping, machine))


def _output_splits(work: ArrayWork, machine: Machine, quads: int, contraction: int = 1) -> range:
    return range(1, min(work.outputs, machine.tiles(quads) // contraction) + 1)


def _held(work: ArrayWork, outputs: int, machine: Machine, quads: int, contraction: int = 1) -> int:
    """Vectors of results that the busiest tile holds."""
    pixels = min(machine.tiles(quads) // (contraction * outputs), work.pixels)
    return -(-work.pixels // pixels) * -(-work.outputs // outputs)


def _splits(work: ArrayWork, machine: Machine, quads: int) -> tuple[Cells, Cells]:
    """Legal contraction and output splits, in the order that decides ties."""
    tiles, row = machine.tiles(quads), machine.tile_row
    legal = [count for count in range(1, min(row, work.contraction) + 1) if row % count == 0]
    most = [min(work.outputs, tiles // count) for count in legal]
    contraction = np.repeat(np.asarray(legal, np.int64), most)
    return contraction, np.concatenate([np.arange(1, count + 1, dtype=np.int64) for count in most])


def _all_cycles(work: ArrayWork, pixels: Cells, outputs: Cells, contraction: Cells, machine: Machine) -> Cells:
    """`machine.cost.array_cycles` of every candidate; a test holds the two equal."""
    per_tile = _ceil(work.pixels, pixels)
    rounds = _ceil(work.outputs, outputs)
    blocks = _ceil(work.contraction, contraction)
    half = machine.accumulator_pixels // 2
    full, rest = per_tile // half, per_tile % half
    full_out = _ceil(half * machine.lanes, machine.output_bytes_per_tile) * contraction
    rest_out = _ceil(rest * machine.lanes, machine.output_bytes_per_tile) * contraction
    load = machine.weight_load_cycles
    stream = rounds * (
        full * np.maximum(blocks * max(half, load), full_out)
        + (rest > 0) * np.maximum(blocks * np.maximum(rest, load), rest_out)
    )
    leaving = np.where(rest > 0, rest_out, full_out)
    moved = _port_cycles(work, pixels, outputs, contraction, machine)
    return machine.fill_cycles + np.maximum(stream, moved) + leaving


def _port_cycles(work: ArrayWork, pixels: Cells, outputs: Cells, contraction: Cells, machine: Machine) -> Cells:
    """`machine.cost.array_traffic` and `machine.traffic.port_cycles` of every candidate."""
    lanes, per_quad = machine.lanes, machine.tiles_per_quad
    tiles = np.minimum(per_quad, pixels * outputs * contraction)
    per_tile, rounds = _ceil(work.pixels, pixels), _ceil(work.outputs, outputs)
    streamed = rounds * _ceil(work.contraction, contraction)
    passes = _ceil(per_tile, machine.accumulator_pixels // 2)
    along, across = _streams(
        pixels=pixels,
        outputs=outputs,
        contraction=contraction,
        tiles=tiles,
        pixel_cost=per_tile,
        weight_cost=lanes * passes,
    )
    inputs = np.minimum(along * per_tile * lanes * streamed, work.pixels * lanes * work.contraction * rounds)
    if work.reach is not None:
        buffered = _buffered_bytes(work.reach, along // contraction, contraction, per_tile, machine) * rounds
        inputs = np.where(buffered > 0, np.minimum(inputs, buffered), inputs)
    everything = passes * lanes * lanes * work.outputs * work.contraction
    weights = np.minimum(across * passes * lanes * lanes * streamed, everything)
    vectors = np.minimum(np.maximum(1, tiles // contraction) * per_tile * rounds, work.pixels * work.outputs)
    reads, results = inputs + weights + vectors * work.operand_bytes, vectors * lanes
    cycles = np.maximum(
        _ceil(reads, machine.sram_read_bytes_per_quad), _ceil(results, machine.sram_write_bytes_per_quad)
    )
    if machine.sram_port_bytes_per_quad:
        cycles = np.maximum(cycles, _ceil(reads + results, machine.sram_port_bytes_per_quad))
    if machine.sram_channel_bytes_per_kilocycle:
        widest = np.maximum(np.maximum(inputs, weights), vectors * max(lanes, work.operand_bytes))
        cycles = np.maximum(cycles, _ceil(widest * 1000, machine.sram_channel_bytes_per_kilocycle))
    return cycles


def _streams(
    pixels: Cells, outputs: Cells, contraction: Cells, tiles: Cells, pixel_cost: Cells, weight_cost: Cells
) -> tuple[Cells, Cells]:
    """Distinct (pixel, weight) streams in a quad, for the cheaper of two ways to lay the splits over its tiles."""
    rest = np.maximum(1, tiles // contraction)
    ways: list[tuple[Cells, Cells]] = []
    for first in (np.minimum(outputs, rest), np.maximum(1, rest // np.maximum(1, pixels))):
        across = np.minimum(first, outputs)
        ways.append((np.minimum(pixels, _ceil(rest, across)), across))
    costs = [along * pixel_cost + across * weight_cost for along, across in ways]
    second = costs[1] < costs[0]
    along, across = (np.where(second, late, early) for early, late in zip(*ways, strict=True))
    return along * contraction, across * contraction


def _buffered_bytes(reach: Reach, along: Cells, contraction: Cells, per_tile: Cells, machine: Machine) -> Cells:
    """`machine.traffic.buffered_bytes` of every candidate; few of them differ."""
    cases, which = np.unique(np.stack([along, contraction, per_tile], axis=1), axis=0, return_inverse=True)
    found = [buffered_bytes(reach, *case, machine) for case in _triples(cases)]
    return np.asarray(found, np.int64)[which.reshape(-1)]


def _triples(cases: Cells) -> list[tuple[int, int, int]]:
    return [(int(first), int(second), int(third)) for first, second, third in cases]


def _ceil(numerator: Cells | int, denominator: Cells | int) -> Cells:
    return -(-np.asarray(numerator, np.int64) // denominator)

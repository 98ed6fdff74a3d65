"""How a convolution block spreads over the tiles: exhaustive search against the cost model, cached per distinct work.

In: the block's work. Out: the cheapest `ArrayMapping`; ties go to the mapping with fewer contraction splits, then fewer
output splits.
"""

from __future__ import annotations

from functools import lru_cache

from sima_compiler.ir.program import ArrayMapping
from sima_compiler.machine.cost import ArrayWork, array_cycles
from sima_compiler.machine.description import Machine


@lru_cache(maxsize=65_536)
def best_mapping(work: ArrayWork, machine: Machine, quads: int) -> ArrayMapping:
    """The cheapest legal split of the tiles over pixels, output blocks and contraction blocks."""
    candidates = _candidates(work, machine, quads)
    return min(candidates, key=lambda m: (array_cycles(work, m, machine), m.contraction, m.outputs))


def _candidates(work: ArrayWork, machine: Machine, quads: int) -> list[ArrayMapping]:
    tiles = machine.tiles(quads)
    found: list[ArrayMapping] = []
    for contraction in range(1, min(machine.tile_row, work.contraction) + 1):
        if machine.tile_row % contraction:
            continue
        for outputs in range(1, min(work.outputs, tiles // contraction) + 1):
            pixels = min(tiles // (contraction * outputs), work.pixels)
            found.append(ArrayMapping(pixels, outputs, contraction))
    return found

"""The vectorised search over mappings is the cost model: every candidate's cycles, and the winner, are equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Machine
from sima_compiler.ir.program import ArrayMapping
from sima_compiler.machine.cost import ArrayWork, array_cycles
from sima_compiler.machine.traffic import Reach
from sima_compiler.stages.tiling.block.mapping import best_mapping

BENCH = Path(__file__).parents[1] / "benchmarks" / "machines" / "ethos_u85_2048.yaml"
SHARED = Path(__file__).parents[1] / "machine" / "shared_port.yaml"


@pytest.mark.parametrize("name", ["mlsoc", "tiny", str(BENCH), str(SHARED)])
def test_the_best_mapping_is_the_cheapest_by_the_cost_model(name: str) -> None:
    machine = Machine.load(name)
    random = np.random.default_rng(7)
    for _ in range(60):
        pixels = (1, 7, 49, 196, 3136, int(random.integers(1, 60_000)))[int(random.integers(6))]
        outputs, contraction = (int(size) for size in random.integers(1, 130, 2))
        work = ArrayWork(
            pixels, outputs, contraction, 16 * int(random.integers(2)), some_reach(pixels, random, machine)
        )
        quads = int(random.integers(1, machine.quads + 1))
        mappings = every_mapping(work, machine, quads)
        cheapest = min(
            mappings, key=lambda found: (array_cycles(work, found, machine), found.contraction, found.outputs)
        )
        assert best_mapping(work, machine, quads) == cheapest


def some_reach(pixels: int, random: np.random.Generator, machine: Machine) -> Reach | None:
    """Windows of one to four rows over maps of about that many pixels, in one or more samples."""
    if not machine.input_buffer_pixels_per_quad or random.integers(4) == 0:
        return None
    stride, span, columns = int(random.integers(1, 3)), int(random.integers(1, 5)), int(random.integers(1, 60))
    rows = max(1, pixels // columns // int(random.integers(1, 3)))
    samples = -(-pixels // (rows * columns))
    channels = (3, 16, 48)[int(random.integers(3))]
    return Reach(samples, rows * stride, columns * stride, rows, columns, stride, span, channels)


def every_mapping(work: ArrayWork, machine: Machine, quads: int) -> list[ArrayMapping]:
    tiles, found = machine.tiles(quads), list[ArrayMapping]()
    for contraction in (1, 2, 4):
        if contraction <= work.contraction and machine.tile_row % contraction == 0:
            for outputs in range(1, min(work.outputs, tiles // contraction) + 1):
                pixels = min(tiles // (contraction * outputs), work.pixels)
                found.append(ArrayMapping(pixels, outputs, contraction))
    return found

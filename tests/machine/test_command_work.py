"""What a command's cycles are spent on, worked by hand for a machine of round numbers."""

from __future__ import annotations

from sima_compiler import Machine
from sima_compiler.ir.program import ArrayMapping
from sima_compiler.machine.cost import ArrayWork, CommandWork, array_parts

TINY = Machine.load("tiny")


def test_one_pass_streams_and_then_drains() -> None:
    """As many pixels as half the accumulators hold, on one tile, 9 window cells: then as many vectors leave."""
    half = TINY.accumulator_pixels // 2
    work = array_parts(ArrayWork(pixels=half, outputs=1, contraction=9), ArrayMapping(1, 1), TINY)
    filling = TINY.fill_cycles + half
    assert work == CommandWork(array=9 * half, vector=0, filling=filling, draining=half, entering=9 * half)
    assert work.cycles == 10 * half + TINY.fill_cycles


def test_a_pass_leaves_behind_the_next_ones_stream() -> None:
    """Twice as many pixels: two passes, and only the last one's results are waited for."""
    half = TINY.accumulator_pixels // 2
    work = array_parts(ArrayWork(pixels=2 * half, outputs=1, contraction=9), ArrayMapping(1, 1), TINY)
    assert (work.array, work.vector, work.filling) == (2 * 9 * half, 0, TINY.fill_cycles + half)


def test_few_pixels_wait_for_their_weights_on_the_array() -> None:
    work = array_parts(ArrayWork(pixels=1, outputs=1, contraction=9), ArrayMapping(1, 1), TINY)
    assert work.array == 9 * TINY.weight_load_cycles

"""The listing's order: every command stands behind all that it waits for, and loads stand as early as they may."""

from __future__ import annotations

from collections import Counter

from sima_compiler.ir.program import Engine, Program
from sima_compiler.lm.listing import merged


def test_commands_stand_behind_what_they_wait_for(program: Program) -> None:
    done: Counter[Engine] = Counter()
    order = list(merged(program))
    assert len(order) == len(program.dma_in) + len(program.dma_out) + len(program.compute)
    for engine, number, command in order:
        assert number == done[engine]
        wait = command.wait
        assert wait.dma_in <= done[Engine.DMA_IN]
        assert wait.dma_out <= done[Engine.DMA_OUT]
        assert wait.compute <= done[Engine.COMPUTE]
        done[engine] += 1
    assert any(command.wait.compute == len(program.compute) for command in program.dma_out)  # else nothing is tried

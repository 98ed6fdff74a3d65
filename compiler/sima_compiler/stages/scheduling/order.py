"""One linear order of all commands, from which the order between engines follows.

Before: steps, loads with their earliest step, stores with their producing step. After: a list in which a load stands in
front of its earliest step and a store behind its producing step. Buffers live in that order without sharing a byte.
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.ir.program import Command, Engine
from sima_compiler.ir.tiles import Tiling


@dataclass(frozen=True, slots=True)
class Placed:
    """A command at its place: its engine and its index in that engine's stream."""

    engine: Engine
    index: int
    command: Command


def linear_order(tiling: Tiling) -> list[Placed]:
    """All commands, ordered; indexes count per engine."""
    keyed: list[tuple[tuple[int, int, int], Engine, Command]] = []
    for position, load in enumerate(tiling.loads):
        keyed.append(((load.earliest, 0, position), Engine.DMA_IN, load.command))
    for position, step in enumerate(tiling.steps):
        keyed.append(((position, 1, 0), Engine.COMPUTE, step))
    for position, store in enumerate(tiling.stores):
        keyed.append(((store.produced, 2, position), Engine.DMA_OUT, store.command))
    keyed.sort(key=lambda item: item[0])
    counts = dict.fromkeys(Engine, 0)
    placed: list[Placed] = []
    for _, engine, command in keyed:
        placed.append(Placed(engine, counts[engine], command))
        counts[engine] += 1
    return placed

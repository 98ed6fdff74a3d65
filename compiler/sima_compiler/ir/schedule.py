"""Level 5, the schedule: the program with its waits, and when the machine model says everything happens.

Times are cycles of one run of the whole batch, counted from the start of the segment; ends are exclusive here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sima_compiler.ir.program import Program


class Stall(StrEnum):
    """What a command waited for last, in the order in which reports list it."""

    WEIGHTS = "weights"
    INPUT = "input"
    OUTPUT = "output"
    INSTRUCTION = "instruction"
    DEPENDENCY = "dependency"


class Work(StrEnum):
    """What a cycle of the compute queue is spent on; START is starting, filling and draining."""

    ARRAY = "array"
    VECTOR = "vector"
    START = "start"


class BoundBy(StrEnum):
    """What a layer's runtime is made of, for the largest part; ties go in this order."""

    COMPUTE = "compute"
    WEIGHTS_DMA = "weights_dma"
    ACTIVATION_DMA = "activation_dma"
    LATENCY = "latency"


#: The stalls as reports, traces and archives name them.
STALLS = tuple(stall.value for stall in Stall)


@dataclass(frozen=True, slots=True)
class LayerTiming:
    """One layer's share of the run: ``sum(work) == compute`` and ``compute + sum(stalls) == runtime``.

    ``intervals`` are the true (start, end) spans of its compute commands, neighbours merged. Keys
    of ``stalls`` and ``work`` are the values of `Stall` and `Work`.
    """

    compute: int
    stalls: Mapping[str, int]
    macs: int
    weights_cycles: int
    activation_cycles: int
    bound_by: BoundBy
    intervals: tuple[tuple[int, int], ...]
    work: Mapping[str, int]

    @property
    def runtime(self) -> int:
        """Compute cycles and stalls."""
        return self.compute + sum(self.stalls.values())


@dataclass(frozen=True, slots=True)
class Schedule:
    """A program, its constants as DRAM holds them, and its predicted times per layer (in layer order)."""

    program: Program
    stored: tuple[bytes, ...]
    layers: tuple[LayerTiming, ...]
    runtime: int
    peak_on_chip: int

    @property
    def compute(self) -> int:
        """Compute cycles of all layers, without stalls."""
        return sum(layer.compute for layer in self.layers)

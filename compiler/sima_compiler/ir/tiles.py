"""Level 3, the tiled segment: every layer as blocks, with the transfers that feed them, before addresses and waits.

The *step* is the clock of this level: step k is the k-th compute command. A buffer lives from step ``first`` to step
``last``, both included. Commands are those of `ir.program`, with empty waits.

Level 4, the memory plan, gives every buffer an address; level 4b adds nothing but the addresses.
"""

from __future__ import annotations

from dataclasses import dataclass

from sima_compiler.ir.program import (
    BufferKind,
    ComputeCommand,
    Constants,
    DmaInCommand,
    DmaOutCommand,
    DramTensor,
    ProgramLayer,
)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """An on-chip buffer before it has an address. Steps are inclusive; ``bytes`` is a multiple of the lanes."""

    name: str
    kind: BufferKind
    bytes: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Load:
    """A transfer into a buffer. ``needed`` is the first step that uses it; ``earliest`` the step from which it may be
    in flight (equal to ``needed`` until prefetching moves it forward).
    """

    command: DmaInCommand
    needed: int
    earliest: int


@dataclass(frozen=True, slots=True)
class Store:
    """A transfer out of a buffer after the step that produces it."""

    command: DmaOutCommand
    produced: int


@dataclass(frozen=True, slots=True)
class Tiling:
    """One segment as steps. ``loads`` are in order of need, ``stores`` in order of production. ``fused`` are maps that
    exist only in stripes of a group of layers, rows of one carried over to the next.
    """

    segment: str
    batch: int
    layers: tuple[ProgramLayer, ...]
    steps: tuple[ComputeCommand, ...]
    loads: tuple[Load, ...]
    stores: tuple[Store, ...]
    buffers: tuple[Lifetime, ...]
    tensors: tuple[DramTensor, ...]
    constants: tuple[Constants, ...]
    spilled: tuple[str, ...]
    fused: tuple[str, ...] = ()

    @property
    def transfers(self) -> tuple[DmaInCommand | DmaOutCommand, ...]:
        """The commands of all loads, then of all stores."""
        return (*(load.command for load in self.loads), *(store.command for store in self.stores))


@dataclass(frozen=True, slots=True)
class Overflow:
    """A tiling that was not written, because it would spill maps that were to stay on chip.

    ``spilled`` are all maps that it spills, sorted by name, with the bytes of the whole batch; ``fuses``: layers were
    fused on the way, which kept others on chip.
    """

    spilled: tuple[tuple[str, int], ...]
    fuses: bool


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The tiling with an address for each of its buffers, in the same order.

    ``peak`` is the highest byte in use; no addresses have one below ``lower_bound``, the most bytes alive at one step.
    """

    tiling: Tiling
    addresses: tuple[int, ...]
    peak: int
    capacity: int
    lower_bound: int


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a plan does not fit, as data: the place, the demand against the limit, who contributes."""

    where: str
    demand: int
    limit: int
    contributors: tuple[tuple[str, int], ...]

    def sentence(self) -> str:
        """One line for people."""
        parts = ", ".join(f"{name} {size:,} bytes" for name, size in self.contributors[:4])
        return f"{self.where} needs {self.demand:,} bytes on chip where {self.limit:,} exist ({parts})"

"""What a block plan is, and the place of a layer for which one is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.layers import FeatureMap, Layer, Segment
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.contraction import Extent
from sima_compiler.stages.tiling.block.geometry import Region, splits

#: Blocks that a layer at the border of the network is cut into, to overlap its transfers with its compute.
BORDER_BLOCKS = 4
#: Whole numbers, one or an array of them.
Bytes = TypeVar("Bytes", int, npt.NDArray[np.int64])
#: Bytes of a load that nothing limits.
UNLIMITED = 1 << 62


def dma_cycles(size: Bytes, transfers: Bytes, machine: Machine) -> Bytes:
    """Estimated DMA time of so many bytes in so many transfers, of one layer or, as arrays, of many plans at once:
    bursts that are not full and two engines that wait for each other are left out.
    """
    return size // machine.dram_bytes_per_cycle + transfers * machine.dma_latency_cycles // machine.dma_outstanding


class LoopOrder(StrEnum):
    """Which loop is outermost, and so what is loaded once.

    STRIPES: all channel blocks of a stripe, then the next stripe; every parameter stays on chip, so all is loaded once.
    CHANNELS: all stripes of a channel block; parameters are loaded once, inputs again per channel block.
    RELOADED: as STRIPES, but parameters are loaded again per stripe and inputs once.
    """

    STRIPES = "stripes"
    CHANNELS = "channels"
    RELOADED = "reloaded"


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """Block sizes and the order of the loops over them; with an ``extent``, every block sums its window in parts of
    that size, and loads inputs and parameters for each part. Of a copy, the most bytes that one load of a source takes,
    and whether tables stay on chip from block to block.
    """

    samples: int
    rows: int
    columns: int
    channels: int
    order: LoopOrder = LoopOrder.STRIPES
    extent: Extent | None = None
    load_limit: int = UNLIMITED
    keeps_tables: bool = True

    def stripes(self, batch: int, target: FeatureMap) -> list[Region]:
        """The spatial blocks in order, over all channels."""
        parts = product(
            splits(batch, self.samples), splits(target.rows, self.rows), splits(target.columns, self.columns)
        )
        return [Region(samples, rows, columns, (0, target.channels)) for samples, rows, columns in parts]

    def blocks(self, batch: int, target: FeatureMap) -> Iterator[tuple[int, Region]]:
        """(stripe number, region) in execution order."""
        stripes = list(enumerate(self.stripes(batch, target)))
        chunks = splits(target.channels, self.channels)
        pairs = (
            ((stripe, chunk) for chunk in chunks for stripe in stripes)
            if self.order is LoopOrder.CHANNELS
            else ((stripe, chunk) for stripe in stripes for chunk in chunks)
        )
        for (number, stripe), chunk in pairs:
            yield number, Region(stripe.samples, stripe.rows, stripe.columns, chunk)


@dataclass(frozen=True, slots=True)
class LayerProblem:
    """A layer with what decides its blocks: which maps are spilled, the bytes that are free for it."""

    layer: Layer
    segment: Segment
    batch: int
    spilled: frozenset[str]
    free: int
    capacity: int
    machine: Machine
    quads: int

    @property
    def target(self) -> FeatureMap:
        """The output map."""
        return self.segment.maps[self.layer.output]

    @property
    def striped(self) -> bool:
        """True when any of the layer's maps lives in DRAM."""
        return any(name in self.spilled for name in (*self.layer.inputs, self.layer.output))

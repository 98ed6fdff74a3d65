"""What every command of a program names: when it may start, and which bytes it works on.

Units: commands for waits, bytes for offsets and strides. Every index is zero based.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wait:
    """Completed commands that each engine must count before this command starts."""

    dma_in: int = 0
    dma_out: int = 0
    compute: int = 0


@dataclass(frozen=True, slots=True)
class Operand:
    """A region of a feature map inside one on-chip buffer; channel stride is 1.

    ``padding`` counts the bytes after each pixel's last channel that a writer fills with the zero point.
    """

    buffer: int
    offset: int
    samples: int
    rows: int
    columns: int
    channels: int
    sample_stride: int
    row_stride: int
    pixel_stride: int
    padding: int = 0


@dataclass(frozen=True, slots=True)
class ArrayMapping:
    """How a block spreads over the tiles: splits of pixels, of output channels and of the contraction.

    ``folded`` says that the tiles' input lanes run over window columns x channels of a packed (HWC) row.
    """

    pixels: int
    outputs: int
    contraction: int = 1
    folded: bool = False

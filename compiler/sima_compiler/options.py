"""The records and enumerations that `Model.compile` takes besides plain numbers.

Names follow the vendor's API so that scripts can be kept; what has no public meaning is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class L2CachingMode(Enum):
    """Whether constants are kept in the L2 cache between runs."""

    NONE = "none"
    SINGLE_MODEL = "single_model"


class TensorDRAMLayout(Enum):
    """How a tensor's channels lie in DRAM: packed, or in blocks of 16."""

    HWC = "HWC"
    HWC16 = "HWC16"


@dataclass(frozen=True, slots=True)
class TensorTessellateParameters:
    """How one boundary tensor of the MLA is arranged in DRAM.

    ``tile_shape`` (0, 0, 0, 0) leaves the choice to the compiler; ``enable_mla`` lets the MLA read and write the layout
    itself, without a plugin in front.
    """

    tile_shape: tuple[int, int, int, int] = (0, 0, 0, 0)
    enable_mla: bool = True
    dram_layout: TensorDRAMLayout = TensorDRAMLayout.HWC

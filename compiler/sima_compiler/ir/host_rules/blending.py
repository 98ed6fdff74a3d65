"""What a linear Resize reads: for every place along an axis two places of the operand, and what each counts.

In: the `Use` of a Resize. Out: one `AxisBlend` per axis. Always: numpy and C read the same tables; their numbers
are float32, computed as onnxruntime does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.host_rules.movement import nearest_sizes
from sima_compiler.ir.host_rules.moves import Table, source_places, steps
from sima_compiler.ir.host_rules.use import Use

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class AxisBlend:
    """``near`` and ``far``: flat offsets into the operand; ``is_blended`` is False where the axis stays as it is."""

    near: Table
    far: Table
    near_weights: Weights
    far_weights: Weights
    is_blended: bool


def blends(use: Use) -> tuple[AxisBlend, ...]:
    """One per axis of the result."""
    shape = use.value(0).shape
    sizes, scales = nearest_sizes(use)
    return tuple(_blend(use, *axis) for axis in zip(shape, sizes, scales, steps(shape), strict=True))


def _blend(use: Use, size: int, wanted: int, scale: np.float32, step: int) -> AxisBlend:
    if size == wanted:
        places = np.arange(size, dtype=np.int64) * step
        return AxisBlend(places, places, np.ones(size, np.float32), np.zeros(size, np.float32), is_blended=False)
    found = np.clip(source_places(use, size, wanted, scale), np.float32(0), np.float32(size - 1))
    near = np.floor(found).astype(np.int64)
    far_weights = (found - near.astype(np.float32)).astype(np.float32)
    far = np.minimum(near + 1, size - 1)
    return AxisBlend(near * step, far * step, np.float32(1) - far_weights, far_weights, is_blended=True)

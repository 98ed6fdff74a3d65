"""Which cells of a window lie on the map, counted along each axis apart: windows are products of their axes.

In: a window, its source and target. Out: counts. A cell over padding reads no value and multiplies nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.layers import FeatureMap, Window

Counts = npt.NDArray[np.int64]


def window_cells(window: Window, source: FeatureMap, target: FeatureMap) -> tuple[Counts, Counts]:
    """Window rows on the map for every output row, and window columns for every output column."""
    return _inside(window, 0, target.rows, source.rows), _inside(window, 1, target.columns, source.columns)


def outputs_met(window: Window, source: FeatureMap, target: FeatureMap) -> tuple[Counts, Counts]:
    """Output rows that see each window row on the map, and output columns that see each window column."""
    return _met(window, 0, target.rows, source.rows), _met(window, 1, target.columns, source.columns)


def _met(window: Window, axis: int, outputs: int, size: int) -> Counts:
    first = np.arange(window.kernel[axis], dtype=np.int64) * window.dilations[axis] - window.pads[axis]
    stride = window.strides[axis]
    low, high = np.maximum(0, -(first // stride)), np.minimum(outputs - 1, (size - 1 - first) // stride)
    return np.maximum(0, high - low + 1)


def _inside(window: Window, axis: int, outputs: int, size: int) -> Counts:
    """How many cells of each output's window lie on the map along an axis."""
    starts = np.arange(outputs, dtype=np.int64) * window.strides[axis] - window.pads[axis]
    first = np.maximum(0, -(starts // window.dilations[axis]))
    last = np.minimum(window.kernel[axis], -((starts - size) // window.dilations[axis]))
    return np.maximum(0, last - first)


def cells_met(window: Window, axis: int, outputs: int, size: int) -> list[int]:
    """The window's cells along an axis that any output sees on the map."""
    found: list[int] = []
    for cell in range(window.kernel[axis]):
        start, stride = cell * window.dilations[axis] - window.pads[axis], window.strides[axis]
        first, last = max(0, -(start // stride)), min(outputs - 1, (size - 1 - start) // stride)
        if first <= last:
            found.append(cell)
    return found


def positions_touched(window: Window, axis: int, outputs: int, size: int) -> int:
    """How many rows (axis 0) or columns (axis 1) of a map its windows touch."""
    starts = range(-window.pads[axis], outputs * window.strides[axis] - window.pads[axis], window.strides[axis])
    steps = range(0, window.kernel[axis] * window.dilations[axis], window.dilations[axis])
    return len({start + step for start in starts for step in steps if 0 <= start + step < size})

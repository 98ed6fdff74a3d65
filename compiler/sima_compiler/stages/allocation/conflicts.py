"""Which buffers live at the same time.

In: buffers. Out: for each one, the others that share at least one moment with it. Always holds: the relation is
symmetric, and neighbours stand in ascending order. Work: n log n plus the number of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sima_compiler.stages.allocation.problem import Buffer

Neighbours = tuple[tuple[int, ...], ...]


def pairs_of(buffers: Sequence[Buffer]) -> int:
    """How many pairs of buffers live at the same time."""
    lower = np.sort(np.array([buffer.lower for buffer in buffers], np.int64))
    upper = np.sort(np.array([buffer.upper for buffer in buffers], np.int64))
    ended = np.searchsorted(upper, lower, side="right")
    return int((np.arange(len(buffers)) - ended).sum())


def neighbours_of(buffers: Sequence[Buffer]) -> Neighbours:
    """Indices of the buffers that live together with each buffer, itself excluded."""
    count = len(buffers)
    lower = np.array([buffer.lower for buffer in buffers], np.int64)
    upper = np.array([buffer.upper for buffer in buffers], np.int64)
    by_start = np.argsort(lower, kind="stable")
    later = np.searchsorted(lower[by_start], upper[by_start], side="left") - np.arange(1, count + 1)
    early = np.repeat(np.arange(count), later)
    steps = np.arange(early.size) - np.repeat(np.cumsum(later) - later, later)
    one, other = by_start[early], by_start[early + 1 + steps]
    source, target = np.concatenate((one, other)), np.concatenate((other, one))
    grouped = np.lexsort((target, source))
    ends = np.searchsorted(source[grouped], np.arange(count + 1))
    listed: list[int] = target[grouped].tolist()
    return tuple(tuple(listed[ends[index] : ends[index + 1]]) for index in range(count))

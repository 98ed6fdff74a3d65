"""Greedy first-fit placement of lifetimes, and the lower bound that no placement beats."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sima_compiler.ir.tiles import Lifetime


def lower_bound(buffers: Sequence[Lifetime]) -> int:
    """Largest sum of bytes that live at one step."""
    if not buffers:
        return 0
    delta = np.zeros(max(buffer.last for buffer in buffers) + 2, np.int64)
    for buffer in buffers:
        delta[buffer.first] += buffer.bytes
        delta[buffer.last + 1] -= buffer.bytes
    return int(np.cumsum(delta).max())


def first_fit(buffers: Sequence[Lifetime], order: Callable[[Lifetime], tuple[int, ...]]) -> tuple[int, ...]:
    """Places buffers in the given order, each at the lowest address where nothing alive at the same time lies."""
    firsts = np.array([buffer.first for buffer in buffers], np.int64)
    lasts = np.array([buffer.last for buffer in buffers], np.int64)
    sizes = np.array([buffer.bytes for buffer in buffers], np.int64)
    addresses = np.full(len(buffers), -1, np.int64)
    placed = np.zeros(len(buffers), bool)
    for index in sorted(range(len(buffers)), key=lambda i: (order(buffers[i]), buffers[i].name)):
        meets = placed & (firsts <= lasts[index]) & (lasts >= firsts[index])
        addresses[index] = _lowest_gap(addresses[meets], sizes[meets], int(sizes[index]))
        placed[index] = True
    return tuple(int(address) for address in addresses)


def _lowest_gap(addresses: np.ndarray, sizes: np.ndarray, wanted: int) -> int:
    if not addresses.size:
        return 0
    order = np.argsort(addresses, kind="stable")
    starts = addresses[order]
    ends = np.maximum.accumulate(starts + sizes[order])
    gap_starts = np.concatenate(([0], ends))
    gap_ends = np.concatenate((starts, [np.iinfo(np.int64).max]))
    fits = np.flatnonzero(gap_ends - gap_starts >= wanted)
    return int(gap_starts[fits[0]])

"""Orders in which buffers are worth placing.

In: buffers. Out: orders, each a permutation of their indices; ties go to the buffer that comes first. Size, life,
area and start are the classic ones. The *contended* ones start with the buffers that live when most bytes live, so that
these, which leave no room for gaps, are stacked without any; sorted by the end of their lives, what a crowd leaves
behind is one piece.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from sima_compiler.stages.allocation.problem import Buffer

Order = tuple[int, ...]
_Key = Callable[[int], tuple[int, ...]]


def greedy_orders(buffers: Sequence[Buffer]) -> Iterator[Order]:
    """One order after the other, most promising first; each is worked out when it is asked for."""
    lives = [buffer.upper - buffer.lower for buffer in buffers]
    sizes = [buffer.size for buffer in buffers]
    crowds = contention(buffers)
    keys: tuple[_Key, ...] = (
        lambda i: (-crowds[i], -buffers[i].upper, -sizes[i]),  # contended, last end first
        lambda i: (-sizes[i], -lives[i]),  # size
        lambda i: (-lives[i], -sizes[i]),  # life
        lambda i: (-lives[i] * sizes[i],),  # area
        lambda i: (buffers[i].lower, -sizes[i]),  # start
        lambda i: (-crowds[i], buffers[i].upper, -sizes[i]),  # contended, first end first
        lambda i: (-crowds[i], -lives[i] * sizes[i]),  # contended, area
    )
    for key in keys:
        yield tuple(sorted(range(len(buffers)), key=key))


def contention(buffers: Sequence[Buffer]) -> list[int]:
    """For each buffer, the largest sum of bytes that live at one moment of its life."""
    times = sorted({buffer.lower for buffer in buffers})
    changes = [0] * (len(times) + 1)
    spans = [(bisect_left(times, buffer.lower), bisect_left(times, buffer.upper)) for buffer in buffers]
    for buffer, (first, end) in zip(buffers, spans, strict=True):
        changes[first] += buffer.size
        changes[end] -= buffer.size
    live: list[int] = []
    for change in changes[:-1]:
        live.append((live[-1] if live else 0) + change)
    return _range_maxima(live, spans)


def _range_maxima(values: list[int], spans: Sequence[tuple[int, int]]) -> list[int]:
    """The maximum of each half-open span, from maxima over powers of two."""
    levels = [values]
    width = 1
    while 2 * width <= len(values):
        below = levels[-1]
        levels.append([max(below[i], below[i + width]) for i in range(len(below) - width)])
        width *= 2
    found: list[int] = []
    for first, end in spans:
        level = (end - first).bit_length() - 1
        found.append(max(levels[level][first], levels[level][end - (1 << level)]))
    return found

"""Allocate: every buffer gets an address, so that buffers alive at the same step never share a byte.

Before: sizes and lifetimes in steps. After: addresses, at multiples of the lanes. Several greedy first-fit orders are
tried and the lowest peak wins; ties go to the order named first. Checks: `ir.verify` compares every overlapping pair
again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sima_compiler.ir.tiles import Lifetime, MemoryPlan, Misfit, Tiling
from sima_compiler.stages.allocation.greedy import first_fit, lower_bound

Order = Callable[[Lifetime], tuple[int, ...]]

#: Orders in which buffers are placed, by (bytes, lifetime, start).
ORDERS: tuple[Order, ...] = (
    lambda buffer: (-buffer.bytes, -(buffer.last - buffer.first)),
    lambda buffer: (-(buffer.last - buffer.first), -buffer.bytes),
    lambda buffer: (-(buffer.last - buffer.first + 1) * buffer.bytes,),
    lambda buffer: (buffer.first, -buffer.bytes),
)


def allocate(tiling: Tiling, capacity: int) -> MemoryPlan | Misfit:
    """Addresses for a tiling's buffers within ``capacity`` bytes.

    Returns:
        The plan, or a `Misfit` that names the step with the largest demand.
    """
    best: tuple[int, tuple[int, ...]] | None = None
    least = lower_bound(tiling.buffers)
    for order in ORDERS:
        addresses = first_fit(tiling.buffers, order)
        peak = max((a + b.bytes for a, b in zip(addresses, tiling.buffers, strict=True)), default=0)
        if best is None or peak < best[0]:
            best = (peak, addresses)
        if peak == least:
            break
    if best is None or best[0] > capacity:
        return _misfit(tiling, best[0] if best else 0, capacity)
    return MemoryPlan(tiling, best[1], best[0], capacity)


def _misfit(tiling: Tiling, peak: int, capacity: int) -> Misfit:
    step = _busiest_step(tiling.buffers)
    live = sorted((b for b in tiling.buffers if b.first <= step <= b.last), key=lambda b: (-b.bytes, b.name))
    layer = tiling.layers[tiling.steps[step].layer].name
    return Misfit(layer, peak, capacity, tuple((b.name, b.bytes) for b in live), ("use more quads",))


def _busiest_step(buffers: Sequence[Lifetime]) -> int:
    changes: dict[int, int] = {}
    for buffer in buffers:
        changes[buffer.first] = changes.get(buffer.first, 0) + buffer.bytes
        changes[buffer.last + 1] = changes.get(buffer.last + 1, 0) - buffer.bytes
    live = most = where = 0
    for step in sorted(changes):
        live += changes[step]
        if live > most:
            most, where = live, step
    return where

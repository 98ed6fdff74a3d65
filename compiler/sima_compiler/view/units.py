"""Numbers as people read them: counts with separators, sizes, times and shares, always with the unit beside them.

In: plain numbers. Out: short text. Every form takes its numbers from here, so that no number is written two ways; the
browser's code does the same sums and is held to the same committed cases. JSON names say ``us`` where pages say ``µs``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sima_compiler.archive.tree import human_size

#: What stands where a number is not recorded.
NOT_RECORDED = "–"


def count(value: float) -> str:
    """A whole number with thousands separators: ``1,234,567``."""
    return f"{round(value):,}"


def size(value: int) -> str:
    """Bytes with a binary unit: ``512 bytes``, ``1.5 KiB``, ``24.4 MiB``."""
    return human_size(value)


def latency_us(cycles: float, clock_mhz: float) -> float:
    """Microseconds that ``cycles`` take."""
    return cycles / clock_mhz


def duration(cycles: float, clock_mhz: float) -> str:
    """The time that ``cycles`` take at ``clock_mhz``: ``7.94 µs``, ``3.21 ms``."""
    microseconds = latency_us(cycles, clock_mhz)
    for limit, factor, unit in ((1000, 1, "µs"), (1_000_000, 1000, "ms")):
        if round(microseconds / factor, 2) < 1000 and microseconds < limit:
            return f"{microseconds / factor:.2f} {unit}"
    return f"{microseconds / 1_000_000:.2f} s"


def rate(samples: int, cycles: int, clock_mhz: float) -> float:
    """Samples per second when ``samples`` take ``cycles``; 0 when no cycles are known."""
    return samples * clock_mhz * 1e6 / cycles if cycles else 0.0


def short_rate(value: float) -> str:
    """A rate with three significant digits or whole: ``3,388``, ``12.4``, ``0.85``."""
    if value >= 99.95:
        return count(value)
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def percent(share: float) -> str:
    """A share of one as percent with one decimal: ``84.1 %``."""
    return f"{100 * share:.1f} %"


def signed(change: float) -> str:
    """A change with its sign: ``+1,234``, a minus sign where it sank, ``0``."""
    return f"{_sign(change)}{count(abs(change))}" if round(change) else "0"


def change(before: float | None, after: float | None) -> str:
    """A change as a share of what was: ``+5.1 %``; empty where that says nothing."""
    if not before or after is None or after == before:
        return ""
    return f"{_sign(after - before)}{percent(abs(after - before) / before)}"


def points(before: float | None, after: float | None) -> str:
    """The change of a share, ``+1.2 points``: a percentage of a percentage misleads."""
    if before is None or after is None or after == before:
        return ""
    return f"{_sign(after - before)}{abs(100 * (after - before)):.1f} points"


def _sign(change: float) -> str:
    return "+" if change > 0 else "\N{MINUS SIGN}"


def short_count(value: float) -> str:
    """A count for an axis: ``850``, ``20k``, ``1.5M``."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.2f}".rstrip("0").rstrip(".") + unit
    return f"{round(value)}"


def clock(mhz: float) -> str:
    """A clock: ``1,000 MHz``, ``1,333.5 MHz``."""
    return f"{mhz:,.10g} MHz"


def percents(parts: Sequence[int]) -> list[str]:
    """Shares of the whole whose printed tenths sum up to 100.0 %, each at most one tenth from its own.

    Every part is cut to tenths, and those that lost most get the tenths that are missing.
    """
    whole = sum(parts)
    tenths = [1000 * part // whole for part in parts] if whole else [0] * len(parts)
    lost = sorted(range(len(parts)), key=lambda place: -(1000 * parts[place] % whole if whole else 0))
    for place in lost[: 1000 - sum(tenths)] if whole else ():
        tenths[place] += 1
    return [percent(tenth / 1000) for tenth in tenths]


def ticks(limit: int, wanted: int = 6) -> tuple[int, ...]:
    """About ``wanted`` round positions from 0 to at most ``limit``, 1, 2 or 5 times a power of ten apart."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if limit <= step * factor * wanted:
                return tuple(range(0, limit + 1, step * factor))
        step *= 10

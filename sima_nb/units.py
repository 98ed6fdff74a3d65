"""Numbers as people read them: counts with separators, sizes, times and shares, always with the unit beside them.

In: plain numbers. Out: short text. Every view, HTML and text, takes its numbers from here, so that they agree.
"""

from __future__ import annotations


def count(value: float) -> str:
    """A whole number with thousands separators: ``1,234,567``."""
    return f"{round(value):,}"


def size(value: int) -> str:
    """Bytes with a binary unit: ``512 bytes``, ``1.5 KiB``, ``24.4 MiB``."""
    if value < 1024:
        return f"{value} bytes"
    scaled, unit = value / 1024, "KiB"
    for larger in ("MiB", "GiB"):
        if scaled < 1024:
            break
        scaled, unit = scaled / 1024, larger
    return f"{scaled:.1f} {unit}"


def duration(cycles: float, clock_mhz: float) -> str:
    """The time that ``cycles`` take at ``clock_mhz``: ``7.94 us``, ``3.21 ms``."""
    microseconds = cycles / clock_mhz
    if microseconds < 1000:
        return f"{microseconds:.2f} us"
    if microseconds < 1_000_000:
        return f"{microseconds / 1000:.2f} ms"
    return f"{microseconds / 1_000_000:.2f} s"


def rate(samples: int, cycles: int, clock_mhz: float) -> float:
    """Samples per second when ``samples`` take ``cycles``; 0 when no cycles are known."""
    return samples * clock_mhz * 1e6 / cycles if cycles else 0.0


def short_rate(value: float) -> str:
    """A rate with three significant digits or whole: ``3,388``, ``12.4``, ``0.85``."""
    if value >= 100:
        return count(value)
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def percent(share: float) -> str:
    """A share of one as percent with one decimal: ``84.1 %``."""
    return f"{100 * share:.1f} %"


def short_count(value: float) -> str:
    """A count for an axis: ``850``, ``20k``, ``1.5M``."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.2f}".rstrip("0").rstrip(".") + unit
    return f"{round(value)}"


def ticks(limit: int, wanted: int = 6) -> tuple[int, ...]:
    """About ``wanted`` round positions from 0 to at most ``limit``, 1, 2 or 5 times a power of ten apart."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if limit <= step * factor * wanted:
                return tuple(range(0, limit + 1, step * factor))
        step *= 10

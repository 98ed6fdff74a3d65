"""How long a statistics file takes to open in the explorer, beside reading it alone.

In: how many layers. Out: seconds of `MlaStats.read` and of `StatsExplorer`, on the same file in one run. The explorer
reads the file itself, so a ratio of 1 would be reading and nothing else.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path

from sima_compiler import MlaStats
from sima_nb import StatsExplorer

LAYERS = 1_000_000
#: Of reading alone.
MOST_OF_READING = 5.0


def stats_file(folder: Path, layers: int) -> Path:
    """A file of so many layers, as the compiler writes them."""
    path = folder / "large_stage1_mla_stats.yaml"
    with path.open("w", encoding="utf-8") as file:
        for layer in range(layers):
            start = 10 * layer
            name = f"MLA_0/conv2d_add_relu_{layer}"
            file.write(f"{layer + 1}:\n  name: {name}\n  start_cycle: {start}\n  end_cycle: {start + 9}\n")
    return path


def opening_times(path: Path, rounds: int = 1) -> tuple[float, float]:
    """Milliseconds of the explorer and of reading alone, each the best of some rounds that take turns."""
    pairs = [
        (_milliseconds(lambda: _explored(path)), _milliseconds(lambda: MlaStats.read(path))) for _ in range(rounds)
    ]
    return min(ours for ours, _ in pairs), min(theirs for _, theirs in pairs)


def _explored(path: Path) -> None:
    StatsExplorer(path).close()


def _milliseconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)

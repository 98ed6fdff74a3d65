"""Opening a large statistics file in the explorer stays close to reading it; `make bench-ui` does it with a million."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.opening import MOST_OF_READING, opening_times, stats_file


def test_the_explorer_opens_in_a_few_times_of_reading(tmp_path: Path) -> None:
    path = stats_file(tmp_path, 20_000)
    opening_times(path)  # what is loaded on first use is not the file's fault
    ours, alone = opening_times(path, rounds=3)
    assert ours <= MOST_OF_READING * alone

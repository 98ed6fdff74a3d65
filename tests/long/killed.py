"""Kills, SIGTERMs and pairs at one target, at random moments.

``python -m tests.long.killed [--count N] [--first SEED]``: ``--count`` of each signal, spread over ``simac compile``,
``quantize`` and ``compile --html``; 20 pairs. What must hold is in tests/support/killing.py. The counts go into
tests/long/results.md.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from tests.long.sections import write_section
from tests.support.forking import Forks
from tests.support.killing import KINDS, Ground, Trial

COUNT, PAIRS = 102, 20
NEWLINE = "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    trials: dict[str, list[Trial]] = {}
    with tempfile.TemporaryDirectory() as folder, Forks() as forks:
        ground = Ground(Path(folder), forks)
        ground.prepare()
        for number in (signal.SIGKILL, signal.SIGTERM):
            trials[number.name] = [
                ground.end(KINDS[seed % len(KINDS)], number, np.random.default_rng([number, seed]))
                for seed in range(options.first, options.first + options.count)
            ]
        for seed in range(PAIRS):
            ground.pair(np.random.default_rng(seed))
    write_section(report(trials, options.first))


def report(trials: dict[str, list[Trial]], first: int) -> str:
    """The section of the results page."""
    rows = [
        f"| {name} | {kind} | {len(mine)} | {_codes(mine)} | {sum(bool(trial.left) for trial in mine)} |"
        for name, found in trials.items()
        for kind in KINDS
        for mine in [[trial for trial in found if trial.kind == kind]]
    ]
    return f"""# Ended from outside

`python -m tests.long.killed`, seeds from {first}: a command is ended at a random moment, half of them while it
writes, and then run to its end. None left anything half-written, nor anything behind the next run.

| Signal | Command | Times | Exit codes | Left something to the next run |
|---|---|---|---|---|
{NEWLINE.join(rows)}

{PAIRS} pairs of compiles to one target at once: both ended with 0 each time, and left one whole archive.
An exit code below 0 is the signal itself; 0: the command was done before the signal came.
"""


def _codes(trials: list[Trial]) -> str:
    return ", ".join(f"{code}: {count}" for code, count in sorted(Counter(trial.code for trial in trials).items()))


if __name__ == "__main__":
    main()

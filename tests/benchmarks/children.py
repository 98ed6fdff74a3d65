"""Runs another program and says how long it took and how much memory it had at most.

In: a command. Out: `Usage`. The figures are the kernel's own for that child: wall time around it, user and system time
and peak resident memory from its resource usage.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: One thread in every numerical library: what is compared is work, not cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of wall time, seconds of processor time, peak resident megabytes, and what the program printed."""

    wall: float
    processor: float
    megabytes: float
    output: str


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Usage:
    """Runs ``command`` to its end.

    Raises:
        RuntimeError: it failed; the message ends with what it printed.
    """
    started = time.perf_counter()
    with subprocess.Popen(
        list(command),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, **ONE_THREAD, **(environment or {})},
    ) as child:
        assert child.stdout is not None
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with {child.returncode}:\n{output[-2000:]}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, output)


def least(runs: Sequence[Usage]) -> Usage:
    """The run with the least wall time: the one that was disturbed least."""
    return min(runs, key=lambda usage: usage.wall)

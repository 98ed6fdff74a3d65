"""Runs another program and says how long it took and how much memory it had at most.

In: a command. Out: `Usage`. The figures are the kernel's own for that child: wall time around it, user and system time
and peak resident memory from its resource usage. A small starter stands in between, because a child inherits the peak
of the process that it was forked from.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: One thread in every numerical library: what is compared is work, not cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
#: Runs its arguments, what they print going to stderr; prints exit code, seconds, processor seconds and peak memory.
STARTER = """
import os, sys, time
started = time.perf_counter()
child = os.fork()
if not child:
    os.dup2(2, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - started
print(os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


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
    started = subprocess.run(
        [sys.executable, "-I", "-S", "-c", STARTER, *command],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **ONE_THREAD, **(environment or {})},
        check=True,
    )
    code, wall, processor, memory = started.stdout.splitlines()[-1].split()
    if int(code):
        raise RuntimeError(f"{' '.join(command)} failed with {code}:\n{started.stderr[-2000:]}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Usage(float(wall), float(processor), int(memory) / unit, started.stderr)


def least(runs: Sequence[Usage]) -> Usage:
    """The run with the least wall time: the one that was disturbed least."""
    return min(runs, key=lambda usage: usage.wall)

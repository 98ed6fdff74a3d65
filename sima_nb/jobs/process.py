"""A process for one task, as seen by the server: started, listened to, killed.

In: a task (see `child`). Out: its words of progress while it runs, and how it ended. Always holds: whoever stops
waiting (`asyncio.CancelledError`) kills the process, and whatever it started with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

#: A line that the child may write: a result with thousands of warnings, an error that quotes names of 5,000 characters.
_LONGEST_LINE = 16 << 20
Ended = Mapping[str, Any]


async def run_task(
    task: str,
    arguments: Sequence[str],
    *,
    output: str = "",
    log: Path | None = None,
    started: Callable[[int], None] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Ended:
    """Run a task to its end: ``{"result"}`` or ``{"error": {"type", "message", "hint"}}``.

    ``log`` takes what the process writes to stderr, ``started`` its number, ``progress`` stage, done and total.

    Raises:
        asyncio.CancelledError: after the process was killed.
    """
    child = await _started(log)
    try:
        if started is not None:
            started(child.pid)
        return await _listened(child, {"task": task, "arguments": list(arguments), "output": output}, progress)
    finally:
        await _end(child)


async def _started(log: Path | None) -> asyncio.subprocess.Process:
    """The process, in a group of its own; a log that cannot be written is left out."""
    with contextlib.ExitStack() as stack:
        stderr: Any = subprocess.DEVNULL
        if log is not None:
            with contextlib.suppress(OSError):
                stderr = stack.enter_context(log.open("wb"))
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "sima_nb.jobs.child", str(os.getpid())),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            limit=_LONGEST_LINE,
        )


async def _listened(
    child: asyncio.subprocess.Process, task: Mapping[str, Any], progress: Callable[[str, int, int], None] | None
) -> Ended:
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(ConnectionError):
        child.stdin.write(json.dumps(task).encode("utf-8") + b"\n")
        await child.stdin.drain()
    async for line in child.stdout:
        word = json.loads(line)
        if "progress" not in word:
            return word
        if progress is not None:
            progress(*word["progress"])
    return {"error": _crashed(await child.wait())}


def _crashed(code: int) -> dict[str, str]:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    # Windows knows no signals: there a process that was ended from outside has an exit code like any other.
    is_killed = hasattr(signal, "SIGKILL") and code == -signal.SIGKILL
    hint = "memory may have run out: try a smaller batch" if is_killed else "its log may say why"
    return {"type": "Crashed", "message": f"the process ended with {how} and left nothing behind", "hint": hint}


async def _end(child: asyncio.subprocess.Process) -> None:
    """Kill what is left: the pipe to the process closes, so one that is slow to end learns that nobody waits."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL) if hasattr(os, "killpg") else child.kill()
    if child.stdin is not None:
        child.stdin.close()
    await child.wait()

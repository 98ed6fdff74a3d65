"""``simac`` in processes that start in no time: a parent that has imported everything forks one for each command.

In: lines of JSON on stdin, ``{"words", "folder"}``. Out: per line the number of a process, then of each one that ended
``[number, exit code]``, negative for a signal. What a command prints goes to ``<folder>/said``. The moments of its life
are then those of its work and not of Python's imports.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self


class Forks:
    """The parent, and what is known of its children."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forking"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        self._ended: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_ended: object) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)

    def start(self, words: Sequence[str | Path], folder: Path) -> int:
        """A command on its way; ``folder`` takes what it prints and its temporaries (``tmp``)."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps({"words": [str(word) for word in words], "folder": str(folder)}) + "\n")
        stdin.flush()
        return int(self._answer("started"))

    def wait(self, number: int) -> int:
        """How a process ended: its exit code, or the signal as a negative number."""
        while number not in self._ended:
            self._answer("")
        return self._ended.pop(number)

    def _answer(self, kind: str) -> Any:
        stdout = self._process.stdout
        assert stdout is not None
        while True:
            word = json.loads(stdout.readline())
            if "ended" in word:
                number, code = word["ended"]
                self._ended[number] = code
                if not kind:
                    return None
            else:
                return word[kind]


def main() -> None:
    """The parent."""
    import numpy as np  # noqa: F401 - imported once for all children
    import onnxruntime
    import onnxruntime.quantization  # noqa: F401

    import sima_compiler.cli.dispatch as cli
    import sima_compiler.frontend.quantize
    import sima_compiler.model
    import sima_compiler.simulation
    import sima_compiler.view.page  # noqa: F401

    cli.build_parser()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    waiting = b""
    while True:
        for key, _ in selector.select():
            if key.fd == woken:
                os.read(woken, 4096)
                _reap()
                continue
            piece = os.read(0, 65536)
            if not piece:
                return
            waiting += piece
            *lines, waiting = waiting.split(b"\n")
            for line in lines:
                _say({"started": _fork(json.loads(line))})


def _reap() -> None:
    while True:
        try:
            number, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not number:
            return
        _say({"ended": [number, os.waitstatus_to_exitcode(status)]})


def _say(word: dict[str, Any]) -> None:
    os.write(1, json.dumps(word).encode() + b"\n")


def _fork(task: dict[str, Any]) -> int:
    number = os.fork()
    if number:
        return number
    code = 99
    try:
        code = _child(task)
    finally:
        os._exit(code)


def _child(task: dict[str, Any]) -> int:
    from sima_compiler.cli import main as simac

    signal.set_wakeup_fd(-1)
    for name in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    folder = Path(task["folder"])
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
    said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    try:
        return simac(task["words"])
    except SystemExit as end:
        return int(end.code or 0)


if __name__ == "__main__":
    main()

"""Commands that are ended from outside at random moments, and what must be true of what they leave.

In: a kind of command, a signal, a seeded generator. Out: a `Trial`, or an assertion that fails. A command replaces an
older file of its own, so that both "old and whole" and "new and whole" can be told from anything else.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.support.forking import Forks
from tests.support.small_models import small_float_model, write_small_model

KINDS = ("compile", "quantize", "html")
#: Exit codes after SIGTERM: interrupted, or done before it came; the system's own end before and behind the work.
AFTER_SIGTERM = {143, 0, -signal.SIGTERM}
#: Half of the signals come when the first file of the result is being written.
AIMED = 0.5
#: Seconds that writing takes, about.
WRITING = 0.004


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one command: ``code`` as by `Forks.wait`; ``left``: names that waited for the next run."""

    kind: str
    code: int
    left: tuple[str, ...]


@dataclass(slots=True)
class Ground:
    """A folder with models, the files that each command may leave, and how long it takes."""

    folder: Path
    forks: Forks
    whole: dict[str, tuple[dict[str, bytes], dict[str, bytes]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def prepare(self) -> None:
        """Write the models; run each command in both of its forms to its end."""
        import onnx

        self.folder.mkdir(exist_ok=True)
        write_small_model(self.folder)
        onnx.save(small_float_model(), self.folder / "float.onnx")
        for kind in KINDS:
            old = self._run_to_end(kind, old=True)
            started = time.monotonic()
            new = self._run_to_end(kind, old=False)
            self.seconds[kind] = time.monotonic() - started
            self.whole[kind] = (old, new)

    def words(self, kind: str, *, old: bool) -> list[str | Path]:
        """The command; its two forms write the same names with other contents."""
        out = self.folder / kind / "out"
        if kind == "quantize":
            samples = "1" if old else "2"
            return ["quantize", self.folder / "float.onnx", "--calibration-random", samples, "-o", out]
        page = ["--html", out / "page.html"] if kind == "html" else []
        return ["compile", self.folder / "small.onnx", "--batch-size", "1" if old else "3", "-o", out, *page]

    def end(self, kind: str, number: signal.Signals, random: np.random.Generator) -> Trial:
        """Start the command over an older result, end it, look; run it again to its end, look again."""
        out = self._fresh(kind)
        old, new = self.whole[kind]
        for name, data in old.items():
            (out / name).write_bytes(data)
        process = self.forks.start(self.words(kind, old=False), self.folder / kind)
        self._wait(kind, random)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
        code = self.forks.wait(process)
        left = self._judged(kind, code, number, old, new)
        assert self._run_to_end(kind, old=False, keep=True) == new
        return Trial(kind, code, left)

    def pair(self, random: np.random.Generator) -> None:
        """Two compiles to one target at once: both end, and one whole archive is there."""
        out = self._fresh("compile")
        out.rmdir()
        (self.folder / "second").mkdir(exist_ok=True)
        folders = (self.folder / "compile", self.folder / "second")
        (folders[1] / "tmp").mkdir(exist_ok=True)
        started = [
            self.forks.start(self.words("compile", old=old), folder)
            for old, folder in zip(random.permutation([True, False]), folders, strict=True)
        ]
        codes = [self.forks.wait(process) for process in started]
        said = [(folder / "said").read_text() for folder in folders]
        assert codes == [0, 0], said
        assert _files(out) in self.whole["compile"], [*_files(out)]

    def _wait(self, kind: str, random: np.random.Generator) -> None:
        """Until a random moment of the work, or of the writing."""
        if random.random() < AIMED:
            ends = time.monotonic() + 2 * self.seconds[kind]
            out = self.folder / kind / "out"
            while not any(path.name.startswith(".") for path in out.iterdir()) and time.monotonic() < ends:
                time.sleep(0.0002)
            time.sleep(random.uniform(0, WRITING))
        else:
            time.sleep(random.uniform(0, 1.1 * self.seconds[kind]))

    def _judged(
        self, kind: str, code: int, number: signal.Signals, old: dict[str, bytes], new: dict[str, bytes]
    ) -> tuple[str, ...]:
        """Names that are left to the next run."""
        folder = self.folder / kind
        found = _files(folder / "out")
        for name, data in new.items():
            assert found.pop(name) in (old[name], data), f"{kind}: {name} is half-written"
        temporaries = [*found, *(path.name for path in (folder / "tmp").iterdir())]
        if number is signal.SIGTERM:
            said = (folder / "said").read_text()
            assert code in AFTER_SIGTERM, (kind, code, said)
            assert "Traceback" not in said, said
            assert code == -number or not temporaries, (kind, code, temporaries)
        assert all(name.endswith(".sima-part") or name.startswith("sima-") for name in temporaries), temporaries
        return tuple(temporaries)

    def _fresh(self, kind: str) -> Path:
        folder = self.folder / kind
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("out", "tmp"):
            (folder / name).mkdir(parents=True)
        return folder / "out"

    def _run_to_end(self, kind: str, *, old: bool, keep: bool = False) -> dict[str, bytes]:
        """What the command leaves, its folder for temporaries included, which must be empty."""
        out = self.folder / kind / "out" if keep else self._fresh(kind)
        folder = self.folder / kind
        code = self.forks.wait(self.forks.start(self.words(kind, old=old), folder))
        assert code == 0, (folder / "said").read_text()
        assert [path.name for path in (folder / "tmp").iterdir()] == []
        return _files(out)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

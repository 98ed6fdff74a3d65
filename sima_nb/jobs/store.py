"""Jobs on disk: what is left of them when their server is gone.

In: a folder. Out: records and log files. Always holds: a record is written whole or not at all; jobs of a server that
has died are found by its lock, which the system takes away with it, and become *interrupted*.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from sima_compiler import OutputError, write_whole
from sima_nb.jobs.locks import held, is_held
from sima_nb.jobs.records import Job, State

_LOG = logging.getLogger("sima_nb")
#: What a reader gets of a log at once.
LOG_PIECE = 256 * 1024


class JobStore:
    """The jobs of one served folder; ``session`` names this server among others that serve it too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.session = secrets.token_hex(8)
        self._lock: IO[bytes] | None = None
        with _said("jobs are not kept"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = held(folder / f"{self.session}.lock")

    def load(self) -> list[Job]:
        """Jobs that no living server has, the oldest first; those that were at work are interrupted now."""
        found = sorted(self._records(), key=lambda job: job.created)
        dead = [job for job in found if not self._is_alive(job.session)]
        jobs = [self._interrupted(job) if job.state.is_active else job for job in dead]
        self._forget_locks({job.session for job in dead})
        return jobs

    def save(self, job: Job) -> None:
        """Write a record; a full disk is said in the log and harms nothing."""
        with _said(f"job {job.id} is not kept"):
            write_whole(self._folder / f"{job.id}.json", json.dumps(job.to_dict()).encode("utf-8"))

    def remove(self, job: Job) -> None:
        """Forget a job and its log."""
        for path in (self._folder / f"{job.id}.json", self.log_of(job)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def log_of(self, job: Job) -> Path:
        """Where the job's process writes what it says."""
        return self._folder / f"{job.id}.log"

    def read_log(self, job: Job, offset: int) -> tuple[str, int]:
        """Text from ``offset`` on, and the offset behind it; no more than `LOG_PIECE` bytes."""
        try:
            with self.log_of(job).open("rb") as file:
                file.seek(max(0, offset))
                data = file.read(LOG_PIECE)
        except OSError:
            return "", offset
        whole = data[: data.rfind(b"\n") + 1] or data  # a character is never cut
        return whole.decode("utf-8", "replace"), max(0, offset) + len(whole)

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            with contextlib.suppress(OSError):
                Path(self._lock.name).unlink(missing_ok=True)

    def _records(self) -> Iterator[Job]:
        for path in self._folder.glob("*.json"):
            try:
                yield Job.from_dict(json.loads(path.read_text("utf-8")))
            except (OSError, ValueError, KeyError, TypeError):
                _LOG.warning("%s: no record of a job, left alone", path)

    def _is_alive(self, session: str) -> bool:
        return session == self.session or is_held(self._folder / f"{session}.lock")

    def _interrupted(self, job: Job) -> Job:
        tidy(job)
        ended = replace(job, state=State.INTERRUPTED, ended=time.time(), pid=None)
        self.save(ended)
        return ended

    def _forget_locks(self, sessions: set[str]) -> None:
        for session in sessions - {self.session}:
            with contextlib.suppress(OSError):
                (self._folder / f"{session}.lock").unlink(missing_ok=True)


def tidy(job: Job) -> None:
    """Take away what a job that ended in any way left half done."""
    shutil.rmtree(job.scratch, ignore_errors=True)
    if job.made_output and job.state is not State.DONE:
        with contextlib.suppress(OSError):  # whatever else has come to lie in it stays
            os.rmdir(job.output)  # noqa: PTH106 - the text of a record, not a path that was looked at


@contextlib.contextmanager
def _said(what: str) -> Generator[None]:
    try:
        yield
    except (OSError, OutputError) as error:
        _LOG.warning("%s: %s", what, error)

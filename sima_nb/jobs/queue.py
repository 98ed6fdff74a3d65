"""The queue: jobs wait, run so many at a time, end, and are remembered.

In: requests to compile. Out: `Job` records, the newest first. Lives in the server's event loop and is used from there
only.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sima_nb.jobs.process import run_task
from sima_nb.jobs.records import Job, State
from sima_nb.jobs.store import JobStore, tidy


class JobQueue:
    """``at_once`` jobs run at the same time; the last ``kept`` that ended are remembered."""

    def __init__(self, store: JobStore, *, at_once: int, kept: int) -> None:
        self._store = store
        self._at_once = at_once
        self._kept = kept
        self._jobs: dict[str, Job] = {job.id: job for job in store.load()}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closing = False
        self._forget()

    def jobs(self) -> list[Job]:
        """Every known job, the newest first."""
        return sorted(self._jobs.values(), key=lambda job: -job.created)

    def job(self, number: str) -> Job | None:
        """The job of that id."""
        return self._jobs.get(number)

    @property
    def active(self) -> int:
        """Jobs that wait or run."""
        return sum(job.state.is_active for job in self._jobs.values())

    def log(self, job: Job, offset: int) -> tuple[str, int]:
        """What the job's process said, see `JobStore.read_log`."""
        return self._store.read_log(job, offset)

    def submit(self, path: str, arguments: Sequence[str], output: Path) -> Job:
        """A new job: ``arguments`` are those of ``simac compile`` without the output folder, which is ``output``."""
        job = Job(
            id=secrets.token_hex(6),
            path=path,
            arguments=tuple(arguments),
            output=str(output),
            session=self._store.session,
            created=time.time(),
        )
        self._set(job)
        self._pump()
        return self._jobs[job.id]

    def cancel(self, job: Job) -> None:
        """End a job that waits or runs."""
        task = self._tasks.get(job.id)
        if task is not None:
            task.cancel()
        elif job.state is State.QUEUED:
            self._set(replace(job, state=State.CANCELLED, ended=time.time()))

    def remove(self, job: Job) -> None:
        """Forget a job that has ended."""
        self._jobs.pop(job.id, None)
        self._store.remove(job)

    async def close(self) -> None:
        """End everything: what waits or runs becomes interrupted."""
        self._closing = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in self.jobs():
            if job.state.is_active:
                self._set(replace(job, state=State.INTERRUPTED, ended=time.time()))
        self._store.close()

    def _pump(self) -> None:
        waiting = [job for job in self._jobs.values() if job.state is State.QUEUED]
        for job in waiting[: max(0, self._at_once - len(self._tasks))]:
            self._set(replace(job, state=State.RUNNING, started=time.time(), stages={}))
            self._tasks[job.id] = asyncio.get_running_loop().create_task(self._run(job.id))

    async def _run(self, number: str) -> None:
        try:
            word = await self._compiled(number)
        except asyncio.CancelledError:
            state = State.INTERRUPTED if self._closing else State.CANCELLED
            self._finish(number, state)
        except Exception as error:  # noqa: BLE001 - whatever keeps one job from running must not stop the queue
            self._finish(number, State.FAILED, error={"type": type(error).__name__, "message": str(error), "hint": ""})
        else:
            done = "result" in word
            self._finish(number, State.DONE if done else State.FAILED, **word)
        finally:
            self._tasks.pop(number, None)
            if not self._closing:
                self._pump()

    async def _compiled(self, number: str) -> dict[str, Any]:
        job = self._prepared(self._jobs[number])
        arguments = [f"--output-path={job.scratch}", *job.arguments]
        log = self._store.log_of(job)
        found = await run_task(
            "compile",
            arguments,
            output=job.output,
            log=log,
            started=lambda pid: self._set(replace(self._jobs[number], pid=pid)),
            progress=lambda stage, done, total: self._progress(number, stage, done, total),
        )
        return {name: found[name] for name in ("result", "error") if name in found}

    def _prepared(self, job: Job) -> Job:
        """Make the folders; the record says first which, so that a crash at any point can be tidied up."""
        output = Path(job.output)
        job = replace(job, made_output=not output.exists())
        self._set(job)
        output.mkdir(exist_ok=True)
        job.scratch.mkdir()
        return job

    def _progress(self, number: str, stage: str, done: int, total: int) -> None:
        """In memory only: after a crash of the server nobody asks how far a job had come."""
        job = self._jobs[number]
        self._jobs[number] = replace(job, stages={**(job.stages or {}), stage: (done, total)})

    def _finish(self, number: str, state: State, **found: Any) -> None:
        ended = replace(self._jobs[number], state=state, ended=time.time(), pid=None, **found)
        tidy(ended)
        self._set(ended)
        self._forget()

    def _set(self, job: Job) -> None:
        self._jobs[job.id] = job
        self._store.save(job)

    def _forget(self) -> None:
        ended = [job for job in self.jobs() if not job.state.is_active]
        for job in ended[self._kept :]:
            with contextlib.suppress(OSError):
                self.remove(job)

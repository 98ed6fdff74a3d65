"""Handlers that check and compile models: a verdict at once, a job in the queue, its state and its log.

In: paths and options. Out: JSON. Every path, those of samples and machine files too, is one of the served folder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from sima_nb.jobs.process import run_task
from sima_nb.jobs.records import Job
from sima_nb.server.base import SimaHandler
from sima_nb.server.errors import BusyError, ClientLeftError, PathError, RefusedError, RequestError, relative
from sima_nb.server.paths import ServedFolder

#: Longest name, shape or machine that an option may have.
_LONGEST = 500
_MACHINE_FILES = (".yaml", ".yml")


class CheckHandler(SimaHandler):
    """``GET check?path=&input_shape=``: ``simac check``, by a process that ends when the client leaves."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """The keys of ``simac check --json``."""
        path = self.asked("path")
        model = self.folder.file(path)
        shapes = [text for text in self.get_query_arguments("input_shape") if text]
        arguments = [*(f"--input-shape={shape}" for shape in shapes), "--", str(model)]
        task = asyncio.get_running_loop().create_task(self._checked(arguments))
        self.on_leave = task.cancel
        try:
            found = await task
        except asyncio.CancelledError as error:
            raise ClientLeftError("the client has left") from error
        if "error" in found:
            raise RefusedError.of(found["error"])
        report = told(found["result"], self.folder)
        await self.finish({**report, "path": path})

    async def _checked(self, arguments: Sequence[str]) -> Mapping[str, Any]:
        async with self.services.checks.turn():
            return await run_task("check", arguments)


class JobsHandler(SimaHandler):
    """``GET jobs``: every job. ``POST jobs {path, ...}``: a new one."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """``{"jobs": [...]}``, the newest first; with ``path``, those of one model."""
        path = self.get_query_argument("path", None)
        folder = self.folder
        jobs = [job_body(job, folder) for job in self.services.jobs.jobs() if path is None or job.path == path]
        await self.finish({"jobs": jobs})

    @authenticated
    @authorized
    async def post(self) -> None:
        """The job that was put into the queue; names of options are those of ``simac compile``."""
        folder, jobs = self.folder, self.services.jobs
        path = self.body_value("path", str)
        model = folder.file(path)
        given = self.body_value("output_path", str, str(PurePosixPath(path).parent))
        output = folder.output_folder("" if given == "." else given)
        arguments = [*self._options(folder), "--", str(model)]
        if jobs.active >= self.services.most_jobs:
            raise BusyError(
                f"{jobs.active} jobs wait or run already", hint="wait, cancel one, or raise SimaNb.most_jobs"
            )
        self.set_status(201)
        await self.finish(job_body(jobs.submit(path, arguments, output), folder))

    def _options(self, folder: ServedFolder) -> list[str]:
        """Options of ``simac compile``; each is one word, so that no value is taken for another option."""
        words = [f"--batch-size={self.body_value('batch_size', int, 1)}"]
        if not self.body_value("compress", bool, True):
            words.append("--no-compress")
        counts = {"--quads": "quads", "--calibration-random": "calibration_random"}
        words += [f"{word}={count}" for word, name in counts.items() if (count := self.body_value(name, int, 0))]
        if machine := self._text("machine"):
            is_file = machine.endswith(_MACHINE_FILES)
            words.append(f"--machine={folder.file(machine) if is_file else _plain_name(machine)}")
        if samples := self._text("calibration"):
            words.append(f"--calibration={folder.file(samples)}")
        if name := self._text("name"):
            words.append(f"--name={name}")
        shapes = [str(shape)[:_LONGEST] for shape in self.body_value("input_shape", list, [])]
        return [*words, *(f"--input-shape={shape}" for shape in shapes if shape)]

    def _text(self, name: str) -> str:
        found = self.body_value(name, str, "").strip()
        if len(found) > _LONGEST:
            raise RequestError(f"{name} is longer than {_LONGEST} characters")
        return found


class JobHandler(SimaHandler):
    """``GET jobs/ID``, ``DELETE jobs/ID``: one job; deleting cancels it, and forgets one that has ended."""

    @authenticated
    @authorized
    async def get(self, number: str) -> None:
        """The job."""
        await self.finish(job_body(found_job(self, number), self.folder))

    @authenticated
    @authorized
    async def delete(self, number: str) -> None:
        """Nothing; asking again tells what became of it."""
        job = found_job(self, number)
        if job.state.is_active:
            self.services.jobs.cancel(job)
        else:
            self.services.jobs.remove(job)
        self.set_status(204)
        await self.finish()


class JobLogHandler(SimaHandler):
    """``GET jobs/ID/log?offset=``: what the job's process said."""

    @authenticated
    @authorized
    async def get(self, number: str) -> None:
        """``{"text", "offset"}``: text from the offset on, and the next offset."""
        job = found_job(self, number)
        offset = self.get_query_argument("offset", "0")
        if not (offset.isascii() and offset.isdigit() and len(offset) < 16):
            raise RequestError(f"offset {offset}: expected a number from 0")
        text, end = self.services.jobs.log(job, int(offset))
        await self.finish({"text": relative(text, str(self.folder.root)), "offset": end})


def found_job(handler: SimaHandler, number: str) -> Job:
    """The job of that id.

    Raises:
        PathError: there is none any more.
    """
    job = handler.services.jobs.job(number)
    if job is None:
        raise PathError(f"job {number}: unknown, or forgotten")
    return job


def job_body(job: Job, folder: ServedFolder) -> dict[str, Any]:
    """What a browser is told of a job; paths are those of the contents manager."""
    known = job.to_dict()
    shown = ("id", "path", "state", "created", "started", "ended", "result", "error")
    stages = [{"stage": name, "done": done, "total": total} for name, (done, total) in (job.stages or {}).items()]
    output = Path(job.output)
    place = folder.path_of(output) if output.is_relative_to(folder.root) else ""
    return told({name: known[name] for name in shown} | {"stages": stages, "output_path": place}, folder)


def told(value: Any, folder: ServedFolder) -> Any:
    """The same JSON without the server's own folder in any text."""
    if isinstance(value, str):
        return relative(value, str(folder.root))
    if isinstance(value, Mapping):
        return {name: told(item, folder) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [told(item, folder) for item in value]
    return value


def _plain_name(machine: str) -> str:
    if "/" in machine or "\\" in machine:
        raise RequestError(f"machine {machine}: neither the name of a bundled machine nor a YAML file")
    return machine

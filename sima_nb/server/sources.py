"""The handler that finds the model of an archive: what a compile at another size starts from."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from sima_nb.jobs.records import Job, State
from sima_nb.server.errors import RequestError, ServerError
from sima_nb.server.paths import ServedFolder
from sima_nb.server.pool import Cancellation
from sima_nb.server.reading import FileHandler

#: In this order: the file that people work with comes before what was saved of it.
_SUFFIXES = (".onnx", ".sima")


class SourceHandler(FileHandler):
    """``GET source?path=``: the model that an archive was compiled from, as far as can be told."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """``{"path"}``: None where neither a compile of this server nor a file of that name tells."""
        path = self.asked("path")
        name = await self.work(lambda cancellation: self._name(path, cancellation))
        folder = self.folder
        asked = folder.file(path)
        found = compiled_from(asked, self.services.jobs.jobs(), folder) or of_that_name(path, name, folder)
        await self.finish({"path": found})

    def _name(self, path: str, cancellation: Cancellation) -> str:
        view = self.opened(path, cancellation).document.view
        if view is None:
            raise RequestError(f"{path}: no archive")
        return view.name


def compiled_from(archive: Path, jobs: list[Job], folder: ServedFolder) -> str | None:
    """The model of the newest compile that wrote ``archive``, if it is still there."""
    for job in jobs:
        wrote = job.state is State.DONE and job.result is not None and Path(str(job.result["path"])) == archive
        if wrote and served(job.path, folder):
            return job.path
    return None


def of_that_name(path: str, name: str, folder: ServedFolder) -> str | None:
    """A model that is called as the archive says, beside it or in the folder above, where output folders are made."""
    if "/" in name or not name:
        return None
    here = path.rpartition("/")[0]
    for place in dict.fromkeys((here, here.rpartition("/")[0])):
        for suffix in _SUFFIXES:
            found = f"{place}/{name}{suffix}" if place else f"{name}{suffix}"
            if served(found, folder):
                return found
    return None


def served(path: str, folder: ServedFolder) -> bool:
    """Whether the path is a file that may be read."""
    try:
        folder.file(path)
    except ServerError:
        return False
    return True

"""The handler that writes what an archive holds: members beside it, on request."""

from __future__ import annotations

from pathlib import PurePosixPath

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from sima_compiler import output_folder
from sima_nb.server.errors import PathError, RequestError
from sima_nb.server.pool import Cancellation
from sima_nb.server.reading import FileHandler


class ExtractHandler(FileHandler):
    """``POST extract {path, members}``: the members as files in a folder beside the archive that has its name."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """``{"folder", "files"}``: paths as the contents manager has them."""
        path = self.body_value("path", str)
        members = [str(member) for member in self.body_value("members", list)]
        if not members:
            raise RequestError("no members to extract", hint="mark some first")
        written = await self.work(lambda cancellation: self._extracted(path, members, cancellation))
        folder = str(PurePosixPath(written[0]).parent) if len(written) == 1 else self._common(written)
        await self.finish({"folder": folder, "files": written})

    def _extracted(self, path: str, members: list[str], cancellation: Cancellation) -> list[str]:
        served = self.folder
        previews = self.opened(path, cancellation).document.previews
        if previews is None:
            raise PathError(f"{path}: the file is no archive, so nothing lies in it")
        archive = previews.archive.watched(cancellation.check)
        target = str(PurePosixPath(path).parent / archive.name)
        with output_folder(served.output_folder(target)):
            written = archive.extract(members, served.output_folder(target))
        return [served.path_of(one.resolve()) for one in written]

    def _common(self, written: list[str]) -> str:
        parts = [PurePosixPath(one).parent.parts for one in written]
        shared = [names[0] for names in zip(*parts, strict=False) if len(set(names)) == 1]
        return "/".join(shared)

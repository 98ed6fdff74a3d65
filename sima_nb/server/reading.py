"""Handlers that read: a view, its report, its state, its tree, pages of members, a comparison.

In: paths in the address. Out: parcels (see `parcels`), JSON, or a page to keep.
"""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from sima_compiler import ArchiveError
from sima_nb.server.base import SimaHandler
from sima_nb.server.errors import PathError, RequestError
from sima_nb.server.opening import Opened, identity_of
from sima_nb.server.pool import Cancellation

#: What a parcel is sent as, see `parcels`; the views are loaded when the first one is packed.
CONTENT_TYPE = "application/vnd.sima-nb.parcel"


class FileHandler(SimaHandler):
    """A handler that opens files."""

    def opened(self, path: str, cancellation: Cancellation) -> Opened:
        """The file of that path, opened; runs in the pool.

        Raises:
            PathError, NotLocalError, RequestError: no such file. ArchiveError: it cannot be read.
        """
        folder = self.folder
        return self.services.files.open(folder.file(path), path, cancellation)


class ViewHandler(FileHandler):
    """``GET view?path=``: what the file is, and its View."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """A parcel."""
        path = self.asked("path")
        parcel = await self.work(lambda cancellation: self._packed(path, cancellation))
        await self.finish(parcel, set_content_type=CONTENT_TYPE)

    def _packed(self, path: str, cancellation: Cancellation) -> bytes:
        from sima_nb.server.parcels import document_parcel

        opened = self.opened(path, cancellation)
        cancellation.check()
        return document_parcel(opened)


class PageHandler(FileHandler):
    """``GET page?path=``: the report as one offline page, what ``simac compile --html`` writes."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """HTML to be kept, not shown: it carries its own script, which must not run in Jupyter's name."""
        path = self.asked("path")
        page = await self.work(lambda cancellation: self._written(path, cancellation))
        self.set_header("Content-Disposition", "attachment")
        await self.finish(page, set_content_type="text/html; charset=UTF-8")

    def _written(self, path: str, cancellation: Cancellation) -> str:
        from sima_compiler.view import page_html

        view = self.opened(path, cancellation).document.view
        if view is None:
            raise RequestError(f"{path}: nothing in it makes a report")
        cancellation.check()
        return page_html(view)


class StateHandler(SimaHandler):
    """``GET state?path=``: whether a file has changed: each open viewer asks every few seconds."""

    _track_activity = False

    @authenticated
    @authorized
    async def get(self) -> None:
        """``{"identity"}``: None where there is no such file, which is no error to a viewer that has shown it."""
        path = self.asked("path")
        try:
            identity = identity_of(self.folder.file(path))
        except PathError:
            identity = None
        await self.finish({"identity": identity})


class TreeHandler(FileHandler):
    """``GET tree?path=``: the files of an archive."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """``{"identity", "files": [{"name", "bytes", "kind"}]}``."""
        path = self.asked("path")
        opened = await self.work(lambda cancellation: self.opened(path, cancellation))
        if opened.document.previews is None:
            raise RequestError(f"{path}: no archive")
        files = [
            {"name": file.name, "bytes": file.bytes, "kind": str(file.kind)}
            for file in opened.document.previews.archive.files
        ]
        await self.finish({"identity": opened.identity, "files": files})


class MemberHandler(FileHandler):
    """``GET member?path=&member=&page=&search=``: a page of one file in an archive; an ``.lm`` is disassembled."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """The fields of `sima_compiler.view.Preview`."""
        path, member = self.asked("path"), self.asked("member")
        search, number = self.get_query_argument("search", ""), self.get_query_argument("page", "0")
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise RequestError(f"page {number}: expected a number from 0")
        page = await self.work(
            lambda cancellation: self.opened(path, cancellation).page(member, int(number), search, cancellation)
        )
        await self.finish(page.to_dict())


class ComparisonHandler(FileHandler):
    """``GET comparison?before=&after=``: two archives or statistics files side by side."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """A parcel."""
        before, after = self.asked("before"), self.asked("after")
        parcel = await self.work(lambda cancellation: self._compared(before, after, cancellation))
        await self.finish(parcel, set_content_type=CONTENT_TYPE)

    def _compared(self, before: str, after: str, cancellation: Cancellation) -> bytes:
        from sima_compiler.view import compare_views
        from sima_nb.server.parcels import comparison_parcel

        opened = [self.opened(path, cancellation) for path in (before, after)]
        views = [one.document.view for one in opened]
        for path, view in zip((before, after), views, strict=True):
            if view is None or not (len(view.layers) or len(view.plugins)):
                raise ArchiveError(
                    f"{path}: nothing in it can be compared", hint="choose two archives or two statistics files"
                )
        cancellation.check()
        first, second = views
        assert first is not None
        assert second is not None
        return comparison_parcel(compare_views(first, second), [one.identity for one in opened])

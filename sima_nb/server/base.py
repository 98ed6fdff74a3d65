"""What every handler is: Jupyter's own API handler, our form of errors, and work that ends when its client leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from jupyter_server.base.handlers import APIHandler

from sima_nb.jobs.queue import JobQueue
from sima_nb.server.errors import ClientLeftError, NotLocalError, PathError, RequestError, reply_of
from sima_nb.server.opening import OpenFiles
from sima_nb.server.paths import ServedFolder
from sima_nb.server.pool import Cancellation, Turns, WorkPool

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers share."""

    files: OpenFiles
    pool: WorkPool
    jobs: JobQueue
    checks: Turns
    most_jobs: int


class SimaHandler(APIHandler):
    """Who may read and write files in Jupyter may ask here; JupyterHub and other authorizers see it as ``contents``."""

    auth_resource = "contents"

    def initialize(self, services: Services) -> None:
        """``services`` are the extension's."""
        self.services = services
        self.cancellation = Cancellation()
        self.on_leave: Callable[[], object] | None = None

    @property
    def folder(self) -> ServedFolder:
        """The folder that the contents manager serves now.

        Raises:
            NotLocalError: it serves none.
        """
        return ServedFolder.of(self.contents_manager)

    async def work(self, task: Callable[[Cancellation], Result]) -> Result:
        """Run ``task`` in the pool; it ends when the client leaves.

        Raises:
            BusyError, ClientLeftError: see `WorkPool.run`. And what ``task`` raises.
        """
        return await self.services.pool.run(task, self.cancellation)

    def asked(self, name: str) -> str:
        """An argument of the address that may stand there once.

        Raises:
            RequestError: it is missing.
        """
        found = self.get_query_argument(name, None, strip=False)
        if found is None:
            raise RequestError(f"the request lacks {name}")
        return found

    def body_value(self, name: str, kind: type[Result], default: Result | None = None) -> Result:
        """A value of the JSON body.

        Raises:
            RequestError: it is missing without a default, or of another type.
        """
        found: Any = (self.get_json_body() or {}).get(name, default)
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
            raise RequestError(f"{name} in the request's body is missing or no {kind.__name__}")
        return found

    def on_connection_close(self) -> None:
        """The client left: whatever works for it may stop."""
        self.cancellation.cancel()
        if self.on_leave is not None:
            self.on_leave()
        super().on_connection_close()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error in the one form."""
        error: BaseException = (kwargs.get("exc_info") or (None, RuntimeError()))[1]
        status, body = reply_of(error, status_code, self._root())
        self.set_status(status)
        self.finish(body)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """What a user did wrong, or a file that cannot be read, is no error of the server's."""
        status, _ = reply_of(value, 500, "")
        if status == 500:
            super().log_exception(typ, value, tb)
        elif not isinstance(value, ClientLeftError):
            self.log.debug("sima-nb: %s", value)

    def _root(self) -> str:
        try:
            return str(self.folder.root)
        except NotLocalError:
            return "/"


class UnknownHandler(SimaHandler):
    """Every other address below ours: an error in our form, no page."""

    async def prepare(self) -> None:
        """Refuse.

        Raises:
            PathError: always.
        """
        await super().prepare()
        raise PathError("sima-nb answers nothing at this address", hint="update sima-nb in this environment")

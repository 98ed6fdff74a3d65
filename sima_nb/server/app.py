"""The extension as Jupyter Server loads it: its settings, its handlers, its end.

In: the server. Out: handlers below ``sima-nb/api/``. Settings are traits of ``SimaNb``, so they may stand in
``jupyter_server_config.py`` or on the command line: ``jupyter lab --SimaNb.threads=4``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Integer, Unicode

from sima_compiler import Limits
from sima_nb.jobs.queue import JobQueue
from sima_nb.jobs.store import JobStore
from sima_nb.server.base import Services, UnknownHandler
from sima_nb.server.compiling import CheckHandler, JobHandler, JobLogHandler, JobsHandler
from sima_nb.server.opening import OpenFiles
from sima_nb.server.pool import Turns, WorkPool
from sima_nb.server.reading import ComparisonHandler, MemberHandler, PageHandler, StateHandler, TreeHandler, ViewHandler
from sima_nb.server.sources import SourceHandler
from sima_nb.server.writing import ExtractHandler

_MIB = 1 << 20
#: What an address ends with -> who answers.
HANDLERS: dict[str, type[Any]] = {
    "view": ViewHandler,
    "page": PageHandler,
    "state": StateHandler,
    "tree": TreeHandler,
    "member": MemberHandler,
    "comparison": ComparisonHandler,
    "extract": ExtractHandler,
    "source": SourceHandler,
    "check": CheckHandler,
    "jobs": JobsHandler,
    r"jobs/(\w+)": JobHandler,
    r"jobs/(\w+)/log": JobLogHandler,
}


class SimaNb(ExtensionApp):
    """Shows archives and statistics in JupyterLab, and compiles models there, without a kernel."""

    name = "sima_nb"
    description = __doc__ or ""
    load_other_extensions = True
    extension_url = "/lab"

    threads = Integer(2, min=1, help="Files that are read at the same time.").tag(config=True)
    waiting = Integer(200, min=0, help="Requests that may wait for a thread, or for a check; more are refused.").tag(
        config=True
    )
    kept_files = Integer(4, min=1, help="Opened files that are kept in memory.").tag(config=True)
    kept_bytes = Integer(
        8 * _MIB, min=0, help="Bytes of an archive's programs that are kept with it; more is read again when asked for."
    ).tag(config=True)
    archive_bytes = Integer(8 << 30, min=1, help="Largest archive, unpacked.").tag(config=True)
    json_bytes = Integer(32 * _MIB, min=1, help="Largest JSON file.").tag(config=True)
    yaml_bytes = Integer(64 * _MIB, min=1, help="Largest YAML file.").tag(config=True)
    jobs_at_once = Integer(1, min=1, help="Compiles that run at the same time.").tag(config=True)
    most_jobs = Integer(50, min=1, help="Compiles that may wait or run; more are refused.").tag(config=True)
    kept_jobs = Integer(50, min=0, help="Compiles that have ended and are still listed.").tag(config=True)
    checks_at_once = Integer(2, min=1, help="Checks of models that run at the same time.").tag(config=True)
    jobs_folder = Unicode("", help="Where jobs are kept; empty: in Jupyter's data folder.").tag(config=True)

    @property
    def limits(self) -> Limits:
        """What the reader of archives accepts."""
        return Limits(
            json_bytes=self.json_bytes,
            yaml_bytes=self.yaml_bytes,
            entry_bytes=self.archive_bytes,
            total_bytes=self.archive_bytes,
            kept_bytes=self.kept_bytes,
        )

    def initialize_handlers(self) -> None:
        """Add the handlers; `ExtensionApp` puts the server's base URL in front."""
        store = JobStore(self._job_folder())
        self._services = Services(
            files=OpenFiles(self.kept_files, self.limits),
            pool=WorkPool(self.threads, self.waiting),
            jobs=JobQueue(store, at_once=self.jobs_at_once, kept=self.kept_jobs),
            checks=Turns(self.checks_at_once, self.waiting),
            most_jobs=self.most_jobs,
        )
        arguments = {"services": self._services}
        self.handlers.extend((rf"/sima-nb/api/{end}", handler, arguments) for end, handler in HANDLERS.items())
        self.handlers.append((r"/sima-nb/api/.*", UnknownHandler, arguments))

    async def stop_extension(self) -> None:
        """End what still works when the server ends."""
        self._services.pool.close()
        await self._services.jobs.close()

    def _job_folder(self) -> Path:
        """One for each folder that is served: another server's jobs are of no use here."""
        assert self.serverapp is not None
        root = str(getattr(self.serverapp.contents_manager, "root_dir", ""))
        name = hashlib.sha256(root.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        kept = Path(self.jobs_folder) if self.jobs_folder else Path(self.serverapp.data_dir) / "sima-nb" / "jobs"
        return kept / name


def extension_points() -> list[dict[str, Any]]:
    """What Jupyter Server loads of `sima_nb`."""
    return [{"module": "sima_nb", "app": SimaNb}]

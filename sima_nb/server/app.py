"""The extension as Jupyter Server loads it: its settings, its handlers, its end.

In: the server. Out: handlers below ``sima-nb/api/``. Settings are traits of ``SimaNb``, so they may stand in
``jupyter_server_config.py`` or on the command line: ``jupyter lab --SimaNb.threads=4``.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Integer

from sima_compiler import Limits
from sima_nb.server.base import Services, UnknownHandler
from sima_nb.server.opening import OpenFiles
from sima_nb.server.pool import WorkPool
from sima_nb.server.reading import ComparisonHandler, MemberHandler, StateHandler, TreeHandler, ViewHandler
from sima_nb.server.writing import ExtractHandler

_MIB = 1 << 20
#: What an address ends with -> who answers.
READERS: dict[str, type[Any]] = {
    "view": ViewHandler,
    "state": StateHandler,
    "tree": TreeHandler,
    "member": MemberHandler,
    "comparison": ComparisonHandler,
    "extract": ExtractHandler,
}


class SimaNb(ExtensionApp):
    """Shows archives and statistics in JupyterLab, and compiles models there, without a kernel."""

    name = "sima_nb"
    description = __doc__ or ""
    load_other_extensions = True
    extension_url = "/lab"

    threads = Integer(2, min=1, help="Files that are read at the same time.").tag(config=True)
    waiting = Integer(200, min=0, help="Requests that may wait for a thread; more are refused.").tag(config=True)
    kept_files = Integer(4, min=1, help="Opened files that are kept in memory.").tag(config=True)
    kept_bytes = Integer(
        8 * _MIB, min=0, help="Bytes of an archive's programs that are kept with it; more is read again when asked for."
    ).tag(config=True)
    archive_bytes = Integer(8 << 30, min=1, help="Largest archive, unpacked.").tag(config=True)
    json_bytes = Integer(32 * _MIB, min=1, help="Largest JSON file.").tag(config=True)
    yaml_bytes = Integer(64 * _MIB, min=1, help="Largest YAML file.").tag(config=True)

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
        self._services = Services(OpenFiles(self.kept_files, self.limits), WorkPool(self.threads, self.waiting))
        arguments = {"services": self._services}
        self.handlers.extend((rf"/sima-nb/api/{end}", handler, arguments) for end, handler in READERS.items())
        self.handlers.append((r"/sima-nb/api/.*", UnknownHandler, arguments))

    async def stop_extension(self) -> None:
        """End what still works when the server ends."""
        self._services.pool.close()


def extension_points() -> list[dict[str, Any]]:
    """What Jupyter Server loads of `sima_nb`."""
    return [{"module": "sima_nb", "app": SimaNb}]

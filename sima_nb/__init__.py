"""sima-nb in a notebook: ``%load_ext sima_nb``, then ``%sima_compile MODEL``.

In: a model, an archive or statistics. Out: the magics; `Summary` (what ``%sima_compile`` shows, also for any archive by
itself) and `write_html` (the same as an offline file); the widgets `StatsExplorer`, `ArchiveTree`, `BatchNegotiation`,
`Comparison`. Everything loads on first use: Jupyter Server imports this package when it starts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sima_compiler import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from sima_nb.display import Summary, write_html
    from sima_nb.widgets.archive import ArchiveTree
    from sima_nb.widgets.batch import BatchNegotiation
    from sima_nb.widgets.comparison import Comparison
    from sima_nb.widgets.stats import StatsExplorer

#: Public name -> module that defines it.
_HOMES: dict[str, str] = {
    "ArchiveTree": "sima_nb.widgets.archive",
    "BatchNegotiation": "sima_nb.widgets.batch",
    "Comparison": "sima_nb.widgets.comparison",
    "StatsExplorer": "sima_nb.widgets.stats",
    "Summary": "sima_nb.display",
    "write_html": "sima_nb.display",
}
#: What Jupyter Server calls; the package that answers is imported only then, for nothing else needs Jupyter Server.
_SERVER_HOOK = "_jupyter_server_extension_points"

__all__ = [
    "ArchiveTree",
    "BatchNegotiation",
    "Comparison",
    "StatsExplorer",
    "Summary",
    "__version__",
    "load_ipython_extension",
    "unload_ipython_extension",
    "write_html",
]


def __getattr__(name: str) -> Any:
    if name == _SERVER_HOOK:
        return import_module("sima_nb.server.app").extension_points
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """``%load_ext sima_nb``: add the magics."""
    from sima_nb import batch_magics, completion, magics, model_magics, sweep_magics, view_magics

    shell.register_magics(
        magics.SimaMagics,
        model_magics.ModelMagics,
        view_magics.ViewMagics,
        batch_magics.BatchMagics,
        sweep_magics.SweepMagics,
    )
    others = (model_magics, view_magics, batch_magics, sweep_magics)
    completion.register(shell, (magics.COMPILE, *(twin for module in others for twin in module.TWINS)))


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """``%unload_ext sima_nb``: take the magics away."""
    names = [name for name in shell.magics_manager.magics["line"] if str(name).startswith("sima_")]
    for name in names:
        shell.magics_manager.magics["line"].pop(name)
    for registered in ("SimaMagics", "ModelMagics", "ViewMagics", "BatchMagics", "SweepMagics"):
        shell.magics_manager.registry.pop(registered, None)

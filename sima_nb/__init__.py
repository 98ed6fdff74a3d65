"""sima-nb in a notebook: ``%load_ext sima_nb``, then ``%sima_compile MODEL``.

In: a model or an archive. Out: the magic, `Summary` (what the magic shows, also for any archive by itself) and
`write_html` (the same as an offline file). Importing this package imports neither IPython nor plotly.
"""

from __future__ import annotations

import typing

from sima_compiler import __version__
from sima_nb.display import Summary, write_html

if typing.TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Summary", "__version__", "load_ipython_extension", "unload_ipython_extension", "write_html"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """``%load_ext sima_nb``: add the magics."""
    from sima_nb.magics import SimaMagics
    from sima_nb.model_magics import ModelMagics

    shell.register_magics(SimaMagics, ModelMagics)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """``%unload_ext sima_nb``: take the magics away."""
    names = [name for name in shell.magics_manager.magics["line"] if str(name).startswith("sima_")]
    for name in names:
        shell.magics_manager.magics["line"].pop(name)
    for registered in ("SimaMagics", "ModelMagics"):
        shell.magics_manager.registry.pop(registered, None)

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
    """``%load_ext sima_nb``: add ``%sima_compile``."""
    from sima_nb.magics import SimaMagics

    shell.register_magics(SimaMagics)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """``%unload_ext sima_nb``: take ``%sima_compile`` away."""
    shell.magics_manager.magics["line"].pop("sima_compile", None)
    shell.magics_manager.registry.pop("SimaMagics", None)

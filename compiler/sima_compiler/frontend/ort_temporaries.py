"""onnxruntime's own temporary folders, put where they go away with ours.

Its quantization writes whole models into folders of the system's temporary folder. A process that is killed meanwhile
would leave them there, and nobody could tell later whether they are in use.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any


class _Below:
    """The module `tempfile`, but that folders which this thread asks for are made below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(tempfile, name)

    def TemporaryDirectory(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: N802 - a name of `tempfile`
        if threading.get_ident() == self._thread:
            keywords.setdefault("dir", self._folder)
        return tempfile.TemporaryDirectory(*arguments, **keywords)


@contextmanager
def temporaries_in(folder: Path) -> Generator[None]:
    """While the block runs, folders that onnxruntime's quantization makes lie below ``folder``."""
    modules = [import_module(f"onnxruntime.quantization.{name}") for name in ("quant_utils", "quantize")]
    before = [module.__dict__["tempfile"] for module in modules]
    try:
        for module in modules:
            module.__dict__["tempfile"] = _Below(folder)
        yield
    finally:
        for module, own in zip(modules, before, strict=True):
            module.__dict__["tempfile"] = own

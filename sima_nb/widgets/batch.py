"""`BatchNegotiation`: which batch sizes were weighed, why not one more, and what would help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import traitlets

from sima_compiler import OptionError
from sima_nb.widgets.base import Question, ViewWidget
from sima_nb.widgets.opening import negotiated


class BatchNegotiation(ViewWidget):
    """The negotiation of the batch size, and a button that compiles at another size where a model is at hand.

    ::

        BatchNegotiation(result, recompile=lambda size: model.compile(output_path="out", batch_size=size))

    What ``%sima_compile`` returned brings its own ``recompile``.

    Attributes:
        result: what the last compile that was started here returned; None before.
    """

    KIND = "batch"
    ANSWERS: ClassVar[Mapping[str, str]] = {"recompile": "_recompile"}

    result = traitlets.Any(None)

    def __init__(self, source: Any, *, recompile: Callable[[int], Any] | None = None) -> None:
        """``source``: a path, an Archive, or what ``compile`` returned.

        ``recompile`` takes a batch size, compiles, and returns what came of it, which is then shown here.

        Raises:
            ArchiveError: the file cannot be read. OptionError: ``source`` names no archive.
        """
        found = recompile or getattr(source, "recompile", None)
        self._compile: Callable[[int], Any] | None = found if callable(found) else None
        super().__init__(negotiated(source), offers=self._compile is not None)

    def _recompile(self, question: Question) -> str:
        size = question.get("batch")
        if self._compile is None or not isinstance(size, int) or size < 1:
            raise OptionError(f"{size!r} is no batch size", hint="give a whole number from 1")
        result = self._compile(size)
        view = negotiated(result)
        self.show(view)
        self.result = result
        return view.batch.sentence

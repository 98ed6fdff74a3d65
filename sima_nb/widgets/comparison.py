"""`Comparison`: two archives or statistics files side by side, layer by layer."""

from __future__ import annotations

from typing import Any

import traitlets

from sima_compiler import OptionError, printable
from sima_compiler.view import Comparison as Changes
from sima_compiler.view import (
    View,
    compare_views,
    comparison_facts,
    comparison_html,
    comparison_text,
    packed_json,
    saved_comparison_forms,
    to_json,
)
from sima_nb.widgets.base import VIEW_MIME, ViewWidget, packed
from sima_nb.widgets.opening import opened


class Comparison(ViewWidget):
    """Totals, batch, files, and every layer with what became of it, aligned by source node, then by name and structure.

    ::

        c = Comparison("old/resnet50_mpk.tar.gz", "new/resnet50_mpk.tar.gz", over=5)
        c.changes.over(5), c.changes.layer_change
    """

    KIND = "comparison"

    _other_head = traitlets.Unicode().tag(sync=True)
    _other_columns = traitlets.Bytes().tag(sync=True)
    _compared = traitlets.Dict().tag(sync=True)

    def __init__(self, before: Any, after: Any, *, over: float = 0.0) -> None:
        """``before``, ``after``: a path, an Archive, an MlaStats, or what ``compile`` returned.

        The view begins with the layers that changed by more than ``over`` percent; 0 shows all.

        Raises:
            ArchiveError: a file cannot be read. OptionError: one of them names none, or ``over`` is negative.
        """
        if not 0 <= over < float("inf"):
            raise OptionError(f"over {over:g}: must be a number of percent from 0", hint="try over=5")
        found = compare_views(opened(before).view, opened(after).view)
        self._found: Changes | None = found
        head, columns = packed(found.after)
        compared = {**found.to_browser(), "over": over}
        super().__init__(found.before, _other_head=head, _other_columns=columns, _compared=compared)

    @property
    def changes(self) -> Changes:
        """Everything that is shown, as records.

        Raises:
            OptionError: the widget is closed.
        """
        _ = self.view  # a closed widget says so
        assert self._found is not None
        return self._found

    @property
    def view(self) -> View:
        """The View of the first of the two; both are in `changes`."""
        return super().view

    def close(self) -> None:
        """Take the widget away everywhere and give its memory back; saved outputs keep what they hold."""
        super().close()
        self._found, self._other_head, self._other_columns, self._compared = None, "", b"", {}

    def __repr__(self) -> str:
        found = self._found
        if found is None:
            return "Comparison(closed)"
        return "Comparison({!r}, {!r})".format(
            *(printable(view.path or view.name) for view in (found.before, found.after))
        )

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return saved_comparison_forms(self.changes, self._pair_forms), {}

    def _pair_forms(self, kept: Changes, is_text_whole: bool) -> dict[str, Any]:
        """Everything that a notebook keeps of the two Views."""
        over = self._compared["over"]
        saved = {"before": to_json(kept.before), "after": to_json(kept.after), **kept.to_browser(), "over": over}
        whole = self._text or comparison_text(kept, over or None)
        return {
            VIEW_MIME: {"model_id": self.model_id, "view": self.KIND, "packed": packed_json(saved)},
            "text/html": comparison_html(kept),
            "text/plain": whole if is_text_whole else comparison_facts(kept),
        }

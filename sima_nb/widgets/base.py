"""What every widget is: a View in binary form, state that Python and the browser share, and questions for the kernel.

In: a `View`. Out: a widget that composes with ipywidgets and that survives its kernel: what a notebook saves of it is
our own MIME type with the data beside it, so a reopened notebook shows the view without a kernel, and the JupyterLab
extension puts the live widget in its place while the kernel has it. The bare widget view is left out on purpose:
without a kernel it would be "model not found".
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import ipywidgets
import traitlets

from sima_compiler import OptionError, SimaError, printable
from sima_compiler.view import (
    View,
    output_of,
    packed_json,
    saved_forms,
    short_text,
    summary_html,
    to_binary,
    to_json,
    view_text,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

#: What a saved notebook holds of a widget; the JupyterLab extension shows it.
VIEW_MIME = "application/vnd.sima-nb.view+json"

_BUNDLE = Path(__file__).parents[1] / "static" / "widget.js"
_LOG = logging.getLogger("sima_nb")

Question = Mapping[str, Any]


class ViewWidget(anywidget.AnyWidget):
    """A view that lives in the browser and in Python.

    Subclasses name their view in ``KIND`` and answer the browser's questions by methods listed in ``ANSWERS``: what is
    asked -> name of a method that takes the question and returns a JSON value. What is not listed is not offered, and
    the view shows no control for it. ``UPGRADED``: the report's own script makes this view of the static HTML.
    """

    KIND: ClassVar[str] = ""
    ANSWERS: ClassVar[Mapping[str, str]] = {}
    UPGRADED: ClassVar[bool] = False

    _esm = _BUNDLE
    _view = traitlets.Unicode().tag(sync=True)
    _head = traitlets.Unicode().tag(sync=True)
    _columns = traitlets.Bytes().tag(sync=True)
    _offers = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, view: View, *, offers: bool = True, **traits: Any) -> None:
        """``offers``: whether the questions of ``ANSWERS`` can be answered; ``traits`` set the state."""
        self._record: View | None = view
        self._text = ""
        head, columns = packed(view)
        answered = sorted(self.ANSWERS) if offers else []
        super().__init__(_view=self.KIND, _head=head, _columns=columns, _offers=answered, **traits)
        self.on_msg(self._receive)

    def show(self, view: View) -> None:
        """Show another View in place of the present one, in every place where the widget is displayed."""
        self._record, self._text = view, ""
        head, columns = packed(view)
        with self.hold_sync():
            self._columns, self._head = columns, head

    @property
    def view(self) -> View:
        """Everything that is shown, as records.

        Raises:
            OptionError: the widget is closed.
        """
        if self._record is None:
            raise OptionError("this widget is closed and its data is gone", hint="make it again from its file")
        return self._record

    def widget(self) -> ipywidgets.VBox:
        """The bare widget, for places that our extension cannot reach: it is live, but not saved with a notebook."""
        return ipywidgets.VBox([self])

    def figure(self, kind: str) -> go.Figure:
        """The same as a plotly figure: gantt, kinds, causes, cumulative, roofline, memory or batch.

        Raises:
            OptionError: an unknown name, or a file that does not record what the figure shows.
        """
        from sima_nb.figures import figure

        return figure(self.view, kind)

    def with_text(self, text: str) -> None:
        """Set the plain form, for a terminal where the widget was made by a command that says it in its own way."""
        self._text = text

    def close(self) -> None:
        """Take the widget away everywhere and give its memory back; saved outputs keep what they hold."""
        super().close()
        self._record, self._text, self._head, self._columns = None, "", "", b""

    def __repr__(self) -> str:
        """The kind of widget and its file: never the data, which may be of any size."""
        name = "closed" if self._record is None else repr(printable(self._record.path or self._record.name))
        return f"{type(self).__name__}({name})"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a notebook shows and saves, and no metadata; IPython passes ``include`` and ``exclude``.

        Where a script upgrades the HTML, the data stands in it once, compressed, and our extension reads it there;
        elsewhere the HTML is static, and the data stands beside it.
        """
        return saved_forms(self.view, self._forms), {}

    def _forms(self, kept: View, is_text_whole: bool) -> dict[str, Any]:
        """Everything that a notebook keeps of a View."""
        text = (self._text or view_text(kept)) if is_text_whole else short_text(kept)
        html = output_of(kept) if self.UPGRADED else summary_html(kept)
        data = {} if self.UPGRADED else {"packed": packed_json(to_json(kept))}
        saved = {"model_id": self.model_id, "view": self.KIND, **data}
        return {VIEW_MIME: saved, "text/html": html, "text/plain": text}

    def _receive(self, _widget: object, content: Any, _buffers: object) -> None:
        """A message from the browser: an error of its own, or a question that gets exactly one answer."""
        if not isinstance(content, dict):
            return
        if content.get("ask") == "failed":
            _LOG.warning("%s in the browser: %s", type(self).__name__, printable(str(content.get("message"))))
            return
        self.send({"id": content.get("id"), **self._answer(content)})

    def _answer(self, question: Question) -> dict[str, Any]:
        asked = str(question.get("ask"))
        if asked not in self._offers:
            return _error("OptionError", f"{type(self).__name__} does not answer {asked!r}")
        method: Callable[[Question], Any] = getattr(self, self.ANSWERS[asked])
        try:
            return {"answer": method(question)}
        except SimaError as error:
            return _error(type(error).__name__, error.message, error.hint)
        except KeyboardInterrupt:
            return _error("CompileInterrupted", "stopped; nothing half-written is left behind")
        except Exception as error:  # noqa: BLE001 - a question without an answer would wait for ever in the browser
            _LOG.exception("%s: %s", type(self).__name__, asked)
            return _error(type(error).__name__, f"{asked}: {error}")


def packed(view: View) -> tuple[str, bytes]:
    """The head as JSON text and the columns: what the traits of a widget hold of a View."""
    head, columns = to_binary(view)
    return json.dumps(head, ensure_ascii=False, separators=(",", ":")), columns


def _error(kind: str, message: str, hint: str | None = None) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message, "hint": hint or ""}}

"""Progress of a compile in the notebook: one bar per stage, updated in place.

In: `Progress` records from the compiler. Out: one display that changes, as HTML and as text; in a terminal, where no
display can change, one line per stage on stderr. Always holds: at most ten updates a second, so that slow connections
keep up.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from sima_compiler import Progress
from sima_compiler.view import Markup, palette, tag, units
from sima_nb.display import in_terminal

_INTERVAL = 0.1
_WIDTH = 24


class ProgressDisplay:
    """A callback for ``compile`` that draws what it is told; use it in a ``with`` block.

    When the block ends the bars give way to one line: how long it took, or that it was stopped.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._stages: dict[str, tuple[int, int]] = {}
        self._handle: Any = None
        self._in_terminal = in_terminal()
        self._started = time.monotonic()
        self._drawn = 0.0

    def __enter__(self) -> Self:
        from IPython.display import DisplayHandle

        if self._in_terminal:
            return self
        self._handle = DisplayHandle()
        self._handle.display(progress_bundle(self._title, {}), raw=True)
        return self

    def __call__(self, progress: Progress) -> None:
        """Take one record; draw when a stage begins or ends, else at most every tenth of a second."""
        if self._in_terminal:
            self._write(progress)
            return
        edge = progress.stage not in self._stages or progress.done >= progress.total
        self._stages[progress.stage] = (progress.done, progress.total)
        now = time.monotonic()
        if edge or now - self._drawn >= _INTERVAL:
            self._drawn = now
            self._update(progress_bundle(self._title, self._stages))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self._started
        stage = next(reversed(self._stages), "")
        place = f" at stage {stage}" if stage else ""
        ending = "done in" if kind is None else f"stopped{place} after"
        text = f"{self._title}: {ending} {seconds:.1f} s"
        if self._in_terminal:
            sys.stderr.write(f"{text}\n")
            return
        self._update({"text/plain": text, "text/html": tag("div", text, style="font-size:12px;opacity:.75")})

    def _write(self, progress: Progress) -> None:
        """A line when a stage ends; until then, on a real terminal, the same line again and again."""
        self._stages[progress.stage] = (progress.done, progress.total)
        bar = progress_text("", {progress.stage: (progress.done, progress.total)}).splitlines()[1]
        back = "\r\x1b[K" if sys.stderr.isatty() else ""
        if progress.done >= progress.total:
            sys.stderr.write(f"{back}{bar}\n")
        elif back and time.monotonic() - self._drawn >= _INTERVAL:
            self._drawn = time.monotonic()
            sys.stderr.write(f"{back}{bar}")
            sys.stderr.flush()

    def _update(self, bundle: Mapping[str, str]) -> None:
        self._handle.update(dict(bundle), raw=True)


def progress_bundle(title: str, stages: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """The bars as HTML and text."""
    return {"text/plain": progress_text(title, stages), "text/html": progress_html(title, stages)}


def progress_text(title: str, stages: Mapping[str, tuple[int, int]]) -> str:
    """One line per stage: ``tile       [######----]  12/53``."""
    width = max(map(len, stages), default=0)
    lines = [
        f"  {stage:<{width}}  [{'#' * (filled := round(_WIDTH * _share(done, total)))}{'-' * (_WIDTH - filled)}]  "
        f"{done}/{total}"
        for stage, (done, total) in stages.items()
    ]
    return "\n".join([f"{title} ...", *lines])


def progress_html(title: str, stages: Mapping[str, tuple[int, int]]) -> Markup:
    """The same as rows of bars."""
    rows = [
        tag(
            "div",
            tag("span", stage, style="width:9em;flex:none"),
            _bar(_share(done, total)),
            tag("span", f"{units.count(done)}/{units.count(total)}", style="font-variant-numeric:tabular-nums"),
            style="display:flex;gap:12px;align-items:center;font-size:12px;line-height:20px",
        )
        for stage, (done, total) in stages.items()
    ]
    heading = tag("div", f"{title} …", style="font-weight:550;margin-bottom:2px")
    return tag(
        "div", heading, *rows, role="status", style="max-width:560px;font-family:var(--jp-ui-font-family,sans-serif)"
    )


def _share(done: int, total: int) -> float:
    return min(1.0, done / total) if total else 1.0


def _bar(share: float) -> Markup:
    back = tag("rect", width="100%", height="6", rx="3", fill="currentColor", fill_opacity="0.15")
    front = tag("rect", width=f"{100 * share:.1f}%", height="6", rx="3", fill=palette.BLUE)
    return tag("svg", back, front, width="100%", height="6", style="flex:1;min-width:80px")

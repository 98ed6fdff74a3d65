"""What the notebook shows of a compile: rich in a browser, plain in a terminal, a file when asked.

In: an `Archive` (of this compiler or another). Out: `Summary`. Everything that a summary shows is one of its
attributes, under the names that ``simac compile --json`` uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sima_compiler import Archive
from sima_compiler.view import (
    BatchCandidate,
    FileRow,
    Layer,
    Plugin,
    Table,
    View,
    output_forms,
    output_html,
    view_of,
    view_text,
    wordings,
    write_page,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Summary:
    """One compiled archive as values, text, HTML and figures.

    Attributes:
        archive: the opened archive.
        view: everything that is shown, as records.
        result: what ``compile`` returned; None for an archive that was only opened, or a compiler that returns nothing.
        recompile: compiles the same model with the same options at another batch size; None for an archive that was
            only opened.
        shown_in: number of the cell that has shown the summary already, so that it does not appear twice there.
    """

    archive: Archive
    view: View
    result: Any = None
    shown_in: int | None = None
    recompile: Callable[[int], Summary] | None = None

    @staticmethod
    def of(archive: Archive | str | Path, *, warnings: Sequence[str] = (), result: Any = None) -> Summary:
        """The summary of an archive or of the file at that path.

        Raises:
            ArchiveError: not a readable archive.
        """
        opened = archive if isinstance(archive, Archive) else Archive.open(archive)
        return Summary(opened, view_of(opened, warnings), result)

    @property
    def path(self) -> str:
        """Where the archive lies."""
        return self.view.path

    @property
    def desired_batch_size(self) -> int | None:
        """The batch that was asked for."""
        return self.view.batch.desired_batch_size

    @property
    def actual_batch_size(self) -> int | None:
        """The batch that was built."""
        return self.view.batch.actual_batch_size

    @property
    def reason(self) -> str:
        """Why this batch, as a sentence."""
        return self.view.batch.sentence

    @property
    def compute_cycles(self) -> int:
        """Cycles of the static schedule for one run of the whole batch."""
        return self.view.totals.compute_cycles

    @property
    def runtime_cycles(self) -> int | None:
        """Cycles with stalls; None when the archive does not know them."""
        return self.view.totals.runtime_cycles

    @property
    def bound_cycles(self) -> int | None:
        """No schedule is faster than this."""
        return self.view.totals.bound_cycles

    @property
    def padded_bound_cycles(self) -> int | None:
        """The tighter bound that counts padding and on-chip capacity; ``view.totals.counted`` says what it assumes."""
        return self.view.totals.padded_bound_cycles

    @property
    def efficiency(self) -> float | None:
        """``bound_cycles / runtime_cycles``."""
        return self.view.totals.efficiency

    @property
    def stall_cycles(self) -> Mapping[str, int]:
        """Stalled cycles by cause; with `compute_cycles` they add up to `runtime_cycles`."""
        return self.view.stall_cycles

    @property
    def latency_us(self) -> float | None:
        """Microseconds of one run of the whole batch at the machine's clock; None when no cycles are known."""
        return self.view.totals.latency_us

    @property
    def samples_per_second(self) -> float | None:
        """Throughput at the machine's clock; None when no cycles are known."""
        return self.view.totals.samples_per_second

    @property
    def files(self) -> Table[FileRow]:
        """Files of the archive with their sizes."""
        return self.view.files

    @property
    def plugins(self) -> dict[str, int]:
        """Plugins per processor."""
        return self.view.plugin_counts

    @property
    def plugin_list(self) -> Table[Plugin]:
        """The pipeline's plugins in order."""
        return self.view.plugins

    @property
    def layers(self) -> Table[Layer]:
        """Layers of the static schedule."""
        return self.view.layers

    @property
    def candidates(self) -> Table[BatchCandidate]:
        """Batch sizes that the compiler weighed."""
        return self.view.candidates

    @property
    def left_to_host(self) -> tuple[str, ...]:
        """Operators at the outputs that the archive does not hold, such as a last Softmax."""
        return self.view.left_to_host

    @property
    def verdict(self) -> str:
        """How many segments and host layers the network has, in one line; empty where the archive does not say it."""
        report = self.archive.report
        return report.verdict if report else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that the user should read."""
        left = (f"left to the host: {operator}" for operator in self.view.left_to_host)
        return (*self.view.warnings, *left)

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``simac compile --json``, as plain values; ``counting`` where layers overlap or leave gaps."""
        overlaps = self.view.totals.overlaps
        return {
            "path": self.path,
            "desired_batch_size": self.desired_batch_size,
            "actual_batch_size": self.actual_batch_size,
            "compute_cycles": self.compute_cycles,
            "runtime_cycles": self.runtime_cycles,
            "bound_cycles": self.bound_cycles,
            "padded_bound_cycles": self.padded_bound_cycles,
            "padded_bound_assumes": None if self.padded_bound_cycles is None else wordings.PADDED_BOUND_ASSUMES,
            "efficiency": self.efficiency,
            "stall_cycles": dict(self.stall_cycles),
            "files": [{"name": file.name, "bytes": file.bytes} for file in self.files],
            "plugins": self.plugins,
            "verdict": self.verdict,
            "warnings": list(self.warnings),
            **({"counting": overlaps} if overlaps else {}),
        }

    def figure(self, kind: str) -> go.Figure:
        """A plotly figure: gantt, kinds, causes, cumulative, roofline, memory or batch.

        Raises:
            OptionError: an unknown name, or an archive that does not record what the figure shows.
        """
        from sima_nb.figures import figure

        return figure(self.view, kind)

    def gantt(self) -> go.Figure:
        """The static schedule as a plotly figure."""
        from sima_nb.figures import gantt

        return gantt(self.view)

    def batch_chart(self) -> go.Figure:
        """Samples per second by batch size as a plotly figure."""
        from sima_nb.figures import batch_chart

        return batch_chart(self.view)

    def to_html(self, path: str | Path) -> Path:
        """Write a report that opens offline in any browser; returns its path.

        Raises:
            OutputError: the file cannot be written.
        """
        return write_page(self.view, path)

    def __repr__(self) -> str:
        return view_text(self.view)

    def _repr_html_(self) -> str:
        return output_html(self.view)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        return output_forms(self.view)

    def _ipython_display_(self) -> None:
        """Show the summary, unless the cell that made it has shown it."""
        from IPython.core.getipython import get_ipython

        shell = get_ipython()
        if self.shown_in is not None and shell is not None and shell.execution_count == self.shown_in:
            return
        self.show()

    def show(self) -> None:
        """Show the report here and now."""
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True)


def write_html(archive: Archive | str | Path, path: str | Path, warnings: Sequence[str] = ()) -> Path:
    """Write the report of an archive to ``path``: one HTML file that needs no network.

    Raises:
        ArchiveError: not a readable archive. OutputError: the file cannot be written.
    """
    return Summary.of(archive, warnings=warnings).to_html(path)


def in_terminal() -> bool:
    """Whether IPython runs in a terminal, where displays are printed and never updated."""
    from IPython.core.getipython import get_ipython

    return type(get_ipython()).__name__ == "TerminalInteractiveShell"

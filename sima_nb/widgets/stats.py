"""`StatsExplorer`: timeline, table, memory map and details of the layers, with one selection."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import traitlets

from sima_compiler import Archive, OptionError
from sima_compiler.cli import subcommand
from sima_compiler.view import Layer
from sima_nb.widgets.base import Question, ViewWidget
from sima_nb.widgets.opening import opened


class StatsExplorer(ViewWidget):
    """The layers of an archive or a statistics file, ours or the vendor's.

    ::

        explorer = StatsExplorer("out/resnet50_mpk.tar.gz")
        explorer.selected, explorer.filter = [3], "conv"

    Every trait is two-way: what a person does in the browser is seen here, and the other way round.

    Attributes:
        selected: ids of the selected layers.
        filter: layers whose name, kind or source contains this text are shown.
        range: first and last visible cycle; None shows all.
        unit: cycles, time or share.
        order: timeline, cycles or name.
        colour: kind, cause or utilisation.
        run: what the last simulation started here returned; None before. Only archives that this compiler wrote run.
    """

    KIND = "explorer"
    UPGRADED = True
    ANSWERS: ClassVar[Mapping[str, str]] = {"simulate": "_simulate"}

    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    filter = traitlets.Unicode().tag(sync=True)
    range = traitlets.Tuple(traitlets.Float(), traitlets.Float(), allow_none=True, default_value=None).tag(sync=True)
    unit = traitlets.Enum(("cycles", "time", "share"), "cycles").tag(sync=True)
    order = traitlets.Enum(("timeline", "cycles", "name"), "timeline").tag(sync=True)
    colour = traitlets.Enum(("kind", "cause", "utilisation"), "kind").tag(sync=True)
    run = traitlets.Any(None)

    def __init__(self, source: Any, **traits: Any) -> None:
        """``source``: a path, an Archive, an MlaStats, or what ``compile`` returned; ``traits`` set the state.

        Raises:
            ArchiveError: the file cannot be read. OptionError: ``source`` names none.
        """
        found = opened(source)
        self._archive: Archive | None = found.archive if _runs(found.archive) else None
        super().__init__(found.view, offers=self._archive is not None, **traits)

    def close(self) -> None:
        """Take the widget away everywhere and give its memory back; saved outputs keep what they hold."""
        super().close()
        self._archive, self.run = None, None

    @property
    def selected_layers(self) -> tuple[Layer, ...]:
        """The selected layers as records, in the order of the schedule."""
        if not self.selected:
            return ()
        rows = np.flatnonzero(np.isin(self.view.layers.columns["id"].values, self.selected))
        return tuple(self.view.layers[row] for row in rows.tolist())

    def _simulate(self, _question: Question) -> str:
        """The command with random inputs: what a run takes does not depend on the numbers."""
        if self._archive is None:
            raise OptionError("there is no archive to run")
        arguments = argparse.Namespace(archive=self._archive, input=None, output=None, json=False, native=False)
        self.run = subcommand("simulate").run(arguments).value
        cycles, recorded = self.run.trace.runtime_cycles, self.view.totals.runtime_cycles
        agrees = ", as recorded" if cycles == recorded else f"; the archive records {recorded or 0:,}"
        samples = self._archive.batch.actual or 1
        return f"Ran {samples} sample{'s' * (samples != 1)} of random numbers in {cycles:,} cycles{agrees}."

    @traitlets.validate("selected")
    def _known_layers(self, proposal: Any) -> list[int]:
        wanted: list[int] = proposal["value"]
        if wanted:
            column = self.view.layers.columns.get("id")
            known = set() if column is None else set(column.values[np.isin(column.values, wanted)].tolist())
            unknown = [number for number in wanted if number not in known]
            if unknown:
                raise traitlets.TraitError(f"selected: no layer has the id {unknown[0]}")
        return wanted

    @traitlets.validate("range")
    def _ordered(self, proposal: Any) -> tuple[float, float] | None:
        wanted: tuple[float, float] | None = proposal["value"]
        if wanted is not None and not wanted[0] <= wanted[1]:
            raise traitlets.TraitError(f"range: {wanted[0]:g} lies behind {wanted[1]:g}; give (first, last) cycle")
        return wanted


def _runs(archive: Archive | None) -> bool:
    """Whether the simulator can run it: a report stands only in archives of this compiler."""
    return archive is not None and archive.report is not None and bool(archive.lm_files)

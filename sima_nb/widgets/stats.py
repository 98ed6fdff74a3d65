"""`StatsExplorer`: timeline, table, memory map and details of the layers, with one selection."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from sima_compiler.view import Layer
from sima_nb.widgets.base import ViewWidget
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
    """

    KIND = "explorer"

    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    filter = traitlets.Unicode().tag(sync=True)
    range = traitlets.Tuple(traitlets.Float(), traitlets.Float(), allow_none=True, default_value=None).tag(sync=True)
    unit = traitlets.Enum(("cycles", "time", "share"), "cycles").tag(sync=True)
    order = traitlets.Enum(("timeline", "cycles", "name"), "timeline").tag(sync=True)
    colour = traitlets.Enum(("kind", "cause", "utilisation"), "kind").tag(sync=True)

    def __init__(self, source: Any, **traits: Any) -> None:
        """``source``: a path, an Archive, an MlaStats, or what ``compile`` returned; ``traits`` set the state.

        Raises:
            ArchiveError: the file cannot be read. OptionError: ``source`` names none.
        """
        super().__init__(opened(source).view, **traits)

    @property
    def selected_layers(self) -> tuple[Layer, ...]:
        """The selected layers as records, in the order of the schedule."""
        if not self.selected:
            return ()
        rows = np.flatnonzero(np.isin(self.view.layers.columns["id"].values, self.selected))
        return tuple(self.view.layers[row] for row in rows.tolist())

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

"""Two Views side by side: every layer with its cycles in both, totals, batch, files, and what makes them incomparable.

In: two Views, of archives or statistics files. Out: a `Comparison`. Always holds: both sides are measured the same way
(runs with runs, static schedules with static schedules), and the changes of all layers sum up to ``layer_change``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sima_compiler.view import units
from sima_compiler.view.align import aligned
from sima_compiler.view.reading import view_of_path
from sima_compiler.view.records import FileRow, Layer, View
from sima_compiler.view.wordings import WORDINGS


@dataclass(frozen=True, slots=True)
class LayerChange:
    """One layer and what became of it. ``before`` and ``after`` are cycles of the whole batch, None where it has none.

    ``name`` is the layer's name after (before, where it is gone), ``other`` the name before where that differs.
    ``what``: changed, same, added or gone. ``before_row`` and ``after_row`` are rows of the Views' layers.
    """

    name: str
    other: str
    family: str
    sources: tuple[str, ...]
    before: int | None
    after: int | None
    change: int
    what: str
    before_row: int | None
    after_row: int | None

    def exceeds(self, percent: float) -> bool:
        """Whether it changed by more than ``percent`` of what it was; layers that came or went always do."""
        return self.what in {"added", "gone"} or abs(self.change) * 100 > percent * (self.before or 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "sources": list(self.sources)}


@dataclass(frozen=True, slots=True)
class TotalChange:
    """One number of the whole network. ``unit``: cycles, bytes, share, samples, rate, us or count."""

    name: str
    label: str
    unit: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file in bytes; None where that archive lacks it."""

    name: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``measure`` names the cycles that are compared: runtime_cycles or compute_cycles. ``notes`` are sentences."""

    before: View
    after: View
    measure: str
    layers: tuple[LayerChange, ...]
    totals: tuple[TotalChange, ...]
    files: tuple[FileChange, ...]
    notes: tuple[str, ...]

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Rows of the two Views that belong together, -1 for none, as the browser's comparison takes them."""
        return tuple(
            (-1 if row.before_row is None else row.before_row, -1 if row.after_row is None else row.after_row)
            for row in self.layers
        )

    @property
    def layer_change(self) -> int:
        """Cycles that all layers together changed by."""
        return sum(row.change for row in self.layers)

    @property
    def counts(self) -> Mapping[str, int]:
        """Layers by what became of them."""
        found = Counter(row.what for row in self.layers)
        return {what: found[what] for what in ("changed", "added", "gone", "same")}

    def over(self, percent: float) -> tuple[LayerChange, ...]:
        """Layers that changed by more than ``percent``, the largest change first."""
        kept = [row for row in self.layers if row.what != "same" and row.exceeds(percent)]
        return tuple(sorted(kept, key=lambda row: -abs(row.change)))

    def to_browser(self) -> dict[str, Any]:
        """What the browser's comparison needs beside the two Views: everything that is decided here, once."""
        return {
            "measure": self.measure,
            "pairs": [list(pair) for pair in self.pairs],
            "totals": [asdict(total) for total in self.totals],
            "files": [asdict(file) for file in self.files],
            "notes": [*self.notes, *(sentence.removesuffix(".") for sentence in self.after.left_out)],
        }

    def to_dict(self, over: float | None = None) -> dict[str, Any]:
        """Plain values for JSON; ``over`` keeps the layers that changed by more than so many percent."""
        return {
            "before": self.before.path,
            "after": self.after.path,
            "measure": self.measure,
            "over": over,
            "totals": [asdict(total) for total in self.totals],
            "counts": dict(self.counts),
            "layers": [row.to_dict() for row in (self.layers if over is None else self.over(over))],
            "files": [asdict(file) for file in self.files],
            "notes": list(self.notes),
        }


def compare_paths(before: str | Path, after: str | Path) -> Comparison:
    """The comparison of two files, each an archive or statistics (``.yaml``, ``.yml``).

    Raises:
        ArchiveError: one of them cannot be read.
    """
    return compare_views(view_of_path(before), view_of_path(after))


def compare_views(before: View, after: View) -> Comparison:
    """The comparison of two Views."""
    recorded = all(view.totals.runtime_cycles is not None for view in (before, after))
    measure = "runtime_cycles" if recorded else "compute_cycles"
    layers, others = list(before.layers), list(after.layers)
    changes = tuple(
        _layer_change(
            None if row is None else (row, layers[row]), None if other is None else (other, others[other]), measure
        )
        for row, other in aligned(layers, others)
    )
    return Comparison(
        before=before,
        after=after,
        measure=measure,
        layers=changes,
        totals=_totals(before, after, measure),
        files=_files(list(before.files), list(after.files)),
        notes=_notes(before, after, recorded=recorded),
    )


def _layer_change(one: tuple[int, Layer] | None, other: tuple[int, Layer] | None, measure: str) -> LayerChange:
    before = None if one is None else _cycles(one[1], measure)
    after = None if other is None else _cycles(other[1], measure)
    shown = other or one
    assert shown is not None, "a pair has at least one layer"
    change = (after or 0) - (before or 0)
    what = "added" if one is None else "gone" if other is None else "changed" if change else "same"
    layer = shown[1]
    return LayerChange(
        name=layer.name,
        other=one[1].name if one is not None and other is not None and one[1].name != layer.name else "",
        family=layer.family,
        sources=layer.sources,
        before=before,
        after=after,
        change=change,
        what=what,
        before_row=one[0] if one else None,
        after_row=other[0] if other else None,
    )


def _cycles(layer: Layer, measure: str) -> int | None:
    return layer.runtime_cycles if measure == "runtime_cycles" else layer.compute_cycles


Reading = Callable[[View], float | None]

#: Name, what people read, unit, value. Bytes of archives are sums of their files before compression.
_TOTALS: tuple[tuple[str, str, str, Reading], ...] = (
    ("desired_batch_size", "batch asked for", "samples", lambda view: view.batch.desired_batch_size),
    ("actual_batch_size", "batch built", "samples", lambda view: view.batch.actual_batch_size),
    ("layers", "layers", "count", lambda view: view.totals.layers),
    ("compute_cycles", "compute cycles", "cycles", lambda view: view.totals.compute_cycles),
    ("runtime_cycles", "runtime cycles", "cycles", lambda view: view.totals.runtime_cycles),
    ("bound_cycles", "bound in cycles", "cycles", lambda view: view.totals.bound_cycles),
    ("efficiency", "efficiency", "share", lambda view: view.totals.efficiency),
    (
        "peak_bytes",
        "peak on chip",
        "bytes",
        lambda view: max((part.peak_bytes or 0 for part in view.segments), default=0) or None,
    ),
    (
        "loaded_bytes",
        "loaded from DRAM",
        "bytes",
        lambda view: view.totals.dram.loaded_bytes if view.totals.dram else None,
    ),
    (
        "stored_bytes",
        "stored to DRAM",
        "bytes",
        lambda view: view.totals.dram.stored_bytes if view.totals.dram else None,
    ),
    ("file_bytes", "files", "bytes", lambda view: sum(file.bytes for file in view.files) or None),
)


def _totals(before: View, after: View, measure: str) -> tuple[TotalChange, ...]:
    """The numbers that at least one side has; those of time follow from the cycles that are compared."""
    alone = WORDINGS["mla_alone"]
    derived: tuple[tuple[str, str, str, Reading], ...] = (
        ("cycles_per_sample", "cycles per sample", "cycles", lambda view: _per_sample(view, measure)),
        ("latency_us", f"latency, {alone}", "us", lambda view: _latency_us(view, measure)),
        ("samples_per_second", f"samples per second, {alone}", "rate", lambda view: _rate(view, measure)),
    )
    rows = [
        TotalChange(name, label, unit, value(before), value(after)) for name, label, unit, value in (*_TOTALS, *derived)
    ]
    return tuple(row for row in rows if row.before is not None or row.after is not None)


def _run_cycles(view: View, measure: str) -> int | None:
    return view.totals.runtime_cycles if measure == "runtime_cycles" else view.totals.compute_cycles


def _per_sample(view: View, measure: str) -> float | None:
    cycles, batch = _run_cycles(view, measure), view.batch.actual_batch_size
    return cycles / batch if cycles and batch else None


def _latency_us(view: View, measure: str) -> float | None:
    cycles = _run_cycles(view, measure)
    return units.latency_us(cycles, view.machine.clock_mhz) if cycles else None


def _rate(view: View, measure: str) -> float | None:
    each = _per_sample(view, measure)
    return view.machine.clock_mhz * 1e6 / each if each else None


def _files(before: list[FileRow], after: list[FileRow]) -> tuple[FileChange, ...]:
    """By name; the rest by role, since most names begin with the model's."""
    sizes = {file.name: file.bytes for file in before}
    found = [FileChange(file.name, sizes[file.name], file.bytes) for file in after if file.name in sizes]
    names = {change.name for change in found}
    gone = [file for file in before if file.name not in names]
    for file in (file for file in after if file.name not in names):
        same_role = next((other for other in gone if other.role == file.role != "other"), None)
        if same_role is None:
            found.append(FileChange(file.name, None, file.bytes))
        else:
            gone.remove(same_role)
            found.append(FileChange(f"{same_role.name} -> {file.name}", same_role.bytes, file.bytes))
    return (*found, *(FileChange(file.name, file.bytes, None) for file in gone))


def _notes(before: View, after: View, *, recorded: bool) -> tuple[str, ...]:
    """What makes the two hard to compare."""
    sizes = [view.batch.actual_batch_size for view in (before, after)]
    machines = [(view.machine.name, view.machine.quads) for view in (before, after)]
    notes = ["before and after are the same file"] if before.path and before.path == after.path else []
    if not recorded and any(view.totals.runtime_cycles is not None for view in (before, after)):
        notes.append(
            "only one of the two records a run: cycles of both are those of the static schedule, without stalls"
        )
    if None not in sizes and sizes[0] != sizes[1]:
        notes.append(
            f"the batch sizes differ, {sizes[0]} and {sizes[1]}, and a layer's cycles are of the whole batch: "
            "compare cycles per sample"
        )
    if all(name for name, _ in machines) and machines[0] != machines[1]:
        written = [f"{quads} quad{'s' * (quads != 1)} of {name}" for name, quads in machines]
        notes.append(f"compiled for different machines: {written[0]} and {written[1]}")
    if not all(any(layer.sources for layer in view.layers) for view in (before, after)):
        notes.append("source nodes are not recorded in both: layers are paired by structure and name")
    return tuple(notes)

"""The static schedule of the MLA: `*_mla_stats.yaml` as columns.

In: YAML text, one integer key per layer with ``name``, ``start_cycle`` and ``end_cycle`` (inclusive), or a list of such
layers. Out: `MlaStats`, read-only columns sorted by id, and text of the published form again.
Always holds: ids are unique, non-negative and ascending; 0 <= start_cycle <= end_cycle + 1. A layer that ends one cycle
before it starts has no length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
import yaml

from sima_compiler.archive.coverage import Coverage, coverage_of
from sima_compiler.archive.gunzip import Watch, unwatched
from sima_compiler.archive.stats_forms import is_plain_name, read_fast
from sima_compiler.archive.stats_yaml import parse_columns
from sima_compiler.errors import InvalidArchiveError, SchemaError
from sima_compiler.files.nearby import meant

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LayerStats:
    """One layer's place in the static schedule; cycles count from 0 and ``end_cycle`` is inclusive."""

    id: int
    name: str
    start_cycle: int
    end_cycle: int

    @property
    def cycles(self) -> int:
        """Duration in cycles; 0 for a layer without length."""
        return self.end_cycle - self.start_cycle + 1


class LayerSequence(Sequence[LayerStats]):
    """The layers of a `MlaStats`, built one by one when asked for."""

    __slots__ = ("_stats",)

    def __init__(self, stats: MlaStats) -> None:
        self._stats = stats

    def __len__(self) -> int:
        return len(self._stats.names)

    @overload
    def __getitem__(self, index: int) -> LayerStats: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LayerStats]: ...
    def __getitem__(self, index: int | slice) -> LayerStats | Sequence[LayerStats]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        stats = self._stats
        return LayerStats(
            int(stats.ids[index]), stats.names[index], int(stats.start_cycles[index]), int(stats.end_cycles[index])
        )

    def __iter__(self) -> Iterator[LayerStats]:
        stats = self._stats
        columns = (stats.ids.tolist(), stats.names, stats.start_cycles.tolist(), stats.end_cycles.tolist())
        return (LayerStats(*row) for row in zip(*columns, strict=True))

    def __repr__(self) -> str:
        return f"<{len(self)} layers>"


@dataclass(frozen=True, slots=True, eq=False)
class MlaStats:
    """Layers of one or several MLA segments as columns of equal length; build it with `from_columns` or `parse`."""

    ids: Int64Array
    names: tuple[str, ...]
    start_cycles: Int64Array
    end_cycles: Int64Array

    @staticmethod
    def from_columns(
        ids: npt.ArrayLike, names: Sequence[str], start_cycles: npt.ArrayLike, end_cycles: npt.ArrayLike
    ) -> MlaStats:
        """Stats from one value per layer and column, in any order; they come out sorted by id.

        Raises:
            SchemaError: unequal lengths, a duplicate or negative id, a negative cycle, or an end more than one cycle
                before its start.
        """
        columns = [np.asarray(column, dtype=np.int64).reshape(-1) for column in (ids, start_cycles, end_cycles)]
        if any(len(column) != len(names) for column in columns):
            raise SchemaError(f"stats columns differ in length: {[len(names), *map(len, columns)]}")
        problem = first_problem(*columns)
        if problem:
            index, sentence = problem
            raise SchemaError(f"layer {columns[0][index]} ({names[index]}): {sentence}")
        return _sorted(columns[0], tuple(names), columns[1], columns[2])

    @staticmethod
    def parse(text: bytes | str, *, entry: str = "mla_stats.yaml", watch: Watch = unwatched) -> MlaStats:
        """Stats from YAML in UTF-8. ``entry`` names the text in errors; ``watch`` may raise on the way to stop it.

        Unknown keys of a layer are ignored; numbers may be quoted or end in ``.0``; a layer without cycles has no
        length; the layers of a list have an ``id`` or are numbered from 1.

        Raises:
            SchemaError: the text does not follow the grammar; the message gives the line.
        """
        data = text.encode("utf-8", "replace") if isinstance(text, str) else text
        return parse_known_form(data.replace(b"\r\n", b"\n")) or parse_any_form(text, entry, watch)

    @staticmethod
    def read(path: str | Path, *, watch: Watch = unwatched) -> MlaStats:
        """Stats from a YAML file; ``watch`` may raise on the way to stop it.

        Raises:
            InvalidArchiveError: the file cannot be read. SchemaError: it does not follow the grammar.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
            hint = meant(Path(path), lambda name: name.endswith((".yaml", ".yml")))
            raise InvalidArchiveError(f"{path}: cannot be read: {reason}", entry=str(path), hint=hint) from error
        return MlaStats.parse(data, entry=str(path), watch=watch)

    @staticmethod
    def concat(segments: Sequence[MlaStats]) -> MlaStats:
        """Segments one after another on one time axis.

        A segment's cycle 0 is the cycle behind the previous one's last. Ids stay as they are while they ascend over the
        segments; a segment whose ids do not is renumbered behind the largest id so far.
        """
        ids: list[Int64Array] = []
        starts: list[Int64Array] = []
        ends: list[Int64Array] = []
        cycle = last_id = 0
        for segment in segments:
            shift = last_id if len(segment.ids) and ids and segment.ids[0] <= last_id else 0
            ids.append(segment.ids + shift)
            starts.append(segment.start_cycles + cycle)
            ends.append(segment.end_cycles + cycle)
            cycle += segment.coverage.end
            last_id = int(ids[-1][-1]) if len(segment.ids) else last_id
        names = [name for segment in segments for name in segment.names]
        return MlaStats.from_columns(_joined(ids), names, _joined(starts), _joined(ends))

    @property
    def layers(self) -> Sequence[LayerStats]:
        """One `LayerStats` per layer, in the order of their ids."""
        return LayerSequence(self)

    @property
    def coverage(self) -> Coverage:
        """How the layers lie on the time axis, and what that means for the total."""
        return coverage_of(self.start_cycles, self.end_cycles)

    @property
    def total_cycles(self) -> int:
        """Cycles in which at least one layer runs; 0 without layers. `counting` says where that differs from a sum."""
        return self.coverage.covered

    @property
    def counting(self) -> str:
        """How `total_cycles` was counted, as a sentence; empty where the layers lie end to end from cycle 0."""
        return self.coverage.sentence

    def to_yaml(self) -> str:
        """The published form: ascending integer keys, two-space indent, ``name``, ``start_cycle``, ``end_cycle``."""
        if not self.names:
            return "{}\n"
        rows = zip(self.ids.tolist(), self.names, self.start_cycles.tolist(), self.end_cycles.tolist(), strict=True)
        return "".join(
            f"{id_}:\n  name: {_scalar(name)}\n  start_cycle: {start}\n  end_cycle: {end}\n"
            for id_, name, start, end in rows
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MlaStats):
            return NotImplemented
        return (
            self.names == other.names
            and np.array_equal(self.ids, other.ids)
            and np.array_equal(self.start_cycles, other.start_cycles)
            and np.array_equal(self.end_cycles, other.end_cycles)
        )

    def __hash__(self) -> int:
        return hash((self.names, self.total_cycles))

    def __repr__(self) -> str:
        return f"MlaStats({len(self.names)} layers, {self.total_cycles} cycles)"


def first_problem(ids: Int64Array, starts: Int64Array, ends: Int64Array) -> tuple[int, str] | None:
    """Index and sentence of the first layer that breaks a rule between columns, or None."""
    if not len(ids):
        return None
    order = np.argsort(ids, kind="stable")
    repeated = np.zeros(len(ids), dtype=bool)
    repeated[order[1:]] = ids[order[1:]] == ids[order[:-1]]
    broken = repeated | (ids < 0) | (starts < 0) | (ends < starts - 1)
    if not broken.any():
        return None
    index = int(np.argmax(broken))
    if repeated[index]:
        return index, f"the id {ids[index]} is used twice"
    if ids[index] < 0 or starts[index] < 0:
        return index, "ids and cycles are never negative"
    return index, f"end_cycle {ends[index]} lies before start_cycle {starts[index]}"


def parse_known_form(data: bytes) -> MlaStats | None:
    """Stats when every byte has one of the known forms and every rule holds; None sends the text to the YAML parser."""
    columns = read_fast(data)
    if columns is None or first_problem(columns[0], columns[2], columns[3]):
        return None
    return _sorted(columns[0], tuple(columns[1]), columns[2], columns[3])


def parse_any_form(text: bytes | str, entry: str, watch: Watch = unwatched) -> MlaStats:
    """Stats from any YAML spelling, event by event; errors as in `MlaStats.parse`."""
    columns = parse_columns(text, entry, watch)
    arrays = [np.array(column, dtype=np.int64) for column in (columns.ids, columns.starts, columns.ends)]
    problem = first_problem(*arrays)
    if problem:
        index, sentence = problem
        place = f"{entry}, line {columns.lines[index]}"
        raise SchemaError(f"{place}: layer {columns.ids[index]}: {sentence}", entry=entry)
    return _sorted(arrays[0], tuple(columns.names), arrays[1], arrays[2])


def _joined(columns: Sequence[Int64Array]) -> Int64Array:
    return np.concatenate([np.zeros(0, dtype=np.int64), *columns])


def _sorted(ids: Int64Array, names: tuple[str, ...], starts: Int64Array, ends: Int64Array) -> MlaStats:
    if np.any(ids[1:] < ids[:-1]):
        order = np.argsort(ids, kind="stable")
        ids, starts, ends = ids[order], starts[order], ends[order]
        names = tuple(names[i] for i in order.tolist())
    columns = [np.array(column) for column in (ids, starts, ends)]
    for column in columns:
        column.flags.writeable = False
    return MlaStats(columns[0], names, columns[1], columns[2])


def _scalar(name: str) -> str:
    """``name`` as a YAML scalar that reads back as the same text."""
    if is_plain_name(name):
        return name
    dumped: str = yaml.safe_dump(name, default_style='"', allow_unicode=False, width=1 << 30)
    return dumped.rstrip("\n")

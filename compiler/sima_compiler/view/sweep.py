"""What a sweep found: one row per combination of options, in the order in which they were asked for.

In: numbers of archives. Out: `SweepRow` and `SweepTable`. Always: a combination that failed is a row too, with its
reason; nothing in a row depends on when or where it was computed, so that two sweeps of the same points are equal.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sima_compiler.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One combination. Cycles and latency are for one run of the whole actual batch, MLA alone.

    ``key`` is the hash of what decides the result: model, options, machine, version. ``input_size`` is rows x columns,
    or empty for the model's own. A row that failed has ``problem`` (with ``problem_type`` and ``hint``) and no numbers.
    """

    key: str
    network: str
    input_size: str
    machine: str
    quads: int
    compress: bool
    desired_batch_size: int
    actual_batch_size: int | None = None
    runtime_cycles: int | None = None
    compute_cycles: int | None = None
    bound_cycles: int | None = None
    efficiency: float | None = None
    latency_us: float | None = None
    samples_per_second: float | None = None
    peak_on_chip_bytes: int | None = None
    dram_bytes: int | None = None
    archive_bytes: int | None = None
    archive: str = ""
    reason: str = ""
    problem: str = ""
    problem_type: str = ""
    hint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``--json``."""
        return asdict(self)


class Goal(StrEnum):
    """What a best row may be sought for."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"
    EFFICIENCY = "efficiency"
    ON_CHIP_MEMORY = "on_chip_memory"
    DRAM_TRAFFIC = "dram_traffic"
    ARCHIVE = "archive"


#: Goal -> the column that decides, and whether the largest is best.
_DECIDES = {
    Goal.LATENCY: ("latency_us", False),
    Goal.THROUGHPUT: ("samples_per_second", True),
    Goal.EFFICIENCY: ("efficiency", True),
    Goal.ON_CHIP_MEMORY: ("peak_on_chip_bytes", False),
    Goal.DRAM_TRAFFIC: ("dram_bytes", False),
    Goal.ARCHIVE: ("archive_bytes", False),
}


@dataclass(frozen=True, slots=True, repr=False)
class SweepTable:
    """All rows of a sweep. Iterates over them; ``len`` counts them."""

    rows: tuple[SweepRow, ...]

    def __iter__(self) -> Iterator[SweepRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> SweepRow:
        return self.rows[index]

    @property
    def built(self) -> tuple[SweepRow, ...]:
        """The rows that have numbers."""
        return tuple(row for row in self.rows if not row.problem)

    @property
    def failed(self) -> tuple[SweepRow, ...]:
        """The rows that have a reason instead."""
        return tuple(row for row in self.rows if row.problem)

    @property
    def pareto(self) -> tuple[SweepRow, ...]:
        """Rows that no other beats in both latency and throughput, the quickest first; of equal ones the first."""
        best = 0.0
        found: list[SweepRow] = []
        ordered = sorted(self.built, key=lambda row: (row.latency_us or 0.0, -(row.samples_per_second or 0.0)))
        for row in ordered:
            if (row.samples_per_second or 0.0) > best:
                best = row.samples_per_second or 0.0
                found.append(row)
        return tuple(found)

    def best(self, goal: str | Goal) -> SweepRow | None:
        """The row that serves a goal best, of equal ones the first; None where nothing was built.

        Raises:
            OptionError: no such goal.
        """
        if goal not in list(Goal):
            raise OptionError(f"no goal {str(goal)!r}", hint=f"goals: {', '.join(Goal)}")
        column, is_largest = _DECIDES[Goal(goal)]
        known = [row for row in self.built if getattr(row, column) is not None]
        if not known:
            return None
        return (max if is_largest else min)(known, key=lambda row: getattr(row, column))

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``--json``: rows [{...}], pareto [key], best {goal: key}, points, failed."""
        best = {str(goal): row.key for goal in Goal if (row := self.best(goal))}
        return {
            "points": len(self.rows),
            "failed": len(self.failed),
            "rows": [row.to_dict() for row in self.rows],
            "pareto": [row.key for row in self.pareto],
            "best": best,
        }

    def to_csv(self) -> str:
        """Every row with a head line; what is not known is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(row, name) for name in COLUMNS] for row in self.rows)
        return text.getvalue()

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame with a column per field.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError(
                "a DataFrame needs pandas, which is not installed", hint="pip install 'sima-nb[tables]'"
            ) from error
        return pd.DataFrame([row.to_dict() for row in self.rows], columns=list(COLUMNS))

    def __repr__(self) -> str:
        from sima_compiler.view.sweep_text import sweep_text

        return sweep_text(self)

    def _repr_html_(self) -> str:
        from sima_compiler.view.html.sweep import sweep_html

        return sweep_html(self)


COLUMNS = tuple(field.name for field in fields(SweepRow))


def varied(rows: Iterable[SweepRow]) -> tuple[str, ...]:
    """The options in which the rows differ, in the order of the fields: what a table has to show."""
    rows = list(rows)
    options = ("network", "input_size", "machine", "quads", "compress", "desired_batch_size")
    return tuple(name for name in options if len({getattr(row, name) for row in rows}) > 1)

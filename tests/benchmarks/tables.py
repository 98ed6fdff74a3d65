"""What a benchmark hands over: sections of rows, each row with its measured value, its limit and a verdict.

In: rows. Out: Markdown. A row without a limit states a fact; a row with one passes when its value is at most the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. ``facts`` are printed columns by name; ``value`` is compared with ``limit``."""

    name: str
    facts: Mapping[str, str]
    value: float | None = None
    limit: float | None = None

    @property
    def verdict(self) -> str:
        """``pass``, ``MISS`` or nothing."""
        if self.value is None or self.limit is None:
            return ""
        return "pass" if self.value <= self.limit else "MISS"


@dataclass(frozen=True, slots=True)
class Section:
    """A table: its title, how to make it again, what its numbers mean, and its rows."""

    title: str
    command: str
    text: str
    rows: Sequence[Row] = field(default=())

    @property
    def missed(self) -> list[Row]:
        """Rows beyond their limit."""
        return [row for row in self.rows if row.verdict == "MISS"]

    def markdown(self) -> str:
        """The section as Markdown."""
        lines = [f"## {self.title}", "", self.text, "", f"Made by `{self.command}`.", ""]
        if self.rows:
            lines += self._table()
        return "\n".join(lines)

    def _table(self) -> list[str]:
        columns = list(dict.fromkeys(key for row in self.rows for key in row.facts))
        judged = any(row.limit is not None for row in self.rows)
        valued = any(row.value is not None for row in self.rows)
        header = ["", *columns, *(["ratio"] if valued else []), *(["limit", "verdict"] if judged else [])]
        lines = [_line(header), _line(["---"] * len(header))]
        for row in self.rows:
            cells = [row.name, *(row.facts.get(column, "") for column in columns)]
            cells += [_number(row.value)] if valued else []
            cells += [_number(row.limit), row.verdict] if judged else []
            lines.append(_line(cells))
        return [*lines, ""]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")

"""A sweep as plain text: what was varied, a line per combination, and the best of each kind.

In: a `SweepTable`. Out: lines; the HTML form takes its cells from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sima_compiler.view import plain, units
from sima_compiler.view.sweep import Goal, SweepRow, SweepTable, varied

_OPTIONS = {
    "network": "network",
    "input_size": "input",
    "machine": "machine",
    "quads": "quads",
    "compress": "weights",
    "desired_batch_size": "asked for",
}
_NUMBERS = ("batch", "cycles", "latency", "samples/s", "efficiency", "on chip", "archive", "")
#: What a goal is called, and the number that decided.
_GOALS = {
    Goal.LATENCY: "lowest latency",
    Goal.THROUGHPUT: "highest throughput",
    Goal.EFFICIENCY: "highest efficiency",
    Goal.ON_CHIP_MEMORY: "least memory on chip",
    Goal.DRAM_TRAFFIC: "least DRAM traffic",
    Goal.ARCHIVE: "smallest archive",
}


def sweep_text(table: SweepTable) -> str:
    """The table for a terminal."""
    columns = columns_of(table)
    body = plain.table(columns, rows_of(table), right=right_of(table))
    return "\n\n".join(part for part in (plain.pairs(facts_of(table)), body, _failures(table)) if part)


def columns_of(table: SweepTable) -> tuple[str, ...]:
    """Options that vary, then the numbers."""
    return (*(_OPTIONS[name] for name in varied(table)), *_NUMBERS)


def right_of(table: SweepTable) -> tuple[int, ...]:
    """The columns that hold numbers."""
    options = [place for place, name in enumerate(varied(table)) if name in ("quads", "desired_batch_size")]
    first = len(varied(table))
    return (*options, *range(first, first + len(_NUMBERS) - 1))


def rows_of(table: SweepTable) -> list[tuple[str, ...]]:
    """The cells of every row in the order of `columns_of`."""
    frontier, names = {row.key for row in table.pareto}, varied(table)
    return [(*(option(row, name) for name in names), *_numbers(row, row.key in frontier)) for row in table]


def option(row: SweepRow, name: str) -> str:
    """An option's value in words."""
    value = getattr(row, name)
    if name == "compress":
        return "compressed" if value else "raw"
    return str(value) or "its own"


def described(row: SweepRow, names: Sequence[str]) -> str:
    """The combination in words: ``quads 4, weights raw``."""
    return ", ".join(f"{_OPTIONS[name]} {option(row, name)}" for name in names) or row.network


def facts_of(table: SweepTable) -> list[tuple[str, str]]:
    """Counts and the best rows as label and value."""
    names = varied(table)
    failed = f", {units.count(len(table.failed))} of them failed" if table.failed else ""
    best = [(_GOALS[goal], row) for goal in Goal if (row := table.best(goal))]
    return [
        ("points", f"{units.count(len(table))}{failed}"),
        *((label, f"{described(row, names)}: {summary(row)}") for label, row in best),
        *plain.paragraph("cycles", "of the open machine model, MLA alone, for one run of the whole batch") * bool(best),
    ]


def summary(row: SweepRow) -> str:
    """The numbers of a row in one phrase."""
    return f"batch {row.actual_batch_size}, {_latency(row)}, {units.short_rate(row.samples_per_second or 0)} samples/s"


def _numbers(row: SweepRow, is_on_frontier: bool) -> tuple[str, ...]:
    if row.problem:
        return (*(units.NOT_RECORDED,) * (len(_NUMBERS) - 1), row.problem_type or "failed")
    return (
        str(row.actual_batch_size),
        _known(units.count, row.runtime_cycles),
        _latency(row),
        _known(units.short_rate, row.samples_per_second),
        _known(units.percent, row.efficiency),
        _known(units.size, row.peak_on_chip_bytes),
        _known(units.size, row.archive_bytes),
        "Pareto" if is_on_frontier else "",
    )


def _latency(row: SweepRow) -> str:
    # A clock of 1 MHz: a cycle is a microsecond then, and the rounding rules of durations apply as they are.
    return _known(lambda value: units.duration(value, 1.0), row.latency_us)


def _known(written: Callable[[Any], str], value: float | None) -> str:
    return units.NOT_RECORDED if value is None else written(value)


def failures_of(table: SweepTable) -> list[tuple[str, str, str, str]]:
    """What failed, why, and what to try: combinations that fail alike stand together."""
    names = varied(table)
    alike: dict[tuple[str, str, str], list[str]] = {}
    for row in table.failed:
        alike.setdefault((row.problem_type, row.problem, row.hint), []).append(described(row, names))
    return [(_few(found), *reason) for reason, found in alike.items()]


def _few(combinations: Sequence[str]) -> str:
    rest = len(combinations) - 1
    return f"{combinations[0]}{f' and {units.count(rest)} more' if rest else ''}"


def _failures(table: SweepTable) -> str:
    lines = [
        line
        for combinations, _, problem, hint in failures_of(table)
        for line in plain.paragraph(combinations, f"{problem}{f' ({hint})' if hint else ''}")
    ]
    return f"failed\n{plain.pairs(lines)}" if lines else ""

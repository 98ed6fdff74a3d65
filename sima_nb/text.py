"""The summary as plain text, for terminals, screen readers, and notebooks without HTML.

In: `Facts`. Out: lines of text; the same facts and numbers as the HTML.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import PurePath

from sima_compiler import printable
from sima_nb import units
from sima_nb.facts import CandidateFact, Facts

#: Layers in the text form of the Gantt chart.
TOP_LAYERS = 12
_BAR_WIDTH = 28


def summary_text(facts: Facts) -> str:
    """Facts, longest layers, archive tree and batch table."""
    parts = [facts_text(facts), gantt_text(facts), tree_text(facts), batch_text(facts)]
    return "\n\n".join(part for part in parts if part)


def facts_text(facts: Facts) -> str:
    """The facts on top: batch, time, efficiency, stalls, plugins, warnings."""
    clock = f"{facts.clock_mhz:g} MHz{' assumed' if facts.clock_assumed else ''}"
    rows = [
        ("archive", facts.path),
        ("batch", _batch(facts)),
        *(("", line) for line in textwrap.wrap(facts.batch_sentence, 100)),
    ]
    if facts.left_to_host:
        rows.append(("host", facts.host_sentence))
    if facts.cycles:
        known = "stalls included" if facts.runtime_cycles is not None else "compute only"
        rows += [
            ("cycles", f"{units.count(facts.cycles)} for one run of the whole batch, {known}"),
            ("latency", f"{units.duration(facts.cycles, facts.clock_mhz)} at {clock}"),
            *(("", line) for line in textwrap.wrap(facts.counting, 100)),
            ("throughput", f"{units.short_rate(facts.samples_per_second)} samples per second"),
        ]
    if facts.efficiency is not None:
        rows.append(("efficiency", f"{units.percent(facts.efficiency)} of the bound{_bound(facts)}"))
    if facts.stall_cycles:
        rows.append(("stalls", _stalls(facts)))
    if facts.plugins:
        rows.append(("plugins", ", ".join(f"{number} {name}" for name, number in facts.plugin_counts.items())))
    rows += [("warning", warning) for warning in facts.warnings]
    return "\n".join([printable(facts.name), *(f"  {label:<11}{printable(value)}" for label, value in rows)])


def gantt_text(facts: Facts) -> str:
    """The longest layers in schedule order, each with a bar on the time axis."""
    if not facts.layers:
        return ""
    longest = sorted(facts.layers, key=lambda layer: -layer.cycles)[:TOP_LAYERS]
    total = max(1, *(layer.end_cycle + 1 for layer in facts.layers))
    rows = [
        (
            layer.name,
            _bar(layer.start_cycle, layer.cycles, total),
            units.count(layer.cycles),
            units.percent(layer.share),
        )
        for layer in sorted(longest, key=lambda layer: layer.id)
    ]
    title = f"Layers: the {len(rows)} longest of {units.count(len(facts.layers))}, static schedule"
    return f"{title}\n{table(('layer', 'time', 'cycles', 'share'), rows, right=(2, 3))}"


def tree_text(facts: Facts) -> str:
    """The archive's files with sizes."""
    if not facts.files:
        return ""
    width = max(len(file.name) for file in facts.files)
    last = len(facts.files) - 1
    lines = [
        f"{'└──' if index == last else '├──'} {file.name:<{width}}  {units.size(file.bytes):>10}"
        for index, file in enumerate(facts.files)
    ]
    return "\n".join([printable(PurePath(facts.path).name or facts.name), *map(printable, lines)])


def batch_text(facts: Facts) -> str:
    """The batch sizes that the compiler weighed, one line each."""
    if not facts.candidates:
        return ""
    rows = [_candidate(candidate, facts.actual_batch) for candidate in facts.candidates]
    columns = ("batch", "verdict", "cycles/sample", "samples/s", "on chip", "limited by")
    return f"Batch sizes\n{table(columns, rows, right=(0, 2, 3, 4))}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns padded to their widest cell; those in ``right`` end flush."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in cells) for cells in zip(columns, *rows, strict=True)]
    return "\n".join(
        "  "
        + "  ".join(
            f"{cell:>{width}}" if index in right else f"{cell:<{width}}"
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (columns, *rows)
    )


def _batch(facts: Facts) -> str:
    desired = facts.desired_batch if facts.desired_batch is not None else "unknown"
    actual = facts.actual_batch if facts.actual_batch is not None else "unknown"
    return f"{desired} desired -> {actual} actual"


def _bound(facts: Facts) -> str:
    return f" ({units.count(facts.bound_cycles)} cycles)" if facts.bound_cycles else ""


def _stalls(facts: Facts) -> str:
    parts = [f"{name} {units.count(cycles)}" for name, cycles in facts.stall_cycles.items()]
    stalled = sum(facts.stall_cycles.values())
    total = units.count(facts.compute_cycles + stalled)
    return f"{' + '.join(parts)} = {units.count(stalled)}; with compute {units.count(facts.compute_cycles)} = {total}"


def _bar(start: int, cycles: int, total: int) -> str:
    left = min(start * _BAR_WIDTH // total, _BAR_WIDTH - 1)
    width = max(1, min(round(cycles * _BAR_WIDTH / total), _BAR_WIDTH - left))
    return f"{'·' * left}{'█' * width}{'·' * (_BAR_WIDTH - left - width)}"


def _candidate(candidate: CandidateFact, actual: int | None) -> tuple[str, ...]:
    verdict = candidate.verdict(actual)
    return (
        str(candidate.batch),
        f"{verdict}, {candidate.how}" if candidate.how else verdict,
        units.count(candidate.cycles_per_sample) if candidate.cycles_per_sample else "-",
        units.short_rate(candidate.samples_per_second) if candidate.samples_per_second else "-",
        units.size(candidate.peak_bytes) if candidate.peak_bytes else "-",
        candidate.limiting or ("" if candidate.feasible else candidate.reason) or "-",
    )

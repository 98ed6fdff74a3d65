"""The View as plain text, for terminals, screen readers, and notebooks without HTML.

In: a `View`. Out: lines of text; the same facts and numbers as the HTML.
"""

from __future__ import annotations

import textwrap
from pathlib import PurePath

from sima_compiler.screen import printable
from sima_compiler.view import units, wordings
from sima_compiler.view.batch_text import batch_text
from sima_compiler.view.details import layer_share
from sima_compiler.view.hosts import host_text
from sima_compiler.view.layers import longest_layers, scheduled_count
from sima_compiler.view.plain import paragraph, table
from sima_compiler.view.records import View

#: Layers in the text form of the Gantt chart.
TOP_LAYERS = 12
_BAR_WIDTH = 20
_WIDTH = 100


def view_text(view: View) -> str:
    """Facts, advice, longest layers, archive tree and batch table."""
    hosts = host_text(view.host_layers) if view.host_layers else ""
    parts = [facts_text(view), hosts, advice_text(view), gantt_text(view), tree_text(view), batch_text(view)]
    return "\n\n".join(part for part in parts if part)


def short_text(view: View) -> str:
    """The facts, and where the rest is: for outputs that hold the HTML too."""
    return f"{facts_text(view)}\n\nLayers, memory, files and batch sizes are in the HTML form of this output."


def facts_text(view: View) -> str:
    """The facts on top: batch, time, efficiency, causes, plugins, warnings."""
    rows = [
        ("archive" if view.kind == "archive" else "statistics", view.path),
        *([("batch", _batch(view))] if view.kind == "archive" else []),
        *(("", line) for line in textwrap.wrap(view.batch.sentence, _WIDTH)),
    ]
    rows += [
        ("host" if not place else "", line) for place, line in enumerate(textwrap.wrap(view.host_sentence, _WIDTH))
    ]
    rows += _time_rows(view)
    if view.totals.efficiency is not None:
        rows.append(("efficiency", f"{units.percent(view.totals.efficiency)} of the bound{_bound(view)}"))
    if view.stall_cycles:
        rows.append(("stalls", _stalls(view)))
    if view.plugins:
        rows.append(("plugins", ", ".join(f"{number} {name}" for name, number in view.plugin_counts.items())))
    rows += [("warning", warning) for warning in view.warnings]
    rows += [line for sentence in view.totals.counted for line in paragraph("counted", sentence)]
    return "\n".join([printable(view.name), *(f"  {label:<11}{printable(value)}" for label, value in rows)])


def advice_text(view: View) -> str:
    """What costs time and what to do about it, the costliest first; empty where nothing is found."""
    lines = ["Advice"] if view.findings else []
    for number, finding in enumerate(view.findings, 1):
        gain = wordings.gain(finding.cycles, finding.bytes, finding.steps)
        lines.append(printable(f"  {number}. {finding.title}{f' ({gain})' if gain else ''}"))
        for sentence in (finding.evidence, finding.advice):
            lines += textwrap.wrap(printable(sentence), _WIDTH, initial_indent="     ", subsequent_indent="     ")
    return "\n".join(lines)


def gantt_text(view: View) -> str:
    """The longest layers in schedule order, each with a bar on the time axis."""
    layers = longest_layers(view.layers, TOP_LAYERS)
    if not layers:
        return ""
    total = max(1, view.totals.static_cycles)
    rows = [
        (
            layer.name,
            _bar(layer.start_cycle or 0, layer.compute_cycles or 0, total),
            units.count(layer.compute_cycles or 0),
            units.percent(layer_share(layer, view)),
        )
        for layer in layers
    ]
    title = f"Layers: the {len(rows)} longest of {units.count(scheduled_count(view.layers))}, static schedule"
    return f"{title}\n{textwrap.indent(table(('layer', 'time', 'cycles', 'share'), rows, right=(2, 3)), '  ')}"


def tree_text(view: View) -> str:
    """The archive's files with sizes."""
    if not view.files:
        return ""
    names = [printable(file.name) for file in view.files]
    width, last = max(map(len, names)), len(names) - 1
    lines = [
        f"{'└──' if index == last else '├──'} {name:<{width}}  {units.size(file.bytes):>10}"
        for index, (name, file) in enumerate(zip(names, view.files, strict=True))
    ]
    return "\n".join([printable(PurePath(view.path).name or view.name), *lines])


def _batch(view: View) -> str:
    desired, actual = view.batch.desired_batch_size, view.batch.actual_batch_size
    return f"{'unknown' if desired is None else desired} desired -> {'unknown' if actual is None else actual} actual"


def _time_rows(view: View) -> list[tuple[str, str]]:
    """Cycles, latency and rate, with what they include; nothing where no cycles are known."""
    totals, machine = view.totals, view.machine
    if not totals.cycles:
        return []
    known = view.wordings["cycles_static" if totals.runtime_cycles is None else "cycles_run"]
    clock = units.clock(machine.clock_mhz) + (" assumed" if machine.clock_assumed else "")
    rows = [
        ("cycles", f"{units.count(totals.cycles)} for one run of the whole batch, {known}"),
        ("latency", f"{units.duration(totals.cycles, machine.clock_mhz)} at {clock}, {view.wordings['mla_alone']}"),
    ]
    if totals.samples_per_second:
        rows.append(("throughput", f"{units.short_rate(totals.samples_per_second)} samples per second"))
    return rows


def _bound(view: View) -> str:
    return f" ({units.count(view.totals.bound_cycles)} cycles)" if view.totals.bound_cycles else ""


def _stalls(view: View) -> str:
    parts = [f"{name} {units.count(cycles)}" for name, cycles in view.stall_cycles.items()]
    stalled, compute = sum(view.stall_cycles.values()), view.totals.compute_cycles
    total = units.count(compute + stalled)
    return f"{' + '.join(parts)} = {units.count(stalled)}; with compute {units.count(compute)} = {total}"


def _bar(start: int, cycles: int, total: int) -> str:
    left = min(start * _BAR_WIDTH // total, _BAR_WIDTH - 1)
    width = max(1, min(round(cycles * _BAR_WIDTH / total), _BAR_WIDTH - left))
    return f"{'·' * left}{'█' * width}"

"""A comparison as plain text.

In: a `Comparison`. Out: lines; the numbers of `Comparison.to_dict`.
"""

from __future__ import annotations

from sima_compiler.screen import printable
from sima_compiler.view import units
from sima_compiler.view.compare import Comparison, FileChange, LayerChange, TotalChange
from sima_compiler.view.plain import pairs, paragraph, table

TOTAL_COLUMNS = ("total", "before", "after", "change")
LAYER_COLUMNS = ("layer", "before", "after", "difference", "change", "")
FILE_COLUMNS = ("file", "before", "after", "change")


def comparison_text(found: Comparison, over: float | None = None) -> str:
    """Totals, layers (with ``over`` those that changed by more than so many percent), files, notes."""
    head = pairs([("before", found.before.path), ("after", found.after.path), *_notes(found)])
    return "\n\n".join(part for part in (head, _totals(found), _layers(found, over), _files(found)) if part)


def comparison_facts(found: Comparison) -> str:
    """Totals and notes, and where the rest is: for outputs that hold the HTML too."""
    head = pairs([("before", found.before.path), ("after", found.after.path), *_notes(found)])
    return f"{head}\n\n{_totals(found)}\n\n{layers_sentence(found)}\n\nThe layers are in the HTML form of this output."


def _notes(found: Comparison) -> list[tuple[str, str]]:
    return [line for note in found.notes for line in paragraph("note", note)]


def _totals(found: Comparison) -> str:
    return table(TOTAL_COLUMNS, [total_cells(row) for row in found.totals], right=(1, 2, 3))


def total_cells(row: TotalChange) -> tuple[str, ...]:
    """One number of the network in the order of `TOTAL_COLUMNS`."""
    return (row.label, _value(row, row.before), _value(row, row.after), _total_change(row))


def _layers(found: Comparison, over: float | None) -> str:
    shown = found.layers if over is None else found.over(over)
    summary = layers_sentence(found)
    if over is not None:
        summary += f"; {units.count(len(shown))} over {over:g} % shown"
    if not shown:
        return summary
    rows = [layer_cells(row) for row in shown]
    title = "Layers, run" if found.measure == "runtime_cycles" else "Layers, static schedule"
    return f"{title}\n{table(LAYER_COLUMNS, rows, right=(1, 2, 3, 4))}\n{summary}"


def layers_sentence(found: Comparison) -> str:
    """How many layers changed, came and went, and what that makes together."""
    counts = ", ".join(f"{units.count(number)} {what}" for what, number in found.counts.items())
    return f"{units.count(len(found.layers))} layers: {counts}; together {units.signed(found.layer_change)} cycles"


def layer_cells(row: LayerChange) -> tuple[str, ...]:
    """One layer in the order of `LAYER_COLUMNS`."""
    remark = row.what if row.what in {"added", "gone"} else f"was {row.other}" if row.other else ""
    return (
        row.name,
        _cycles(row.before),
        _cycles(row.after),
        units.signed(row.change),
        units.change(row.before, row.after) if row.what in {"changed", "same"} else "",
        remark,
    )


def _files(found: Comparison) -> str:
    rows = [file_cells(file) for file in found.files]
    return table(FILE_COLUMNS, rows, right=(1, 2, 3)) if rows else ""


def file_cells(file: FileChange) -> tuple[str, ...]:
    """One file in the order of `FILE_COLUMNS`."""
    return (printable(file.name), _size(file.before), _size(file.after), _file_change(file))


def _size(value: int | None) -> str:
    return units.NOT_RECORDED if value is None else units.size(value)


def _value(row: TotalChange, value: float | None) -> str:
    if value is None:
        return units.NOT_RECORDED
    match row.unit:
        case "bytes":
            return units.size(int(value))
        case "share":
            return units.percent(value)
        case "rate":
            return units.short_rate(value)
        case "us":
            return units.duration(value, 1)
        case _:
            return units.count(value)


def _total_change(row: TotalChange) -> str:
    return (units.points if row.unit == "share" else units.change)(row.before, row.after)


def _file_change(file: FileChange) -> str:
    if file.before is None:
        return "added"
    return "gone" if file.after is None else units.change(file.before, file.after)


def _cycles(value: int | None) -> str:
    return units.NOT_RECORDED if value is None else units.count(value)

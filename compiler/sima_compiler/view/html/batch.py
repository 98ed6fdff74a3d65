"""The batch view: candidates as a chart and as a table, with what limited the choice.

In: a `View`. Out: markup; a sentence when the archive holds no report of the negotiation.
"""

from __future__ import annotations

from sima_compiler.archive.report_records import BatchCandidate
from sima_compiler.view import units, wordings
from sima_compiler.view.html.markup import Markup, join, tag
from sima_compiler.view.palette import BLUE, GREY
from sima_compiler.view.records import View


def batch_view(view: View) -> Markup:
    """Chart and table of the batch sizes."""
    if not view.candidates:
        text = f"{view.batch.sentence} {view.wordings['no_candidates']}"
        return tag("p", text, class_="sima-note")
    return join([_chart(view), tag("div", _table(view), class_="sima-scroll", tabindex="0")])


def _chart(view: View) -> Markup:
    rated = [candidate for candidate in view.candidates if candidate.samples_per_second]
    if len(rated) < 2:
        return Markup("")
    best = max(candidate.samples_per_second or 0.0 for candidate in rated)
    slot = 100 / len(rated)
    bars = [_column(view, candidate, index, slot, best) for index, candidate in enumerate(rated)]
    label = "samples per second by batch size; " + "; ".join(
        f"{c.batch_size}: {units.short_rate(c.samples_per_second or 0)}" for c in rated
    )
    caption = "Samples per second by batch size; blue is built"
    caption += "." if all(candidate.feasible for candidate in rated) else ", outlined is not feasible."
    chart = tag("svg", *bars, width="100%", height="150", role="img", aria_label=label)
    return tag("figure", chart, tag("figcaption", caption), class_="sima-chart")


def _column(view: View, candidate: BatchCandidate, index: int, slot: float, best: float) -> Markup:
    height = 100 * (candidate.samples_per_second or 0.0) / best
    middle = slot * (index + 0.5)
    where, anchor = _label_place(middle, slot)
    built = candidate.batch_size == view.batch.actual_batch_size
    width = min(slot * 0.7, 9.0)
    fill = BLUE if built else GREY if candidate.feasible else "none"
    bar = tag(
        "rect",
        x=f"{middle - width / 2:.2f}%",
        y=f"{128 - height:.1f}",
        width=f"{width:.2f}%",
        height=f"{height:.1f}",
        rx="2",
        fill=fill,
        stroke=GREY if fill == "none" else fill,
        stroke_dasharray="3 2" if fill == "none" else None,
    )
    top = tag(
        "text",
        units.short_rate(candidate.samples_per_second or 0.0),
        x=f"{where:.2f}%",
        y=f"{122 - height:.1f}",
        text_anchor=anchor,
        class_="sima-built" if built else None,
    )
    bottom = tag(
        "text",
        candidate.batch_size,
        x=f"{middle:.2f}%",
        y="145",
        text_anchor="middle",
        class_="sima-built" if built else None,
    )
    parts = [bar, bottom] if len(view.candidates) > 12 and not built else [bar, top, bottom]
    return tag("g", tag("title", _title(candidate)), *parts)


def _label_place(middle: float, slot: float) -> tuple[float, str]:
    """Where a number wider than its slot stands: outer ones lean inwards, so that none is cut at the chart's edge."""
    if slot > 10:
        return middle, "middle"
    if middle + slot > 100:
        return 100, "end"
    return (0, "start") if middle < slot else (middle, "middle")


def _title(candidate: BatchCandidate) -> str:
    state = "feasible" if candidate.feasible else "not feasible"
    return f"batch {candidate.batch_size}: {state}. {candidate.reason}".strip()


def _table(view: View) -> Markup:
    columns = ("Batch", "Verdict", "Cycles / sample", "Samples / s", "Peak on chip", "Limited by", "What would help")
    numeric = {"Batch", "Cycles / sample", "Samples / s", "Peak on chip"}
    head = tag("tr", *(tag("th", c, scope="col", class_="sima-number" if c in numeric else None) for c in columns))
    return tag(
        "table", tag("thead", head), tag("tbody", *(_row(view, c) for c in view.candidates)), class_="sima-table"
    )


def _row(view: View, candidate: BatchCandidate) -> Markup:
    built = candidate.batch_size == view.batch.actual_batch_size
    verdict, how = wordings.verdict(candidate, view.batch.actual_batch_size), wordings.basis(candidate)
    basis = tag("small", f" {how}") if how else ""
    cycles, speed, peak = candidate.cycles_per_sample, candidate.samples_per_second, candidate.peak_on_chip_bytes
    limited = wordings.limited_by(candidate) or ("" if candidate.feasible else candidate.reason)
    return tag(
        "tr",
        tag("th", candidate.batch_size, scope="row", class_="sima-number"),
        tag("td", tag("span", verdict, class_="sima-verdict" if candidate.feasible else "sima-refused"), basis),
        tag("td", units.count(cycles) if cycles else "–", class_="sima-number"),
        tag("td", units.short_rate(speed) if speed else "–", class_="sima-number"),
        tag("td", units.size(peak) if peak else "–", class_="sima-number"),
        tag("td", limited or "–"),
        tag("td", "; ".join(lever.text for lever in candidate.levers) or "–"),
        class_="sima-row-built" if built else None,
        title=candidate.reason or None,
    )

"""Batch sizes that say the same become one row, in Python as in the browser, and no answer is lost on the way."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sima_compiler.archive.report_records import BatchCandidate, Lever, LimitingTensor
from sima_compiler.view import units, wordings
from sima_compiler.view.batch_text import batch_text, negotiation_text
from sima_compiler.view.columns import to_json
from sima_compiler.view.folding import answered, folded
from sima_compiler.view.html.batch import batch_html
from sima_compiler.view.reading import view_of_path
from sima_compiler.view.records import View
from sima_compiler.view.tables import Table

VIEW = view_of_path(Path(__file__).parents[1] / "archive" / "samples" / "report_1_0_tiny_mpk.tar.gz")
CASES = json.loads((Path(__file__).parent / "folding_cases.json").read_text("utf-8"))


def weighed(*rows: BatchCandidate, actual: int | None) -> View:
    """A View of those sizes."""
    batch = replace(VIEW.batch, desired_batch_size=rows[-1].batch_size, actual_batch_size=actual)
    view = replace(VIEW, batch=batch, candidates=Table.of(BatchCandidate, rows))
    return replace(view, batch=answered(view))


def candidate(fields: dict[str, Any]) -> BatchCandidate:
    tensors = tuple(LimitingTensor(**tensor) for tensor in fields.get("limiting_tensors", ()))
    plain = {"feasible": False, "status": "does_not_fit", "reason": "", "limiting_layer": "a"}
    return BatchCandidate(**{**plain, **fields, "limiting_tensors": tensors})


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_rows_are_folded_as_committed(case: dict[str, Any]) -> None:
    view = weighed(*map(candidate, case["rows"]), actual=case["actual"])
    assert [f"{row.sizes}: {row.verdict}" for row in folded(view)] == case["folded"]


def test_every_form_folds_and_none_drops_a_reason_or_a_lever() -> None:
    """The lever stands at the size that was asked for, which is folded into the row of the sizes before it."""
    lever = Lever("4 quads instead of 1", feasible=True, largest_batch_size=9, cycles_per_sample=1234.0)
    small = BatchCandidate(1, feasible=True, status="scheduled", cycles=900, cycles_per_sample=900.0, reason="fast")
    built = BatchCandidate(2, feasible=True, status="scheduled", cycles=1802, cycles_per_sample=901.0, reason="built")
    large = [
        BatchCandidate(size, feasible=False, status="does_not_fit", limiting_layer="MLA_0/conv_7",
                       reason=f"needs {size} MiB where 2 MiB are", levers=(lever,) if size == 9 else ())
        for size in range(3, 10)
    ]  # fmt: skip
    view = weighed(small, built, *large, actual=2)
    said = (
        "Batch 3: needs 3 MiB where 2 MiB are. Limited by MLA_0/conv_7.",
        "Batch 1 needs 900 cycles per sample where 2 needs 901: 0.1 % fewer.",
        "4 quads instead of 1: batch 9, 1,234 cycles per sample",
    )
    batch = to_json(view)["view"]["batch"]
    carried = [batch["why_not_more"], batch["why_not_faster"], *batch["would_help"]]
    for form in (batch_text(view), negotiation_text(view), batch_html(view), "\n".join(carried)):
        for sentence in said:
            assert sentence in " ".join(form.split())
    rows = [line for line in batch_text(view).splitlines() if "does not fit" in line]
    assert [row.split()[:3] for row in rows] == [["3", "to", "9"]]
    assert batch_html(view).count("<td>does not fit<") == 1


def test_where_nobody_planned_with_anything_every_form_says_how_to() -> None:
    view = weighed(BatchCandidate(1, feasible=True, status="scheduled", cycles=9, cycles_per_sample=9.0), actual=1)
    for form in (batch_text(view), negotiation_text(view), batch_html(view)):
        assert view.wordings["levers_not_planned"] in " ".join(form.split())


def test_each_row_has_its_own_numbers_and_a_bar_of_its_own_kind() -> None:
    """A size that cannot be built is drawn by another letter, however fast it would be."""
    lines = batch_text(VIEW).splitlines()
    for row in folded(VIEW):
        (line,) = (line for line in lines if re.match(rf"  {row.sizes} +{row.verdict}\b", line))
        first = row.first
        assert ("█" in line) == (first.feasible and bool(first.samples_per_second))
        assert ("░" in line) == (not first.feasible and bool(first.samples_per_second))
        for write, value in (
            (units.count, first.cycles_per_sample),
            (units.short_rate, first.samples_per_second),
            (units.size, first.peak_on_chip_bytes),
        ):
            assert value is None or f" {write(value)} " in line


@pytest.mark.parametrize(
    ("lever", "sentence"),
    [
        (Lever("a"), "a (not planned)"),
        (Lever("a", what_if=True), "what if: a (not planned)"),
        (Lever("a", feasible=False), "a: no batch fits"),
        (Lever("a", feasible=False, what_if=True, reason="cannot be planned: b"), "what if: a: cannot be planned: b"),
        (
            Lever("a", True, 8, 1234.4, False, 81_234.5),
            "a: batch 8, 1,234 cycles per sample, 81,234 samples per second",
        ),
        (Lever("a", False, 4, 1234.4, True), "what if: a: batch 4, 1,234 cycles per sample, not enough by itself"),
    ],
    ids=str,
)
def test_a_lever_says_what_it_gave(lever: Lever, sentence: str) -> None:
    assert wordings.lever_sentence(lever) == sentence

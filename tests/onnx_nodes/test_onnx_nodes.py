"""onnx's node tests: what the committed table says of every operator is so, and no element is wrong."""

from __future__ import annotations

from tests.onnx_nodes.cases import BYTES, OPERATORS, cases
from tests.onnx_nodes.run import PAGE, outcomes, page


def test_every_case_ends_as_the_committed_table_says() -> None:
    committed = PAGE.read_text("utf-8")
    assert committed == page(outcomes()), "run: python -m tests.onnx_nodes.run, and read the difference"


def test_every_operator_of_the_list_has_cases() -> None:
    tried = {case.operator for case in cases()}
    assert tried >= (OPERATORS | BYTES)

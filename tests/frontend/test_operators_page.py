"""The committed page of operators is what the rules say; the reading of rules out of the code finds what it must."""

from __future__ import annotations

from pathlib import Path

import pytest

from sima_compiler.frontend import movement, rules, weighted, windows
from sima_compiler.frontend.onnx_qdq import CONVERTERS
from sima_compiler.frontend.operators_page import all_rules, page, rules_of

ROOT = Path(__file__).parents[2]


def test_the_committed_page_is_up_to_date() -> None:
    committed = (ROOT / "docs" / "operators.md").read_text("utf-8")
    assert committed == page(), "run: python -m sima_compiler.frontend.operators_page > docs/operators.md"


def test_the_page_names_every_operator_and_every_rule() -> None:
    text = page()
    assert [name for name in CONVERTERS if f"`{name}`" not in text.split("## QOperator")[0]] == []
    assert [name for name, rule in all_rules().items() if rule.sentence not in text] == []


@pytest.mark.parametrize(
    ("converter", "found", "absent"),
    [
        (weighted.convert_conv, (rules.CONV_STRIDE, rules.IMAGE_RANK, rules.WEIGHTS_CONSTANT), (rules.POOL_STRIDE,)),
        (windows.convert_max_pool, (rules.POOL_SIZE, rules.POOL_STRIDE), (rules.CONV_STRIDE, rules.WEIGHTS_CONSTANT)),
        (movement.convert_slice, (rules.SLICE_STEP, rules.BATCH_FIRST), (rules.CONV_STRIDE,)),
    ],
    ids=["direct and through functions", "another module", "through the reader"],
)
def test_rules_are_found_in_the_code_that_checks_them(converter, found, absent) -> None:
    named = rules_of(converter)
    assert [rule.sentence for rule in found if rule not in named] == []
    assert [rule.sentence for rule in absent if rule in named] == []


def test_the_readme_links_to_it() -> None:
    assert "(docs/operators.md)" in (ROOT / "README.md").read_text("utf-8")

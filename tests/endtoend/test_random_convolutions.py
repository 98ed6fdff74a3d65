"""The first of the random convolutions and transposed convolutions that ``make test-long`` judges a thousand of."""

from __future__ import annotations

from pathlib import Path

import pytest

from sima_compiler.frontend.float_inside import FLOAT_INSIDE
from sima_compiler.ir.graph import Op
from tests.long.convolutions import drawn, judge

#: As many as take half a minute of one core.
COUNT, CHUNK = 300, 60
#: All inputs of a phase lie beside the map; results beyond the last input.
ONCE_WRONG = (263, 299)


@pytest.mark.parametrize("first", range(0, COUNT, CHUNK))
def test_random_convolutions_agree(first: int, tmp_path: Path) -> None:
    found = [judge(seed, tmp_path) for seed in range(first, first + CHUNK)]
    transposed = [difference for difference in found if difference is not None]
    assert len(transposed) == CHUNK // 2
    off, elements = (sum(getattr(one, name) for one in transposed) for name in ("off", "elements"))
    assert off <= max(1, FLOAT_INSIDE[Op.CONV_TRANSPOSE].share * elements)


@pytest.mark.parametrize("seed", ONCE_WRONG)
def test_those_that_were_once_wrong(seed: int, tmp_path: Path) -> None:
    assert drawn(seed).transposed
    assert judge(seed, tmp_path) is not None

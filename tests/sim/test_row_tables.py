"""Tables that operators over whole rows share: known at both ends."""

from __future__ import annotations

import math

import numpy as np

from sima_compiler.rowwise import real_exponentials


def test_the_largest_byte_has_the_exponential_one() -> None:
    table = real_exponentials(0.02)
    assert table[255] == 1.0
    assert table[0] == np.float32(math.exp(-255 * float(np.float32(0.02))))
    assert table.dtype == np.float32
    assert len(table) == 256
    assert (np.diff(table) > 0).all()

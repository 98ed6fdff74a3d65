"""One small program with every table filled."""

from __future__ import annotations

import numpy as np
import pytest

from sima_compiler.ir.program import Program
from tests.sim.small_programs import convolution_program


@pytest.fixture
def program() -> Program:
    """Two loads, a convolution with lookup and residual operand, one store; batch 3, compressed."""
    return convolution_program(np.random.default_rng(5), compressed=True).program()

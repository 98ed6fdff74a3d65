"""The float32 functions of host kernels: their errors are what the page says, special values what they should be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from sima_compiler.a65.page import page
from sima_compiler.ir.host_rules.accuracy import ACCURACIES, Accuracy
from sima_compiler.sim.host import functions

INF, NAN = np.inf, np.nan
COUNT = 200_000
EXACT: Mapping[str, tuple[Callable, Callable]] = {
    "exp": (functions.exp, np.exp),
    "log": (functions.log, np.log),
    "tanh": (functions.tanh, np.tanh),
    "erf": (functions.erf, lambda x: np.array([math.erf(value) for value in x.tolist()])),
    "sigmoid": (functions.sigmoid, lambda x: 1.0 / (1.0 + np.exp(-x))),
    "softplus": (functions.log1p_of_exp, lambda x: np.logaddexp(0.0, x)),
}


def places(low: float, high: float) -> np.ndarray:
    """Half of them spread evenly, the others evenly in their exponents."""
    random = np.random.default_rng(COUNT)
    even = random.uniform(low, high, COUNT // 2)
    sizes = np.exp(random.uniform(math.log(low if low > 0 else 1e-30), math.log(high), COUNT // 2))
    signs = np.where(random.uniform(size=sizes.shape) < 0.5, -1.0, 1.0) if low < 0 else 1.0
    found = np.concatenate([even, sizes * signs]).astype(np.float32)
    return found[(found >= np.float32(low)) & (found <= np.float32(high))]


def ulps(found: np.ndarray, wanted: np.ndarray) -> float:
    distance = np.abs(found.astype(np.float64) - wanted)
    return float(np.max(distance / np.spacing(np.abs(wanted).astype(np.float32)).astype(np.float64)))


def measured(row: Accuracy) -> float:
    with np.errstate(all="ignore"):
        if row.name == "pow":
            random = np.random.default_rng(7)
            x = np.exp(random.uniform(-20, 20, COUNT)).astype(np.float32)
            y = random.uniform(row.low, row.high, COUNT).astype(np.float32)
            return ulps(functions.power(x, y), np.power(x.astype(np.float64), y.astype(np.float64)))
        function, exact = EXACT[row.name]
        x = places(row.low, row.high)
        return ulps(function(x), exact(x.astype(np.float64)))


@pytest.mark.parametrize("row", ACCURACIES, ids=lambda row: row.name)
def test_the_largest_error_is_the_one_on_the_page(row: Accuracy) -> None:
    found = measured(row)
    assert found <= row.most
    assert found > row.most - 0.3, f"{found:.2f} ulp: the page could say less"


def test_the_page_is_what_the_tables_print() -> None:
    committed = (Path(__file__).parents[2] / "docs" / "host-kernels.md").read_text("utf-8")
    assert committed == page(), "run: python -m sima_compiler.a65.page > docs/host-kernels.md"


@pytest.mark.parametrize(
    ("name", "values", "wanted"),
    [
        ("exp", [INF, -INF, 0, -0.0, 1000, -1000], [INF, 0, 1, 1, INF, 0]),
        ("log", [INF, 0, -0.0, 1, 1e-45, -1], [INF, -INF, -INF, 0, -103.27893, NAN]),
        ("tanh", [INF, -INF, 0, -0.0, 20], [1, -1, 0, -0.0, 1]),
        ("erf", [INF, -INF, 0, -0.0, 6], [1, -1, 0, -0.0, 1]),
        ("sigmoid", [INF, -INF, 0], [1, 0, 0.5]),
        ("softplus", [INF, -INF, 0], [INF, 0, math.log(2)]),
    ],
)
def test_special_values(name: str, values: list[float], wanted: list[float]) -> None:
    with np.errstate(all="ignore"):
        found = EXACT[name][0](np.array([*values, NAN], np.float32))
    expected = np.array([*wanted, NAN], np.float32)
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.array_equal(np.signbit(found[expected == 0]), np.signbit(expected[expected == 0]))


def test_powers_of_special_values_are_those_of_ieee_754() -> None:
    values = np.array([0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, INF, -INF, NAN, 1e38, 1e-38], np.float32)
    x, y = (axis.reshape(-1) for axis in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        found, wanted = functions.power(x, y), np.power(x.astype(np.float64), y.astype(np.float64)).astype(np.float32)
    assert np.allclose(found, wanted, rtol=2e-7, equal_nan=True)
    assert np.array_equal(np.signbit(found)[~np.isnan(wanted)], np.signbit(wanted)[~np.isnan(wanted)])

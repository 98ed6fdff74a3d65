"""Elementwise operands that spread along any axes: equal to onnxruntime, and no bound counts what spreads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Model
from tests.support.judges import assert_judges_agree
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

OPERATORS = ("Add", "Mul", "Sub", "Div", "Max")


@pytest.mark.parametrize("seed", range(40))
def test_operands_of_any_two_shapes_that_broadcast(seed: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(seed)
    shape = draw.integers(2, 9, int(draw.integers(1, 5)))
    sides = [tuple(1 if draw.random() < 0.35 else int(size) for size in shape) for _ in range(2)]
    net = QdqGraph((UINT8, INT8)[seed % 2], seed=seed)
    x = net.input(sides[0], "x", scale=0.03, zero=int(draw.integers(-50, 50)))
    y = net.input(sides[1], "y", scale=0.02, zero=int(draw.integers(-50, 50)))
    net.output(net.pair(net.op(OPERATORS[seed % len(OPERATORS)], x, y), 0.04, 3))
    assert_judges_agree(net.model(), tmp_path, batch=2, compress=True, machine=("mlsoc", "tiny")[seed % 2], seed=seed)


def test_a_mask_over_all_channels(tmp_path: Path) -> None:
    """Spatial attention: one value per pixel for every channel."""
    net = QdqGraph()
    x = net.input((24, 9, 7))
    mask = net.pair(net.op("Sigmoid", net.pair(net.op("Conv", x, net.weights((1, 24, 1, 1))), 0.1, 3)), 1 / 256, -128)
    net.output(net.pair(net.op("Mul", x, mask), 0.02, 3))
    assert_judges_agree(net.model(), tmp_path, batch=3, compress=True)


def test_an_activation_smaller_than_its_constant(tmp_path: Path) -> None:
    net = QdqGraph()
    constant = net.operand(net.random.integers(-128, 128, (1, 6, 4, 5)), 0.01, 7)
    net.output(net.pair(net.op("Add", net.input((6, 1, 1)), constant), 0.03, 3))
    assert_judges_agree(net.model(), tmp_path, batch=2, compress=True)


def test_what_spreads_an_operand_is_no_part_of_the_bounds(tmp_path: Path) -> None:
    """The product alone: 64 x 64 pixels of 4 vectors, two operands each, on 64 tiles."""
    net = QdqGraph()
    net.output(net.pair(net.op("Mul", net.input((64, 64, 64), "x"), net.input((1, 64, 64), "mask")), 0.02, 3))
    result = Model.from_onnx(net.model()).compile(str(tmp_path))
    read = 64 * 64 * (64 + 1 + 64)
    assert result.bound_cycles == -(-read // 64)
    # A command is fetched and a load begins before the first byte crosses the DRAM: two latencies and a burst.
    assert result.padded_bound_cycles == result.bound_cycles + 100 + 4 + 100 <= result.runtime_cycles

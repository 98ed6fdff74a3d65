"""Concat with constants among its inputs: equal to onnxruntime, whatever their scales and places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sima_compiler import UnsupportedError
from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.qdq_graph import INT8, UINT8, QdqGraph


def constant(net: QdqGraph, shape: tuple[int, ...], *, quantized: bool) -> str:
    """A constant of one sample, as bytes with a scale of its own or as reals."""
    if quantized:
        return net.operand(net.random.integers(-128, 128, (1, *shape)), 0.017, 11)
    return net.constant(net.random.normal(0, 1, (1, *shape)), np.float32)


@pytest.mark.parametrize("seed", range(12))
def test_constants_before_between_and_behind(seed: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(seed)
    net = QdqGraph((UINT8, INT8)[seed % 2], seed=seed)
    shape = [int(size) for size in draw.integers(1, 7, 2 + seed % 2)]
    axis, quantized = seed % len(shape), bool(seed % 4 < 2)

    def part() -> tuple[int, ...]:
        return tuple(int(draw.integers(1, 5)) if at == axis else size for at, size in enumerate(shape))

    order = [("x", "c"), ("c", "x"), ("c", "x", "c", "c", "y"), ("x", "c", "y", "c")][seed % 4]
    names = {name: net.input(part(), name, scale=scale) for name, scale in (("x", 0.02), ("y", 0.03)) if name in order}
    inputs = [names.get(name) or constant(net, part(), quantized=quantized) for name in order]
    joined = net.op("Concat", *inputs, axis=axis + 1)
    net.output(net.pair(net.op("Relu", joined) if seed % 3 == 2 else joined, 0.02 if seed % 5 else 0.04, -7))
    assert_judges_agree(net.model(), tmp_path, batch=2, compress=True, machine=("tiny", "mlsoc")[seed % 2])


def test_a_token_that_is_expanded_to_the_batch() -> None:
    net = QdqGraph()
    x = net.input((5, 8))
    batch = net.op("Gather", net.op("Shape", x), net.constant([0], np.int64), axis=0)
    sizes = net.op("Concat", batch, net.constant([-1, -1], np.int64), axis=0)
    ones = net.op("Where", net.op("Equal", sizes, net.constant([-1] * 3, np.int64)), net.constant([1] * 3), sizes)
    token = net.op("Expand", constant(net, (1, 8), quantized=True), ones)
    net.output(net.pair(net.op("Concat", token, x, axis=1), 0.02, 3))
    assert_reference_agrees(net.model(), batch=3)


def test_a_constant_that_differs_from_sample_to_sample_is_refused() -> None:
    net = QdqGraph(batch=2)
    two = net.constant(net.random.normal(0, 1, (2, 1, 8)), np.float32)
    net.output(net.pair(net.op("Concat", two, net.input((5, 8)), axis=1)))
    with pytest.raises(UnsupportedError, match="varies with the batch"):
        graph_from_onnx(net.model(), "two")

"""Bounds of softmax, normalizations and matrix products: counted by hand, and never above what a schedule takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sima_compiler import Machine, Model
from tests.endtoend.test_norms import KINDS, norm_network
from tests.endtoend.test_products_of_activations import product_network
from tests.endtoend.test_rows_of_values import softmax_network
from tests.support.qdq_graph import QdqGraph

MLSOC = Machine.load("mlsoc")
#: A transfer's latency and its first burst: behind the last result; and twice in front of the first one, where the
#: command is fetched likewise.
LEFT = 100 + 256 // 64
#: What a network of one layer takes beside the layer's work.
BEGUN = MLSOC.start_cycles + 32 + 3 * LEFT
NETWORKS = (
    *((f"softmax {seed}", softmax_network(seed)[0]) for seed in range(6)),
    *((f"{operator} {seed}", norm_network(operator, seed)[0]) for operator in KINDS for seed in range(3)),
    *((f"product {seed}", product_network(seed)[0]) for seed in range(8)),
)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("name", "source"), NETWORKS, ids=[name for name, _ in NETWORKS])
def test_no_schedule_is_faster_than_its_bounds(name: str, source: object, batch: int, tmp_path: Path) -> None:
    result = Model.from_onnx(source, name).compile(str(tmp_path), batch, machine=("tiny", "mlsoc")[batch % 3])
    assert result.bound_cycles <= result.padded_bound_cycles <= result.runtime_cycles


def product(rows: int, inner: int, outputs: int, heads: int) -> QdqGraph:
    net = QdqGraph()
    a, b = net.input((heads, rows, inner), "a"), net.input((heads, inner, outputs), "b")
    net.output(net.pair(net.op("MatMul", a, b), 0.1, 0))
    return net


@pytest.mark.parametrize("turned", [False, True])
def test_a_product_is_counted_with_the_side_as_weights_that_is_cheaper(turned: bool, tmp_path: Path) -> None:
    """500 pixels of 1 output are 500 blocks, 1 pixel of 500 outputs 32: a program may turn the product round."""
    rows, outputs = (1, 500) if turned else (500, 1)
    result = Model.from_onnx(product(rows, 640, outputs, 8).model()).compile(str(tmp_path))
    blocks = 8 * 32 * (640 // 16)
    read = 8 * 640 * 501
    assert blocks // 64 + BEGUN < read // 64
    # In front of the first byte a command is fetched and a load begins; behind the last one a result leaves.
    assert result.padded_bound_cycles == LEFT + 100 + read // MLSOC.dram_bytes_per_cycle + LEFT


def test_a_large_product_is_bound_by_its_multiply_accumulates(tmp_path: Path) -> None:
    result = Model.from_onnx(product(2048, 2048, 2048, 1).model()).compile(str(tmp_path))
    assert result.bound_cycles == 2048**3 // 16_384 == result.padded_bound_cycles - BEGUN


@pytest.mark.parametrize(("channels", "pixels"), [(100, 640), (16, 64)])
def test_a_softmax_is_bound_by_its_sums(channels: int, pixels: int, tmp_path: Path) -> None:
    net = QdqGraph()
    net.output(net.pair(net.op("Softmax", net.input((pixels, channels)), axis=2), 1 / 256, -128))
    result = Model.from_onnx(net.model()).compile(str(tmp_path))
    vectors = -(-channels // 16)
    assert result.padded_bound_cycles == BEGUN + pixels // 64 * vectors * (1 + 16 + 16)

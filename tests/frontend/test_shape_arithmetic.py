"""Sizes that a file calculates from shapes, whatever the operators, at any batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from sima_compiler import UnsupportedError
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.on_mla import on_mla
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

Build = Callable[[QdqGraph], None]
CASES: dict[str, Build] = {}


def case(build: Build) -> Build:
    CASES[build.__name__] = build
    return build


def ints(net: QdqGraph, *values: int) -> str:
    return net.constant(values, np.int64)


def upsampled(net: QdqGraph, x: str, sizes: str) -> None:
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    net.output(net.pair(net.op("Resize", x, "", "", sizes, **modes), 0.02, 3))


def dense(net: QdqGraph, x: str, target: str, features: int) -> None:
    flat = net.pair(net.op("Reshape", x, target), 0.02, 3)
    net.output(net.pair(net.op("Gemm", flat, net.weights((5, features), axis=0), transB=1)))


@case
def doubled_as_a_list(net: QdqGraph) -> None:
    x = net.input((4, 5, 7))
    shape = net.op("Shape", x)
    size = net.op("Cast", net.op("Slice", shape, ints(net, 2), ints(net, 4), ints(net, 0)), to=TensorProto.FLOAT)
    double = net.op("Floor", net.op("Mul", size, net.constant([2, 2], np.float32)))
    first = net.op("Slice", shape, ints(net, 0), ints(net, 2), ints(net, 0))
    upsampled(net, x, net.op("Concat", first, net.op("Cast", double, to=TensorProto.INT64), axis=0))


@case
def doubled_as_single_numbers(net: QdqGraph) -> None:
    x = net.input((4, 5, 7))
    shape = net.op("Shape", x)
    parts = [net.op("Slice", shape, ints(net, 0), ints(net, 2), ints(net, 0))]
    for place in (2, 3):
        size = net.op("Cast", net.op("Gather", shape, net.constant(np.int64(place))), to=TensorProto.FLOAT)
        double = net.op("Cast", net.op("Floor", net.op("Mul", size, net.constant(2, np.float32))), to=TensorProto.INT64)
        parts.append(net.op("Unsqueeze", double, ints(net, 0)))
    upsampled(net, x, net.op("Concat", *parts, axis=0))


@case
def one_and_a_half_times(net: QdqGraph) -> None:
    x = net.input((4, 5, 6))
    shape = net.op("Shape", x)
    half = net.op("Div", net.op("Mul", shape, ints(net, 2, 2, 3, 3)), ints(net, 2, 2, 2, 2))
    upsampled(net, x, half)


@case
def the_size_of_another_map(net: QdqGraph) -> None:
    x, other = net.input((4, 3, 4)), net.input((2, 9, 8), "other")
    rows = net.op("Shape", other, start=2)
    upsampled(net, x, net.op("Concat", net.op("Shape", x, end=2), rows, axis=0))
    net.output(net.pair(net.op("Sigmoid", other), 1 / 256, -128))


@case
def all_but_the_batch_multiplied(net: QdqGraph) -> None:
    x = net.input((4, 2, 2))
    shape = net.op("Shape", x)
    sizes = [net.op("Gather", shape, net.constant(np.int64(place))) for place in range(4)]
    features = net.op("Mul", net.op("Mul", sizes[1], sizes[2]), sizes[3])
    parts = [net.op("Unsqueeze", size, ints(net, 0)) for size in (sizes[0], features)]
    dense(net, x, net.op("Concat", *parts, axis=0), 16)


@case
def a_product_of_a_slice(net: QdqGraph) -> None:
    x = net.input((4, 2, 2))
    shape = net.op("Shape", x)
    rest = net.op("ReduceProd", net.op("Slice", shape, ints(net, 1), ints(net, 9), ints(net, 0)), keepdims=1)
    dense(net, x, net.op("Concat", net.op("Gather", shape, ints(net, 0)), rest, axis=0), 16)


@case
def the_batch_times_two_by_two(net: QdqGraph) -> None:
    x = net.input((8, 4, 4))
    batch = net.op("Gather", net.op("Shape", x), net.constant(np.int64(0)))
    two = net.constant(np.int64(2))
    again = net.op("Unsqueeze", net.op("Div", net.op("Mul", batch, two), two), ints(net, 0))
    dense(net, x, net.op("Concat", again, ints(net, 128), axis=0), 128)


@case
def chosen_by_a_comparison(net: QdqGraph) -> None:
    """As torch writes reshape(x, -1) of a shape that might be smaller."""
    x = net.input((4, 2, 2))
    shape = net.op("Shape", x)
    large = net.op("Greater", shape, ints(net, 3, 3, 3, 3))
    channels = net.op("Where", large, shape, ints(net, 1, 1, 1, 1))
    picked = net.op("Gather", channels, ints(net, 1))
    dense(net, x, net.op("Concat", ints(net, 0), net.op("Mul", picked, ints(net, 4)), axis=0), 16)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_the_archive_equals_the_original(name: str, batch: int, tmp_path: Path) -> None:
    net = QdqGraph()
    CASES[name](net)
    assert_judges_agree(net.model(), tmp_path, batch=batch, compress=True)


REFUSED: dict[str, Callable[[QdqGraph, str, str], str]] = {
    "twice the batch": lambda net, x, batch: net.op("Mul", batch, ints(net, 2)),
    "one more than the batch": lambda net, x, batch: net.op("Add", batch, ints(net, 1)),
    "at most eight": lambda net, x, batch: net.op("Min", batch, ints(net, 8)),
    "at least two": lambda net, x, batch: net.op("Max", batch, ints(net, 2)),
    "one if it is one": lambda net, x, batch: net.op(
        "Where", net.op("Equal", batch, ints(net, 1)), ints(net, 1), ints(net, 4)
    ),
    "as many sizes as samples": lambda net, x, batch: net.op("ConstantOfShape", batch),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_size_that_is_calculated_from_the_batch_is_refused(name: str) -> None:
    net = QdqGraph()
    x = net.input((4, 2, 2))
    batch = net.op("Gather", net.op("Shape", x), ints(net, 0))
    target = net.op("Concat", REFUSED[name](net, x, batch), ints(net, -1), axis=0)
    net.output(net.pair(net.op("Reshape", x, target), 0.02, 3))
    with pytest.raises(UnsupportedError) as caught:
        on_mla(net.model())
    assert "batch" in caught.value.message
    assert caught.value.rule == "the first dimension of every tensor is the batch"


@pytest.mark.parametrize("kind", [UINT8, INT8])
def test_anchors_between_pairs(kind: type) -> None:
    """A grid of anchors computed out of the shape of a map, every step between pairs, as quantize_static leaves it."""
    net = QdqGraph(kind, seed=3)
    x = net.input((3, 5, 4))
    shape = net.op("Shape", x)
    columns = net.op("Gather", shape, net.constant(3, np.int64), axis=0)
    numbers = net.op("Range", net.constant(0, np.int64), columns, net.constant(1, np.int64))
    centres = net.op("Add", net.pair(net.op("Cast", numbers, to=1), 0.0137, -128), net.operand(64, 0.0079))
    grid = net.op("Expand", net.pair(centres, 0.0213, -128), net.constant([3, 5, 4], np.int64))
    scaled = net.op("Mul", net.pair(grid, 0.0213, -128), net.operand([[40], [50], [60], [70], [80]], 0.013))
    net.output(net.pair(net.op("Add", x, net.pair(scaled, 0.0311, -128)), 0.04, -9))
    results = assert_reference_agrees(net.model(), batch=3)
    assert all(len(np.unique(array)) > 3 for array in results.values())

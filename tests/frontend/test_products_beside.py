"""Products whose quantizations stand behind a movement or a limit: read as if they stood right beside them.

Scales are such that many sums lie half-way between two steps, where float32 products round to either side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from sima_compiler import Model
from tests.support.integer_form import integer_form
from tests.support.judges import assert_reference_agrees
from tests.support.outside import Outside
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

Build = Callable[[QdqGraph], str]
#: Of input and weights, and of a result whose steps are eight of the sums.
INPUT, WEIGHTS, RESULT = 0.02, 0.01, 8 * 0.02 * 0.01


def limited(net: QdqGraph, value: str) -> str:
    return net.op("Clip", value, *(net.constant(bound * RESULT, np.float32) for bound in (-80, 75)))


def conv(net: QdqGraph, shape: tuple[int, ...] = (8, 6, 6)) -> str:
    return net.op("Conv", net.input(shape, scale=INPUT), net.weights((16, 8, 3, 3), WEIGHTS), pads=[1, 1, 1, 1])


def flat(net: QdqGraph) -> str:
    return net.op("Flatten", net.input((6, 3, 2), scale=INPUT))


FORMS: dict[str, Build] = {
    "a convolution that is limited": lambda net: limited(net, conv(net)),
    "a convolution, rectified to less than its range": lambda net: net.op("Relu", conv(net)),
    "a convolution, limited and flattened": lambda net: net.op("Flatten", limited(net, conv(net))),
    "a convolution in blocks": lambda net: net.op("DepthToSpace", conv(net), blocksize=2),
    "a flattened input": lambda net: net.op(
        "Gemm", flat(net), net.weights((36, 10), WEIGHTS), net.constant(np.arange(10) * INPUT * WEIGHTS, np.float32)
    ),
    "a flattened input and a limit": lambda net: limited(
        net, net.op("Gemm", flat(net), net.weights((36, 10), WEIGHTS))
    ),
    "a matrix": lambda net: limited(
        net, net.op("MatMul", net.input((5, 24), scale=INPUT), net.weights((24, 9), WEIGHTS))
    ),
    "a matrix and a bias": lambda net: limited(net, net.op("Add", net.op(
        "MatMul", net.input((24,), scale=INPUT), net.weights((24, 9), WEIGHTS)),
        net.constant(np.arange(9) * INPUT * WEIGHTS, np.float32))),
}  # fmt: skip


def network(name: str, kind: type = UINT8) -> onnx.ModelProto:
    net = QdqGraph(kind, seed=4)
    net.output(net.pair(FORMS[name](net), RESULT, 3))
    return net.model()


@pytest.mark.parametrize("kind", [UINT8, INT8])
@pytest.mark.parametrize("name", FORMS)
def test_equal_to_onnxruntime_on_bytes(name: str, kind: type) -> None:
    model = Model.from_onnx(network(name, kind))
    assert_reference_agrees(network(name, kind), batch=60, model=model)
    (warning,) = model.graph.warnings
    assert "right beside it" in warning


@pytest.mark.parametrize("name", FORMS)
def test_the_file_itself_differs_by_a_step_at_most(name: str) -> None:
    """In onnxruntime's own float32, untouched: what the warning says."""
    model = Model.from_onnx(network(name))
    inputs = {"image": np.random.default_rng(1).normal(size=(20, *model.inputs["image"])).astype(np.float32)}
    (found,) = model.execute(inputs)
    (expected,) = Outside(network(name), model.graph.outputs, optimized=False).run(inputs, {}).values()
    assert np.abs(expected - found).max() <= RESULT * 1.01


@pytest.mark.parametrize("name", ["a convolution that is limited", "a flattened input"])
def test_the_same_program_as_with_the_pairs_written(name: str) -> None:
    written = Model.from_onnx(integer_form(network(name)))
    assert not written.graph.warnings
    assert [node.op for node in written.graph.nodes] == [node.op for node in Model.from_onnx(network(name)).graph.nodes]


def test_the_judge_leaves_files_alone_that_onnxruntime_computes_on_bytes() -> None:
    net = QdqGraph()
    x = net.op("Relu", net.op("Conv", net.input((8, 6, 6)), net.weights((16, 8, 3, 3))))
    net.output(net.pair(net.op("MaxPool", net.pair(x, 0.05, -128), kernel_shape=[2, 2]), 0.05, -128))
    model = net.model()
    assert integer_form(model) is model


@pytest.mark.parametrize("factor", [0.5, 2.0, 1.37])
@pytest.mark.parametrize("operator", ["Conv", "Gemm"])
def test_a_bias_of_another_scale(operator: str, factor: float) -> None:
    """onnxruntime's optimizer takes its integers whatever their scale says; the judge restates them first."""
    net = QdqGraph(seed=6)
    unit = np.float32(np.float32(INPUT) * np.float32(WEIGHTS) * np.float32(factor))
    bias = net.op("DequantizeLinear", net.constant(net.random.integers(-900, 900, 8), np.int32), net.constant(unit))
    shape, weights = ((3, 6, 6), (8, 3, 3, 3)) if operator == "Conv" else ((12,), (12, 8))
    y = net.op(operator, net.input(shape, scale=INPUT), net.weights(weights, WEIGHTS), bias)
    net.output(net.pair(y, 0.02, 3))
    assert_reference_agrees(net.model(), batch=10)

"""Forms in which exporters write products and windows: each equals onnxruntime on the file itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Model
from sima_compiler.errors import UnsupportedError
from sima_compiler.ir.graph import ConvAttributes, Op
from sima_compiler.sim.reference import run_node
from tests.support.exporter_forms import Build, Forms, integers, real
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.on_mla import on_mla
from tests.support.qdq_graph import INT8, QdqGraph

form = FORMS = Forms()


def integer_bias(net: QdqGraph, weights: str, outputs: int, input_scale: float = 0.02) -> str:
    """int32 behind a DequantizeLinear of its own, as tf2onnx writes it."""
    scales = net.constants[next(node for node in net.nodes if node.output[0] == weights).input[1]]
    unit = real(net, np.float32(input_scale) * np.broadcast_to(scales, outputs))
    values = net.constant(net.random.integers(-3000, 3000, outputs), np.int32)
    return net.op("DequantizeLinear", values, unit, axis=0)


def real_bias(net: QdqGraph, outputs: int) -> str:
    return real(net, net.random.normal(0, 0.5, outputs))


@form
def matmul_and_an_integer_bias(net: QdqGraph) -> str:
    weights = net.weights((12, 40), axis=1)
    return net.op("Add", net.op("MatMul", net.input((12,)), weights), integer_bias(net, weights, 40))


@form
def a_bias_before_its_matmul(net: QdqGraph) -> str:
    weights = net.weights((12, 40))
    return net.op("Add", integer_bias(net, weights, 40), net.op("MatMul", net.input((12,)), weights))


@form
def matmul_and_a_real_bias(net: QdqGraph) -> str:
    return net.op("Add", net.op("MatMul", net.input((12,)), net.weights((12, 40), axis=1)), real_bias(net, 40))


@form
def reshape_matmul_bias_reshape(net: QdqGraph) -> str:
    x = net.op("Reshape", net.input((12, 1, 1)), integers(net, -1, 12))
    weights = net.weights((12, 40), axis=1)
    x = net.op("Add", net.op("MatMul", x, weights), integer_bias(net, weights, 40))
    return net.op("Reshape", x, integers(net, -1, 8, 5))


@form
def squeeze_matmul_bias_rectified(net: QdqGraph) -> str:
    x = net.op("Squeeze", net.input((12, 1, 1)), integers(net, 2, 3))
    weights = net.weights((12, 40))
    x = net.pair(net.op("Add", net.op("MatMul", x, weights), integer_bias(net, weights, 40)), 0.02, -5)
    return net.op("Relu", x)


@form
def a_convolution_with_a_real_bias_behind_a_pool(net: QdqGraph) -> str:
    x = net.op("MaxPool", net.input((4, 8, 8)), kernel_shape=[2, 2], strides=[2, 2])
    return net.op("Conv", x, net.weights((7, 4, 3, 3), axis=0), real_bias(net, 7))


@form
def matmul_and_a_bias_of_one_row(net: QdqGraph) -> str:
    bias = real(net, net.random.normal(0, 0.5, (1, 40)))
    return net.op("Add", net.op("MatMul", net.input((12,)), net.weights((12, 40))), bias)


@form
def a_product_with_a_real_bias_behind_a_flattening(net: QdqGraph) -> str:
    x = net.op("Flatten", net.input((4, 2, 2)))
    return net.op("Gemm", x, net.weights((40, 16), axis=0), real_bias(net, 40), transB=1)


@form
def a_sequence_times_a_matrix_plus_an_integer_bias(net: QdqGraph) -> str:
    weights = net.weights((12, 40), axis=1)
    return net.op("Add", net.op("MatMul", net.input((25, 12)), weights), integer_bias(net, weights, 40))


@form
def maps_times_a_matrix_plus_a_real_bias(net: QdqGraph) -> str:
    return net.op("Add", real_bias(net, 40), net.op("MatMul", net.input((3, 9, 12)), net.weights((12, 40))))


@form
def one_sequence_of_stated_sizes_times_a_matrix_plus_a_bias(net: QdqGraph) -> str:
    """onnxruntime makes two axes of three, and then a product on bytes with the bias in integers."""
    net.batch = 2
    return net.op("Add", real_bias(net, 40), net.op("MatMul", net.input((25, 12)), net.weights((12, 40))))


@form
def a_sequence_times_a_matrix_rectified(net: QdqGraph) -> str:
    return net.op("Relu", net.op("MatMul", net.input((25, 12)), net.weights((12, 40))))


@form
def a_product_reshaped_then_shifted_and_limited(net: QdqGraph) -> str:
    x = net.op("Squeeze", net.input((25, 12, 1)), integers(net, 3))
    x = net.op("Reshape", net.op("MatMul", x, net.weights((12, 40), axis=1)), integers(net, 0, 5, 5, 40))
    return net.op("Clip", net.op("Add", x, real_bias(net, 40)), real(net, -0.5), real(net, 1.5))


@form
def a_matmul_flattened(net: QdqGraph) -> str:
    return net.op("Flatten", net.op("MatMul", net.input((25, 12)), net.weights((12, 40))))


@form
def a_product_with_a_real_bias_behind_a_reshape(net: QdqGraph) -> str:
    x = net.op("Reshape", net.input((4, 2, 2)), integers(net, 0, -1))
    return net.op("Gemm", x, net.weights((16, 40)), real_bias(net, 40))


def pooled(net: QdqGraph, size: tuple[int, int], **attributes: object) -> str:
    return net.op("AveragePool", net.input((40, *size), scale=0.0173, zero=-128), **attributes)


@form
def an_average_over_the_whole_map(net: QdqGraph) -> str:
    return pooled(net, (2, 1), kernel_shape=[2, 1], strides=[2, 1])


@form
def an_average_over_the_whole_map_with_any_stride(net: QdqGraph) -> str:
    return pooled(net, (7, 5), kernel_shape=[7, 5], strides=[3, 30])


@form
def an_average_over_the_whole_map_counting_pads(net: QdqGraph) -> str:
    return pooled(net, (3, 3), kernel_shape=[3, 3], count_include_pad=1)


@form
def an_average_over_the_whole_map_by_same(net: QdqGraph) -> str:
    return pooled(net, (4, 4), kernel_shape=[4, 4], strides=[4, 4], auto_pad="SAME_UPPER")


@form
def an_average_over_the_whole_map_that_is_valid(net: QdqGraph) -> str:
    return pooled(net, (5, 3), kernel_shape=[5, 3], auto_pad="VALID")


@form
def an_average_over_a_map_and_its_pads(net: QdqGraph) -> str:
    return pooled(net, (3, 3), kernel_shape=[5, 5], pads=[1, 1, 1, 1])


@form
def an_average_behind_a_whole_average(net: QdqGraph) -> str:
    x = net.pair(pooled(net, (3, 3), kernel_shape=[2, 2]), 0.013, -90)
    x = net.pair(net.op("Conv", x, net.weights((40, 40, 1, 1))), 0.02, 3)
    return net.op("AveragePool", net.pair(net.op("Sigmoid", x), 1 / 256, -128), kernel_shape=[2, 2])


@form
def same_convolutions_beyond_the_kernel(net: QdqGraph) -> str:
    x = net.op("Conv", net.input((3, 14, 9)), net.weights((5, 3, 1, 1)), auto_pad="SAME_UPPER", strides=[2, 3])
    x = net.pair(x, 0.02, 3)
    return net.op("Conv", x, net.weights((5, 5, 2, 1)), auto_pad="SAME_LOWER", strides=[5, 3])


@form
def same_pools_as_far_as_the_kernel(net: QdqGraph) -> str:
    x = net.op("MaxPool", net.input((3, 28, 20)), kernel_shape=[3, 2], auto_pad="SAME_UPPER", strides=[5, 3])
    x = net.pair(x, 0.02, 3)
    return net.op("AveragePool", x, kernel_shape=[2, 3], auto_pad="SAME_LOWER", strides=[4, 2])


@pytest.mark.parametrize("name", FORMS)
def test_equal_to_onnxruntime(name: str) -> None:
    results = assert_reference_agrees(FORMS.network(name))
    assert all(len(np.unique(array)) > 3 for array in results.values()), "the case is too small to tell anything"


@pytest.mark.parametrize("size", [(8, 8), (4, 4), (10, 10), (3, 5)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 9)])
def test_a_window_over_the_whole_map_rounds_as_a_global_pool(size: tuple[int, int], strides: tuple[int, int]) -> None:
    """Scales with which averages fall between two steps: the formula of windows gives other bytes."""
    net = QdqGraph(seed=1)
    x = net.input((300, *size), scale=0.02, zero=3)
    net.output(net.pair(net.op("AveragePool", x, kernel_shape=size, strides=strides), 0.02 / 5, -21))
    model = Model.from_onnx(net.model())
    assert_reference_agrees(net.model(), batch=4, model=model)
    (node,) = model.graph.nodes
    window = ConvAttributes(kernel=size, strides=strides)
    values = np.random.default_rng(0).integers(-128, 128, (4, 300, *size)).astype(np.int8)
    as_window = run_node(replace(node, op=Op.AVERAGE_POOL, attributes=window), [values], model.graph.tensors)
    assert (as_window != run_node(node, [values], model.graph.tensors)).any() == (size != (3, 5))


IN_REALS = ["a sequence times a matrix plus an integer bias", "a product reshaped then shifted and limited"]


@pytest.mark.parametrize("name", sorted({*list(FORMS)[::4], *IN_REALS}))
def test_the_archive_is_equal_too(name: str, tmp_path: Path) -> None:
    assert_judges_agree(FORMS.network(name, INT8), tmp_path, batch=2, compress=True, machine="tiny")


REFUSED: dict[str, tuple[Build, str]] = {
    "a bias for every row": (
        lambda net: net.op("Add", net.op("MatMul", net.input((3, 4)), net.weights((4, 5))),
                           real(net, np.arange(15).reshape(3, 5))),
        "one value per output channel",
    ),
    "a real bias behind a convolution": (
        lambda net: net.op("Add", net.op("Conv", net.input((3, 4, 4)), net.weights((5, 3, 1, 1))),
                           real(net, np.arange(5).reshape(5, 1, 1))),
        "every activation is quantized",
    ),
    "a negated product": (
        lambda net: net.op("Gemm", net.input((12,)), net.weights((12, 40)), real_bias(net, 40), alpha=-2.0),
        "alpha is positive",
    ),
    "a product that several scales read": (
        lambda net: net.op("Add", *(net.pair(product, scale, 3) for product in
                                    [net.op("Conv", net.input((3, 4, 4)), net.weights((5, 3, 1, 1)))]
                                    for scale in (0.02, 0.03))),
        "right behind it a QuantizeLinear",
    ),
    "same far beyond the kernel": (
        lambda net: net.op("Conv", net.input((3, 14, 9)), net.weights((5, 3, 2, 2)), auto_pad="SAME_UPPER",
                           strides=[7, 5]),
        "auto_pad SAME",
    ),
    "same beyond a pool": (
        lambda net: net.op("MaxPool", net.input((3, 14, 9)), kernel_shape=[2, 2], auto_pad="SAME_LOWER",
                           strides=[3, 3]),
        "auto_pad SAME",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_a_rule(name: str) -> None:
    build, rule = REFUSED[name]
    net = QdqGraph()
    net.output(net.pair(build(net)))
    with pytest.raises(UnsupportedError, match=rule):
        on_mla(net.model())

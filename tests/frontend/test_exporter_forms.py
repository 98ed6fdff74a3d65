"""Forms in which exporters write products, pools and pads: each equals onnxruntime on the file itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Model
from sima_compiler.errors import UnsupportedError
from sima_compiler.ir.graph import ConvAttributes, Op
from sima_compiler.sim.reference import run_node
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

Build = Callable[[QdqGraph], str]
FORMS: dict[str, Build] = {}


def form(build: Build) -> Build:
    FORMS[build.__name__.replace("_", " ")] = build
    return build


def integers(net: QdqGraph, *values: int) -> str:
    return net.constant(values, np.int64)


def real(net: QdqGraph, value: object) -> str:
    return net.constant(value, np.float32)


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


def padded(net: QdqGraph, fill: float | None, *pads: int, mode: str = "constant") -> str:
    inputs = [net.input((3, 6, 7), scale=0.01, zero=-128), integers(net, *pads)]
    return net.op("Pad", *inputs, *([] if fill is None else [real(net, fill)]), mode=mode)


@form
def a_fill_below_the_range_of_the_input(net: QdqGraph) -> str:
    return padded(net, -0.25, 0, 0, 1, 1, 0, 0, 1, 1)


@form
def a_fill_above_the_range_of_the_input(net: QdqGraph) -> str:
    return padded(net, 4.0, 0, 0, 2, 0, 0, 0, 0, 1)


@form
def a_fill_between_the_steps_of_the_input(net: QdqGraph) -> str:
    return padded(net, 0.0149, 0, 1, 2, 0, 0, 0, 0, 1)


@form
def an_infinite_fill_below_a_maximum(net: QdqGraph) -> str:
    x = padded(net, -np.inf, 0, 0, 1, 1, 0, 0, 1, 1)
    return net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])


@form
def the_least_fill_below_a_maximum_and_a_convolution(net: QdqGraph) -> str:
    x = padded(net, np.finfo(np.float32).min, 0, 0, 1, 1, 0, 0, 1, 1)
    return net.op("Conv", net.pair(net.op("MaxPool", x, kernel_shape=[3, 3]), 0.01, -128), net.weights((5, 3, 2, 2)))


@form
def pads_that_crop(net: QdqGraph) -> str:
    return padded(net, 0.5, 0, 0, -1, 2, 0, 1, 3, -2)


@form
def pads_that_reflect(net: QdqGraph) -> str:
    return padded(net, None, 0, 0, 2, 3, 0, 0, 1, 0, mode="reflect")


@form
def pads_that_repeat_the_edge_and_crop(net: QdqGraph) -> str:
    return padded(net, None, 0, 0, 2, -1, 0, 0, 9, 2, mode="edge")


@form
def pads_of_chosen_axes(net: QdqGraph) -> str:
    net.opset = 18
    x = net.input((3, 6, 7), scale=0.01, zero=-128)
    return net.op("Pad", x, integers(net, 1, 2, 3, 0), real(net, -0.1), integers(net, -1, 2))


@form
def a_pad_between_a_function_and_a_convolution(net: QdqGraph) -> str:
    x = net.op("Tanh", net.input((3, 6, 7), scale=0.01, zero=-128))
    x = net.pair(net.op("Pad", x, integers(net, 0, 0, 1, 1, 0, 0, 1, 1), real(net, -3.0)), 0.03, 7)
    return net.op("Conv", x, net.weights((5, 3, 3, 3)))


@form
def a_pad_with_a_value_of_its_scale_and_no_pair(net: QdqGraph) -> str:
    x = net.input((3, 6, 7), scale=0.5, zero=-3)
    x = net.op("Pad", x, integers(net, 0, 0, 1, 1, 0, 0, 1, 1), real(net, -1.5))
    return net.op("MaxPool", x, kernel_shape=[2, 2])


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


@form
def space_to_depth_then_a_convolution(net: QdqGraph) -> str:
    x = net.pair(net.op("SpaceToDepth", net.input((3, 8, 6)), blocksize=2), 0.02, 3)
    return net.op("Conv", x, net.weights((8, 12, 3, 3)))


@form
def space_to_depth_of_bytes_in_threes(net: QdqGraph) -> str:
    x = net.quantize(net.float_input((2, 9, 6)), 0.02, 3)
    return net.dequantize(net.op("SpaceToDepth", x, blocksize=3), 0.02, 3)


@form
def depth_to_space_with_the_block_in_front(net: QdqGraph) -> str:
    return net.op("DepthToSpace", net.input((12, 4, 3)), blocksize=2, mode="DCR")


@form
def depth_to_space_with_the_block_behind(net: QdqGraph) -> str:
    x = net.pair(net.op("Conv", net.input((12, 4, 3)), net.weights((18, 12, 1, 1), axis=0)), 0.0217, 3)
    return net.op("DepthToSpace", x, blocksize=3, mode="CRD")


@form
def depth_to_space_written_out(net: QdqGraph) -> str:
    x = net.op("Reshape", net.input((12, 4, 3)), integers(net, 0, 3, 2, 2, 4, 3))
    x = net.op("Transpose", x, perm=[0, 1, 4, 2, 5, 3])
    return net.op("Reshape", x, integers(net, 0, 3, 8, 6))


@form
def four_strided_slices_joined(net: QdqGraph) -> str:
    x, parts = net.input((3, 8, 6)), []
    for start in ([0, 0], [1, 0], [0, 1], [1, 1]):
        at = [integers(net, *values) for values in (start, (99, 99), (2, 3), (2, 2))]
        parts.append(net.op("Slice", x, *at))
    joined = net.pair(net.op("Concat", *parts, axis=1), 0.02, 3)
    return net.op("Conv", joined, net.weights((8, 12, 3, 3)))


def gathered(net: QdqGraph, indices: object, axis: int, shape: tuple[int, ...] = (6, 5, 7)) -> str:
    return net.op("Gather", net.input(shape), net.constant(indices, np.int64), axis=axis)


@form
def gathered_channels_in_another_order(net: QdqGraph) -> str:
    x = net.pair(gathered(net, [2, 1, 0, 5, 3, 4], 1), 0.02, 3)
    return net.op("Conv", x, net.weights((8, 6, 3, 3)))


@form
def gathered_channels_without_a_pair(net: QdqGraph) -> str:
    return net.op("MaxPool", gathered(net, [4, 4, -1, 0], 1), kernel_shape=[2, 2])


@form
def gathered_channels_in_steps(net: QdqGraph) -> str:
    return gathered(net, [1, 3, 5], 1)


@form
def one_gathered_channel(net: QdqGraph) -> str:
    return net.op("Sigmoid", gathered(net, 4, 1))


@form
def gathered_rows_and_columns(net: QdqGraph) -> str:
    rows = net.op("Gather", net.input((6, 5, 7)), integers(net, 4, 4, 0, 2), axis=-2)
    return net.op("Gather", rows, integers(net, 6, 0, 0), axis=3)


@form
def a_table_of_gathered_features(net: QdqGraph) -> str:
    return gathered(net, [[8, 0, 1], [1, 7, 7]], 1, (9,))


@form
def gathered_bytes(net: QdqGraph) -> str:
    x = net.quantize(net.float_input((6, 5, 7)), 0.02, 3)
    return net.dequantize(net.op("Gather", x, integers(net, 5, 1, 1), axis=1), 0.02, 3)


@form
def gathered_channels_of_the_input_before_it_is_quantized(net: QdqGraph) -> str:
    x = net.pair(net.op("Gather", net.float_input((3, 8, 8)), integers(net, 2, 1, 0), axis=1), 0.02, 3)
    return net.op("Conv", x, net.weights((8, 3, 3, 3)))


@form
def tiled_and_expanded(net: QdqGraph) -> str:
    x = net.op("Tile", net.input((2, 3, 4)), integers(net, 1, 2, 1, 3))
    y = net.op("Expand", net.input((1, 3, 1), "other"), integers(net, 1, 4, 3, 12))
    return net.op("Add", net.pair(x, 0.02, 3), net.pair(y, 0.02, 3))


def network(name: str, kind: type = UINT8) -> onnx.ModelProto:
    net = QdqGraph(kind, seed=len(name))
    net.output(net.pair(FORMS[name](net), 0.0217, 3))
    return net.model()


@pytest.mark.parametrize("name", FORMS)
def test_equal_to_onnxruntime(name: str) -> None:
    results = assert_reference_agrees(network(name))
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
    assert_judges_agree(network(name, INT8), tmp_path, batch=2, compress=True, machine="tiny")


REFUSED: dict[str, tuple[Build, str]] = {
    "a fill that the scale does not hold": (
        lambda net: net.op("Conv", padded(net, -0.25, 0, 0, 1, 1, 0, 0, 1, 1), net.weights((5, 3, 2, 2))),
        "Pad fills with a value that its input's scale",
    ),
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
    "pads that reflect channels": (
        lambda net: padded(net, None, 0, 1, 0, 0, 0, 0, 0, 0, mode="reflect"), "repeats rows",
    ),
    "pads that reflect too far": (
        lambda net: padded(net, None, 0, 0, 6, 0, 0, 0, 0, 0, mode="reflect"), "smaller than",
    ),
    "gathering over the batch": (lambda net: gathered(net, [0, 0], 0), "first dimension"),
    "gathering by data": (
        lambda net: net.op("Gather", net.input((4,)), net.op("Cast", net.float_input((2,), "at"), to=7), axis=1),
        "Cast makes float32",
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
        Model.from_onnx(net.model())

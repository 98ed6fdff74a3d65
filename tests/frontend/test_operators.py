"""One small network per spelling of an operator: the integer reference equals onnxruntime on every element.

onnxruntime runs the *source* file, with uint8 and with int8 activations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sima_compiler import Model
from tests.support.judges import assert_reference_agrees, model_inputs
from tests.support.oracle import differing
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

Build = Callable[[QdqGraph], None]
CASES: dict[str, Build] = {}


def case(build: Build) -> Build:
    CASES[build.__name__] = build
    return build


def conv(
    net: QdqGraph, x: str, weights: tuple[int, ...], *, bias: bool = True, axis: int | None = 0, **attributes
) -> str:
    kernel = net.weights(weights, axis=axis)
    inputs = [x, kernel]
    if bias:
        scales = net.constants[net.nodes[-1].input[1]]
        units = net.constant(np.float32(0.02) * scales, np.float32)
        values = net.constant(net.random.integers(-3000, 3000, weights[0]), np.int32)
        inputs.append(net.op("DequantizeLinear", values, units, axis=0))
    return net.op("Conv", *inputs, **attributes)


def finish(net: QdqGraph, value: str, scale: float = 0.05, zero: int = -7) -> None:
    net.output(net.pair(value, scale, zero))


@case
def conv_plain(net: QdqGraph) -> None:
    finish(net, conv(net, net.input((3, 9, 8)), (5, 3, 3, 3)))


@case
def conv_pads_strides_dilations(net: QdqGraph) -> None:
    x = net.input((4, 13, 11))
    finish(net, conv(net, x, (6, 4, 3, 2), pads=[2, 0, 1, 1], strides=[2, 3], dilations=[2, 1]))


@case
def conv_groups_without_bias(net: QdqGraph) -> None:
    finish(net, conv(net, net.input((6, 7, 7)), (9, 2, 3, 3), bias=False, group=3))


@case
def conv_depthwise_with_multiplier(net: QdqGraph) -> None:
    finish(net, conv(net, net.input((4, 7, 7)), (8, 1, 3, 3), group=4, pads=[1, 1, 1, 1]), 0.02)


@case
def conv_per_tensor(net: QdqGraph) -> None:
    finish(net, conv(net, net.input((3, 5, 5)), (4, 3, 1, 1), bias=False, axis=None), 0.02)


@case
def conv_same_upper(net: QdqGraph) -> None:
    finish(net, conv(net, net.input((3, 8, 7)), (4, 3, 2, 4), auto_pad="SAME_UPPER", strides=[2, 2]))


@case
def conv_same_lower(net: QdqGraph) -> None:
    finish(net, conv(net, net.input((3, 8, 7)), (4, 3, 2, 4), auto_pad="SAME_LOWER"))


@case
def conv_relu_below_the_range(net: QdqGraph) -> None:
    finish(net, net.op("Relu", conv(net, net.input((3, 6, 6)), (4, 3, 3, 3))), 0.03, -128)


@case
def gemm_transposed(net: QdqGraph) -> None:
    x = net.op("Flatten", net.input((12, 1, 1)))
    finish(net, net.op("Gemm", net.pair(x, 0.02, 3), net.weights((7, 12), axis=0), transB=1))


@case
def gemm_plain(net: QdqGraph) -> None:
    finish(net, net.op("Gemm", net.input((12,)), net.weights((12, 7))), 0.02)


@case
def matmul_per_channel(net: QdqGraph) -> None:
    finish(net, net.op("MatMul", net.input((12,)), net.weights((12, 7), axis=1)), 0.02)


@case
def matmul_of_a_sequence(net: QdqGraph) -> None:
    finish(net, net.op("MatMul", net.input((5, 12)), net.weights((12, 7))), 0.02)


@case
def add_of_two_scales(net: QdqGraph) -> None:
    x, y = net.input((3, 20, 20)), net.input((3, 20, 20), "other", scale=0.011, zero=-90)
    finish(net, net.op("Add", x, y), 0.027, 11)


@case
def add_of_a_map_and_a_channel_on_the_left(net: QdqGraph) -> None:
    x, y = net.input((6, 1, 1)), net.input((6, 20, 20), "other", scale=0.011, zero=-90)
    finish(net, net.op("Add", x, y), 0.027, 11)


@case
def add_constants(net: QdqGraph) -> None:
    x = net.input((6, 9, 9))
    channels = net.operand(net.random.integers(-128, 128, (1, 6, 1, 1)), 0.013, 5)
    x = net.pair(net.op("Add", channels, x), 0.03, 1)
    whole = net.operand(net.random.integers(-128, 128, (6, 9, 9)), 0.007, -3)
    finish(net, net.op("Add", whole, x), 0.041, -20)


@case
def subtract_both_ways(net: QdqGraph) -> None:
    x, y = net.input((6, 9, 9)), net.input((6, 9, 9), "other", scale=0.013)
    x = net.pair(net.op("Sub", x, y), 0.031, 4)
    finish(net, net.op("Sub", net.operand([[[17]]], 0.02), x), 0.05, 4)


@case
def multiply_by_channels(net: QdqGraph) -> None:
    x, y = net.input((6, 9, 9)), net.input((6, 1, 1), "gate", scale=0.0039, zero=-128)
    finish(net, net.op("Mul", x, y), 0.013, 8)


@case
def prelu_with_quantized_slopes(net: QdqGraph) -> None:
    x = net.input((6, 9, 9))
    finish(net, net.op("PRelu", x, net.operand(net.random.integers(-40, 90, (6, 1, 1)), 0.013, 5)), 0.013, -40)
    finish(net, net.op("PRelu", x, net.operand([31], 0.013, 5)), 0.013, -40)
    flat = net.pair(net.op("Flatten", net.pair(net.op("GlobalAveragePool", x), 0.004, 9)), 0.004, 9)
    finish(net, net.op("PRelu", flat, net.operand(net.random.integers(-40, 90, 6), 0.013, 5)), 0.002, -40)


@case
def relu_alone(net: QdqGraph) -> None:
    finish(net, net.op("Relu", net.input((2, 5, 5))), 0.013, -100)


@case
def clip_alone(net: QdqGraph) -> None:
    low, high = net.constant(-0.7, np.float32), net.constant(1.3, np.float32)
    finish(net, net.op("Clip", net.input((2, 5, 5)), low, high), 0.019, -3)


@case
def functions_of_one_value(net: QdqGraph) -> None:
    x = net.input((4, 16, 16), scale=0.047)
    functions: list[tuple[str, dict[str, Any]]] = [
        ("LeakyRelu", {"alpha": 0.13}), ("Sigmoid", {}), ("Tanh", {}), ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}),
        ("HardSwish", {}),
    ]  # fmt: skip
    for operator, attributes in functions:
        finish(net, net.op(operator, x, **attributes), 0.0067, -30)


@case
def max_pool(net: QdqGraph) -> None:
    x = net.input((3, 9, 9), scale=0.02, zero=3)
    finish(net, net.op("MaxPool", x, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1]), 0.02, 3)


@case
def average_pools(net: QdqGraph) -> None:
    x = net.input((3, 9, 9))
    finish(net, net.op("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), 0.017)
    pooled = net.op("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    finish(net, pooled, 0.016)
    finish(net, net.op("GlobalAveragePool", x), 0.004)


@case
def concat_of_unequal_scales(net: QdqGraph) -> None:
    x, y = net.input((3, 5, 4)), net.input((3, 5, 4), "other", scale=0.031, zero=-60)
    finish(net, net.op("Concat", x, y, x, axis=1), 0.029, 2)
    finish(net, net.op("Concat", x, y, axis=-1), 0.029, 2)


@case
def movements(net: QdqGraph) -> None:
    x = net.input((4, 6, 5), scale=0.02, zero=3)
    y = net.pair(net.op("Transpose", x, perm=[0, 2, 3, 1]), 0.02, 3)
    ends, axes = net.constant([2**31, -1, 2**31], np.int64), net.constant([0, 1, -1], np.int64)
    y = net.op("Slice", y, net.constant([0, 1, -3], np.int64), ends, axes, net.constant([1, 2, 1], np.int64))
    finish(net, y, 0.02, 3)
    pads = net.constant([0, 1, 0, 2, 0, 0, 3, 0], np.int64)
    finish(net, net.op("Pad", x, pads), 0.02, 3)
    finish(net, net.op("Pad", x, pads, net.constant(0.5, np.float32)), 0.02, 3)


@case
def split_in_three(net: QdqGraph) -> None:
    x = net.input((7, 4, 4), scale=0.02, zero=3)
    for part in net.op("Split", x, net.constant([1, 4, 2], np.int64), outputs=3, axis=1):
        finish(net, part, 0.02, 3)


@case
def reshapes(net: QdqGraph) -> None:
    x = net.input((4, 3, 2), scale=0.02, zero=3)
    for target in ([0, -1], [-1, 24], [0, 2, -1], [0, 0, 12]):
        x = net.pair(net.op("Reshape", x, net.constant(target, np.int64)), 0.02, 3)
    x = net.op("Unsqueeze", x, net.constant([2, -1], np.int64))
    finish(net, net.op("Squeeze", x, net.constant([2], np.int64)), 0.02, 3)


@case
def reshape_by_shape_arithmetic(net: QdqGraph) -> None:
    """What exporters write for ``x.view(x.size(0), -1)``."""
    x = net.input((4, 3, 2), scale=0.02, zero=3)
    batch = net.op("Gather", net.op("Shape", x), net.constant(0, np.int64), axis=0)
    first = net.op("Unsqueeze", batch, net.constant([0], np.int64))
    target = net.op("Concat", first, net.constant([-1], np.int64), axis=0)
    finish(net, net.op("Reshape", x, target), 0.02, 3)


@case
def moved_constants(net: QdqGraph) -> None:
    """Weights stored the TensorFlow way round, and a bias vector that is reshaped for broadcasting.

    onnxruntime adds a constant behind a Reshape in float: scales that give no ties make that the same.
    """
    kernel = net.op("Transpose", net.weights((3, 3, 4, 6), axis=3), perm=[3, 2, 0, 1])
    x = net.pair(net.op("Conv", net.input((4, 7, 7)), kernel), 0.05, 2)
    vector = net.operand(net.random.integers(-128, 128, 6), 0.020173, 9)
    finish(net, net.op("Add", x, net.op("Reshape", vector, net.constant([1, 6, 1, 1], np.int64))), 0.06, 5)


@case
def requantize(net: QdqGraph) -> None:
    finish(net, net.input((3, 5, 5)), 0.013, 40)


@case
def requantize_behind_movements(net: QdqGraph) -> None:
    x = net.op("Transpose", net.input((3, 5, 5)), perm=[0, 3, 1, 2])
    finish(net, net.op("Reshape", x, net.constant([0, 15, 5], np.int64)), 0.013, 40)


#: Where onnxruntime's optimizer changes the file's numbers: it merges the two pairs of a change of scale into a third.
MERGED = {"requantize", "requantize_behind_movements"}


@case
def resize_by_scales(net: QdqGraph) -> None:
    x = net.input((3, 5, 4), scale=0.02, zero=3)
    scales = net.constant([1, 1, 2, 3], np.float32)
    y = net.op(
        "Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )
    finish(net, y, 0.02, 3)


@case
def an_input_used_twice_and_an_output_used_again(net: QdqGraph) -> None:
    x = net.input((3, 5, 5), scale=0.02, zero=3)
    y = net.output(net.pair(net.op("Sigmoid", x), 1 / 256, -128))
    finish(net, net.op("Mul", x, y), 0.011, -60)


@pytest.mark.parametrize("kind", [UINT8, INT8])
@pytest.mark.parametrize("name", CASES)
def test_the_reference_equals_onnxruntime(name: str, kind: type) -> None:
    net = QdqGraph(kind, seed=len(name))
    CASES[name](net)
    source = net.model()
    results = assert_reference_agrees(source, seed=1, literal=name in MERGED)
    assert list(results) == [value.name for value in source.graph.output]
    assert all(len(np.unique(array)) > 3 for array in results.values()), "the case is too small to tell anything"


@pytest.mark.parametrize("name", CASES)
def test_int8_and_uint8_files_mean_the_same(name: str) -> None:
    unsigned, signed = QdqGraph(seed=len(name)), QdqGraph(INT8, seed=len(name))
    CASES[name](unsigned)
    CASES[name](signed)
    first, second = Model.from_onnx(unsigned.model()), Model.from_onnx(signed.model())
    inputs = model_inputs(first, 1, 2)
    for left, right in zip(first.execute(inputs), second.execute(inputs), strict=True):
        assert not differing(left, right)

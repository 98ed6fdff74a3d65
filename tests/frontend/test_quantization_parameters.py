"""Scales, zero points and weights as files state them: equal to the original file, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from sima_compiler import ModelError, UnsupportedError
from tests.support.exact_forms import Build, Forms, behind_pair, conv, dequantized, drawn, finish, read
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

exact = Forms()


# Zero points that are left out have the type of what they belong to.


def pair_by_output_dtype(net: QdqGraph, value: str, kind: int) -> str:
    scale = net.constant(0.05, np.float32)
    return net.op("DequantizeLinear", net.op("QuantizeLinear", value, scale, output_dtype=kind), scale)


@exact(opset=21)
def output_dtype_int8(net: QdqGraph) -> None:
    finish(
        net,
        net.op(
            "Conv", pair_by_output_dtype(net, net.float_input((3, 6, 6)), TensorProto.INT8), net.weights((4, 3, 3, 3))
        ),
    )


@exact(opset=21)
def output_dtype_uint8(net: QdqGraph) -> None:
    x = net.op("Relu", net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3))))
    finish(net, net.op("Sigmoid", pair_by_output_dtype(net, x, TensorProto.UINT8)), 1 / 256, -128)


@exact(opset=21)
def output_dtype_on_weights(net: QdqGraph) -> None:
    real = net.constant(net.random.normal(0, 0.2, (4, 3, 3, 3)), np.float32)
    scale = net.constant(0.004, np.float32)
    conv(net, net.op("DequantizeLinear", net.op("QuantizeLinear", real, scale, output_dtype=TensorProto.INT8), scale))


@exact(opset=21)
def output_dtype_through_a_movement(net: QdqGraph) -> None:
    scale = net.constant(0.05, np.float32)
    stored = net.op("QuantizeLinear", net.float_input((6, 6, 3)), scale, output_dtype=TensorProto.INT8)
    x = net.op("DequantizeLinear", net.op("Transpose", stored, perm=[0, 3, 1, 2]), scale)
    finish(net, net.op("Conv", x, net.weights((4, 3, 3, 3))))


@exact(opset=21)
def output_dtype_beside_its_zero_point(net: QdqGraph) -> None:
    scale, zero = net.constant(0.05, np.float32), net.constant(9, np.int8)
    stored = net.op("QuantizeLinear", net.float_input((5,)), scale, zero, output_dtype=TensorProto.INT8)
    finish(net, net.op("Tanh", net.op("DequantizeLinear", stored, scale, zero)), 1 / 128, 0)


@exact()
def no_zero_point_means_uint8(net: QdqGraph) -> None:
    scale = net.constant(0.02, np.float32)
    x = net.op("DequantizeLinear", net.op("QuantizeLinear", net.float_input((3, 6, 6)), scale), scale)
    finish(net, net.op("Conv", x, net.weights((4, 3, 3, 3))))


@exact()
def weights_without_a_zero_point(net: QdqGraph) -> None:
    conv(net, dequantized(net, drawn(net, -127, 127), np.int8, 0.01))


@exact()
def small_uint8_weights_without_a_zero_point(net: QdqGraph) -> None:
    conv(net, dequantized(net, drawn(net, 0, 127), np.uint8, 0.01))


@exact()
def an_operand_without_a_zero_point(net: QdqGraph) -> None:
    operand = dequantized(net, drawn(net, 0, 255, (1, 3, 1, 1)), np.uint8, 0.01)
    finish(net, net.op("Add", net.input((3, 6, 6)), operand))


# Weights around any zero point that int8 reaches.


@exact()
def uint8_weights_around_127(net: QdqGraph) -> None:
    conv(net, dequantized(net, drawn(net, 0, 254), np.uint8, 0.01, 127))


@exact()
def uint8_weights_around_128(net: QdqGraph) -> None:
    conv(net, dequantized(net, drawn(net, 0, 255), np.uint8, 0.01, 128))


@exact()
def weights_with_a_zero_point_per_channel(net: QdqGraph) -> None:
    scales = net.random.uniform(0.005, 0.02, 4)
    conv(net, dequantized(net, drawn(net, -100, 100), np.int8, scales, [0, 27, -27, 3], axis=0))


@exact()
def uint8_weights_with_a_zero_point_per_channel(net: QdqGraph) -> None:
    scales = net.random.uniform(0.005, 0.02, 4)
    conv(net, dequantized(net, drawn(net, 60, 160), np.uint8, scales, [100, 128, 127, 90], axis=0))


@exact()
def a_matrix_around_127(net: QdqGraph) -> None:
    weights = dequantized(
        net, drawn(net, 0, 254, (7, 12)), np.uint8, net.random.uniform(0.005, 0.02, 7), [127] * 7, axis=0
    )
    finish(net, net.op("Gemm", net.input((12,)), weights, transB=1))


@exact()
def shared_weights_around_127_behind_a_reshape(net: QdqGraph) -> None:
    flat = dequantized(
        net, drawn(net, 0, 254, (3, 27)), np.uint8, net.random.uniform(0.005, 0.02, 3), [127] * 3, axis=0
    )
    weights = net.op("Reshape", flat, net.constant([0, 3, 3, -1]))
    x = net.pair(net.op("Conv", net.input((3, 6, 6)), weights, pads=[1, 1, 1, 1]))
    finish(net, net.op("Conv", x, weights), 0.07)


@pytest.mark.parametrize("kind", [UINT8, INT8])
@pytest.mark.parametrize("name", exact)
def test_equal_to_the_original(name: str, kind: type, tmp_path: Path) -> None:
    exact.assert_exact(name, kind, tmp_path)


REFUSED: dict[str, tuple[Build, tuple[str, ...]]] = {
    "a scale below 0": (
        lambda net: finish(net, net.op("Sigmoid", scaled(net, -0.5))), ("constant_1", "-0.5", "positive"),
    ),
    "a scale of NaN": (lambda net: finish(net, net.op("Sigmoid", scaled(net, np.nan))), ("constant_1", "nan")),
    "an infinite scale": (lambda net: finish(net, net.op("Sigmoid", scaled(net, np.inf))), ("constant_1", "inf")),
    "an activation of scale 0": (lambda net: finish(net, net.op("Sigmoid", scaled(net, 0.0))), ("scale is 0",)),
    "a weight scale of NaN": (
        lambda net: conv(net, dequantized(net, drawn(net, -9, 9), np.int8, [1, 1, np.nan, 1], [0] * 4, axis=0)),
        ("DequantizeLinear", "constant_2", "nan at [2]"),
    ),
    "a negative weight scale": (
        lambda net: conv(net, dequantized(net, drawn(net, -9, 9), np.int8, -0.01, 0)), ("constant_2", "-0.0"),
    ),
    "a bias scale of infinity": (
        lambda net: conv(net, net.weights((4, 3, 3, 3)), dequantized(net, [1, 2, 3, 4], np.int32, np.inf)), ("inf",),
    ),
    "a factor of NaN": (
        lambda net: finish(net, net.op("Mul", net.input((3,)), net.constant(np.nan, np.float32))), ("Mul", "nan"),
    ),
    "an infinite addend": (
        lambda net: finish(net, net.op("Add", net.input((3,)), net.constant(np.inf, np.float32))), ("Add", "inf"),
    ),
    "a limit of NaN": (
        lambda net: finish(net, net.op("Clip", net.input((3,)), net.constant(np.nan, np.float32))), ("Clip", "nan"),
    ),
    "a real bias of NaN": (
        lambda net: conv(net, net.weights((2, 3, 1, 1)), net.constant([1, np.nan], np.float32)), ("Conv", "nan at [1]"),
    ),
    "NaN in front of a constant pair": (
        lambda net: conv(net, behind_pair(net, [[[[np.nan]], [[1]], [[2]]]], 0.1)), ("Quantize", "constant_1", "nan"),
    ),
    "a negative scale behind a real weight": (
        lambda net: conv(net, behind_pair(net, [[[[3]], [[1]], [[2]]]], -0.1)), ("constant_2", "-0.1"),
    ),
}  # fmt: skip


def scaled(net: QdqGraph, scale: float) -> str:
    x = net.float_input((3,))
    parameters = [net.constant(scale, np.float32), net.constant(3, np.uint8)]
    return net.op("DequantizeLinear", net.op("QuantizeLinear", x, *parameters), *parameters)


@pytest.mark.parametrize("name", REFUSED)
def test_bad_numbers_are_one_error_that_names_node_tensor_and_value(name: str) -> None:
    build, words = REFUSED[name]
    with pytest.raises(ModelError) as caught:
        read(build)
    for word in words:
        assert word in caught.value.message


@pytest.mark.parametrize(
    ("kind", "low", "high", "zero"), [(np.uint8, 0, 255, 100), (np.int8, -128, 127, -14), (np.uint8, 0, 255, 127)]
)
def test_weights_out_of_reach_are_refused_with_what_helps(kind: type, low: int, high: int, zero: int) -> None:
    def build(net: QdqGraph) -> None:
        values = drawn(net, low, high)
        values.reshape(-1)[:2] = low, high
        conv(net, dequantized(net, values, kind, 0.01, zero))

    with pytest.raises(UnsupportedError, match=f"zero points \\[{zero}\\]") as caught:
        read(build)
    assert "simac quantize" in caught.value.hint
    assert "quant_pre_process" in caught.value.hint


@pytest.mark.parametrize(
    ("build", "rule"),
    [
        (lambda net: conv(net, net.weights((4, 3, 3, 3), axis=1)), "per-channel scales run over the output channels"),
        (lambda net: conv(net, dequantized(net, drawn(net, -9, 9), np.int16, 0.01, 0)), "int8 or uint8"),
        (lambda net: finish(net, net.op("Gemm", net.input((4,)), net.weights((4, 4)), rows(net))), "batch"),
    ],
)
def test_oddities_are_refused_by_rule(build: Build, rule: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read(build, 21)
    assert rule in caught.value.rule


def rows(net: QdqGraph) -> str:
    """An addend with a row for every sample of a batch of four."""
    return dequantized(net, [[1], [2], [3], [4]], np.int32, 0.0002)


def test_scales_per_block_are_refused_by_rule() -> None:
    def build(net: QdqGraph) -> None:
        scales = net.constant(np.full((4, 2), 0.01), np.float32)
        stored = net.constant(drawn(net, -9, 9, (4, 12)), np.int8)
        weights = net.op("DequantizeLinear", stored, scales, axis=1, block_size=6)
        finish(net, net.op("Gemm", net.input((12,)), weights, transB=1))

    with pytest.raises(UnsupportedError, match="per block"):
        read(build, 21)


def test_scales_that_do_not_fit_their_weights() -> None:
    with pytest.raises(ModelError, match=r"scales of shape \(3,\) do not run over axis 0 of \(4, 3, 3, 3\)"):
        read(lambda net: conv(net, dequantized(net, drawn(net, -9, 9), np.int8, [1, 2, 3], [0] * 3, axis=0)))


def test_output_dtype_against_its_zero_point() -> None:
    def build(net: QdqGraph) -> None:
        scale, zero = net.constant(0.05, np.float32), net.constant(9, np.uint8)
        net.output(net.op("QuantizeLinear", net.float_input((5,)), scale, zero, output_dtype=TensorProto.INT8))

    with pytest.raises(ModelError, match="output_dtype says INT8, its zero point UINT8"):
        read(build, 21)

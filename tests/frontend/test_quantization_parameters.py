"""Scales, zero points, weights and biases as files state them: equal to the original file, or refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sima_compiler import Model, ModelError, UnsupportedError, quantize
from sima_compiler.frontend.canonical import canonical
from tests.support.judges import assert_judges_agree
from tests.support.oracle import run_onnxruntime
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

Build = Callable[[QdqGraph], None]
EXACT: dict[str, tuple[Build, int]] = {}


def exact(opset: int = 17) -> Callable[[Build], Build]:
    def register(build: Build) -> Build:
        EXACT[build.__name__] = (build, opset)
        return build

    return register


def finish(net: QdqGraph, value: str, scale: float = 0.05, zero: int = -7) -> None:
    net.output(net.pair(value, scale, zero))


def dequantized(net: QdqGraph, array: Any, kind: type, scale: Any, zero: Any = None, **attributes: Any) -> str:
    parts = [net.constant(array, kind), net.constant(scale, np.float32)]
    parts += [] if zero is None else [net.constant(zero, kind)]
    return net.op("DequantizeLinear", *parts, **attributes)


def conv(net: QdqGraph, weights: str, *bias: str, scale: float = 0.02, out: float = 0.05) -> None:
    finish(net, net.op("Conv", net.input((3, 6, 6), scale=scale), weights, *bias), out)


def drawn(net: QdqGraph, low: int, high: int, shape: tuple[int, ...] = (4, 3, 3, 3)) -> np.ndarray:
    return net.random.integers(low, high + 1, shape)


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


# Biases in whatever units.


def weights_and_unit(net: QdqGraph, sx: float = 0.02) -> tuple[str, np.ndarray]:
    weights = net.weights((4, 3, 3, 3), axis=0)
    return weights, np.float32(sx) * net.constants[net.nodes[-1].input[1]]


@exact()
def a_bias_in_one_unit_for_all_channels(net: QdqGraph) -> None:
    weights, _ = weights_and_unit(net)
    conv(net, weights, dequantized(net, drawn(net, -900, 900, (4,)), np.int32, 0.0011))


@exact()
def a_bias_in_units_of_its_own(net: QdqGraph) -> None:
    weights, unit = weights_and_unit(net)
    conv(net, weights, dequantized(net, drawn(net, -900, 900, (4,)), np.int32, unit * np.float32(3), axis=0))


@exact()
def a_bias_of_bytes(net: QdqGraph) -> None:
    weights, _ = weights_and_unit(net)
    conv(net, weights, dequantized(net, drawn(net, -128, 127, (4,)), np.int8, 0.013, 5))


@exact()
def a_bias_behind_a_pair(net: QdqGraph) -> None:
    weights, _ = weights_and_unit(net)
    conv(net, weights, behind_pair(net, [1.0, -2.0, 0.3, 0.0], 0.02))


@exact()
def a_bias_of_another_unit_on_weights_around_127(net: QdqGraph) -> None:
    weights = dequantized(net, drawn(net, 0, 254), np.uint8, 0.01, 127)
    conv(net, weights, dequantized(net, drawn(net, -900, 900, (4,)), np.int32, 0.0007))


def test_a_bias_of_another_unit_on_gemm_keeps_its_meaning() -> None:
    """onnxruntime's fused Gemm takes the integers for multiples of sx * sw whatever the file says; without fusing it
    computes what the file says, as the archive does."""
    net = QdqGraph()
    bias = dequantized(net, drawn(net, -900, 900, (1, 7)), np.int32, 0.0011)
    finish(net, net.op("Gemm", net.input((12,)), net.weights((7, 12), axis=0), bias, transB=1))
    model = Model.from_onnx(net.model())
    inputs = {"image": np.random.default_rng(0).standard_normal((9, 12), dtype=np.float32)}
    (expected,) = run_onnxruntime(net.model(), inputs, optimized=False).values()
    assert np.array_equal(model.execute(inputs)[0], expected)
    assert len(model.graph.warnings) == 1
    # What is exported says so in its own units, which onnxruntime then fuses.
    (exported,) = run_onnxruntime(model.to_onnx(uint8=True), inputs).values()
    assert np.array_equal(exported, expected)


# Scale 0: pruned channels.


def pruned(net: QdqGraph, *channels: int) -> tuple[str, np.ndarray]:
    scales = net.random.uniform(0.005, 0.02, 4).astype(np.float32)
    scales[list(channels)] = 0
    return dequantized(net, drawn(net, -127, 127), np.int8, scales, [0] * 4, axis=0), scales


@exact()
def a_pruned_channel(net: QdqGraph) -> None:
    conv(net, pruned(net, 2)[0])


@exact()
def a_pruned_channel_with_a_bias_of_scale_zero(net: QdqGraph) -> None:
    weights, scales = pruned(net, 1)
    unit = np.float32(0.02) * scales
    conv(net, weights, dequantized(net, drawn(net, -3000, 3000, (4,)), np.int32, unit, axis=0))


@exact()
def a_pruned_channel_whose_bias_has_its_own_unit(net: QdqGraph) -> None:
    weights, scales = pruned(net, 3)
    unit = np.where(scales, np.float32(0.02) * scales, np.float32(0.0005))
    conv(net, weights, dequantized(net, drawn(net, -3000, 3000, (4,)), np.int32, unit, axis=0))


@exact()
def a_pruned_channel_with_a_real_bias(net: QdqGraph) -> None:
    conv(net, pruned(net, 1)[0], net.constant([1.0, 2.5, -3.0, 0.4], np.float32))


@exact()
def all_channels_pruned(net: QdqGraph) -> None:
    conv(net, dequantized(net, drawn(net, -127, 127), np.int8, 0.0, 0))


@exact()
def only_the_bias_has_scale_zero(net: QdqGraph) -> None:
    weights, unit = weights_and_unit(net)
    unit[2] = 0
    conv(net, weights, dequantized(net, drawn(net, -3000, 3000, (4,)), np.int32, unit, axis=0))


@exact()
def an_operand_of_scale_zero(net: QdqGraph) -> None:
    operand = dequantized(net, drawn(net, 0, 255, (1, 3, 1, 1)), np.uint8, 0.0, 7)
    finish(net, net.op("Add", net.input((3, 16, 16)), operand), 0.021)


@exact()
def a_pruned_channel_around_127_behind_reshape(net: QdqGraph) -> None:
    scales = net.random.uniform(0.005, 0.02, 4)
    scales[0] = 0
    flat = dequantized(net, drawn(net, 0, 254, (4, 27)), np.uint8, scales, [127] * 4, axis=0)
    conv(net, net.op("Reshape", flat, net.constant([4, 3, 3, 3])))


# Clip with its limits crossed: the upper one wins.


def limits(net: QdqGraph, low: float, high: float) -> list[str]:
    return [net.constant(low, np.float32), net.constant(high, np.float32)]


@exact()
def crossed_limits_behind_a_product(net: QdqGraph) -> None:
    x = net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3)))
    finish(net, net.op("Clip", x, *limits(net, 2, -1)))


@exact()
def crossed_limits_alone(net: QdqGraph) -> None:
    finish(net, net.op("Clip", net.input((3, 6, 6)), *limits(net, 1.5, 0.5)), 0.01, 0)


@exact()
def crossed_limits_behind_relu(net: QdqGraph) -> None:
    x = net.op("Relu", net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3))))
    finish(net, net.op("Clip", x, *limits(net, 3, 1)), 0.03, -100)


@exact()
def limits_that_cross_those_in_front(net: QdqGraph) -> None:
    x = net.op("Clip", net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3))), *limits(net, 0, 1))
    finish(net, net.op("Clip", x, *limits(net, 2, 5)), 0.03, -100)


@exact()
def crossed_limits_that_are_quantized(net: QdqGraph) -> None:
    x = net.op("Add", net.input((3, 6, 6)), net.input((3, 6, 6), "other"))
    low, high = dequantized(net, 90, np.int8, 0.02, 0), dequantized(net, 10, np.int8, 0.02, 0)
    finish(net, net.op("Clip", x, low, high), 0.02, 3)


@exact()
def crossed_limits_on_a_pruned_channel(net: QdqGraph) -> None:
    x = net.op("Conv", net.input((3, 6, 6)), pruned(net, 2)[0])
    finish(net, net.op("Clip", x, *limits(net, 2, -1)))


@exact()
def no_upper_limit(net: QdqGraph) -> None:
    x = net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3)))
    finish(net, net.op("Clip", x, *limits(net, 0.5, np.inf)))


@pytest.mark.parametrize("kind", [UINT8, INT8])
@pytest.mark.parametrize("name", EXACT)
def test_equal_to_the_original(name: str, kind: type, tmp_path: Path) -> None:
    build, opset = EXACT[name]
    net = QdqGraph(kind, opset=opset)
    build(net)
    assert_judges_agree(net.model(), tmp_path, batch=2, compress=True)


def read(build: Build, opset: int = 17) -> Model:
    net = QdqGraph(opset=opset)
    build(net)
    return Model.from_onnx(net.model())


def test_a_requantized_bias_is_a_warning_with_its_largest_error(tmp_path: Path) -> None:
    def build(net: QdqGraph) -> None:
        weights = net.weights((2, 3, 1, 1), 0.01)
        conv(net, weights, dequantized(net, [1, 7], np.int32, [0.0003, 0.00025], axis=0))

    model = read(build)
    (warning,) = model.graph.warnings
    assert "requantized" in warning
    found = re.search(r"largest error ([\d.e-]+)", warning)
    assert found is not None
    unit = np.float64(np.float32(0.02) * np.float32(0.01))
    real = np.array([1, 7]) * np.float32([0.0003, 0.00025]).astype(np.float64)
    assert float(found[1]) == pytest.approx(np.abs(np.rint(real / unit) * unit - real).max(), rel=1e-2)
    saved = Model.load("small", model.save("small", tmp_path).parent)
    assert saved.graph.warnings == model.graph.warnings


def test_a_bias_that_changes_by_nothing_is_no_warning() -> None:
    def build(net: QdqGraph) -> None:
        conv(net, net.weights((2, 3, 1, 1), 0.5), dequantized(net, [3, -7], np.int32, 0.25), scale=0.25)

    assert read(build).graph.warnings == ()


def test_a_real_bias_that_a_pruned_channel_loses_is_a_warning() -> None:
    def build(net: QdqGraph) -> None:
        conv(net, pruned(net, 1)[0], net.constant([1.0, 2.5, 3.0, 4.0], np.float32))

    (warning,) = read(build).graph.warnings
    assert "lost, as in onnxruntime; largest 2.5" in warning


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


def behind_pair(net: QdqGraph, array: Any, scale: float) -> str:
    real = net.constant(array, np.float32)
    parameters = [net.constant(scale, np.float32), net.constant(0, np.int8)]
    return net.op("DequantizeLinear", net.op("QuantizeLinear", real, *parameters), *parameters)


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


# Float16 and double become float32.


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_boundaries_of_other_floats(kind: int, tmp_path: Path) -> None:
    net = QdqGraph()
    image = net.float_input((3, 6, 6))
    net.inputs[0].type.tensor_type.elem_type = kind
    x = net.pair(net.op("Cast", image, to=TensorProto.FLOAT), 0.02, 3)
    y = net.pair(net.op("Conv", x, net.weights((4, 3, 3, 3))))
    net.output(net.op("Cast", y, to=kind), dtype=kind)
    original = net.model()
    model = Model.from_onnx(original)
    inputs = {"image": np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float16).astype(np.float32)}
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    (expected,) = run_onnxruntime(original, {"image": inputs["image"].astype(dtype)}).values()
    assert np.array_equal(model.execute(inputs)[0].astype(dtype), expected)
    onnx.checker.check_model(model.to_onnx(), full_check=True)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_constants_of_other_floats(kind: type, tmp_path: Path) -> None:
    """Real weights behind a pair, a limit and a scale, all of another type until a Cast."""
    net = QdqGraph()
    as_float = {"to": TensorProto.FLOAT}
    weights = net.op("Cast", net.constant(net.random.normal(0, 0.2, (4, 3, 3, 3)), kind), **as_float)
    parameters = [net.op("Cast", net.constant(0.0041, kind), **as_float), net.constant(0, np.int8)]
    weights = net.op("DequantizeLinear", net.op("QuantizeLinear", weights, *parameters), *parameters)
    x = net.op("Conv", net.input((3, 6, 6)), weights)
    finish(net, net.op("Clip", x, net.op("Cast", net.constant(-0.37, kind), **as_float)), 0.013)
    assert_judges_agree(net.model(), tmp_path, batch=2, compress=True)


@pytest.mark.parametrize("inside", [True, False], ids=["float16 behind Cast", "float16 at the boundary"])
def test_a_float16_model_is_quantized_as_float32(inside: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = numpy_helper.from_array(random.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float16), "w")
    layer = [helper.make_node("Conv", ["h", "w"], ["c"]), helper.make_node("Relu", ["c"], ["r"])]
    casts = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["r"], ["y"], to=TensorProto.FLOAT),
    ]
    kind, names = (TensorProto.FLOAT, ("x", "y")) if inside else (TensorProto.FLOAT16, ("h", "r"))
    image = helper.make_tensor_value_info(names[0], kind, [1, 3, 8, 8])
    result = helper.make_tensor_value_info(names[1], kind, None)
    nodes = [casts[0], *layer, casts[1]] if inside else layer
    float_model = helper.make_model(
        helper.make_graph(nodes, "half", [image], [result], [weights]),
        opset_imports=[helper.make_opsetid("", 13)], ir_version=8,
    )  # fmt: skip
    samples = [{names[0]: random.standard_normal((1, 3, 8, 8), dtype=np.float32)} for _ in range(4)]
    model = quantize(float_model, samples)
    assert [node.op for node in model.graph.nodes] == ["Conv"]
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    (expected,) = run_onnxruntime(float_model, {names[0]: samples[0][names[0]].astype(dtype)}).values()
    noise = model.execute(samples[0])[0] - expected.astype(np.float32)
    assert 10 * np.log10(np.square(expected.astype(np.float64)).mean() / np.square(noise).mean()) > 30  # decibels
    assert_judges_agree(model.to_onnx(), tmp_path, batch=1, compress=True)


def test_nodes_that_do_nothing_are_gone_before_reading() -> None:
    net = QdqGraph()
    x = net.op("Cast", net.input((3, 6, 6)), to=TensorProto.FLOAT)
    x = net.op("Dropout", net.op("Identity", net.op("Max", x)))
    stored = net.op("Cast", net.quantize(net.op("Sigmoid", x), 1 / 256, -128), to=TensorProto.UINT8)
    net.output(net.op("Identity", net.dequantize(stored, 1 / 256, -128)))
    operators = [node.op_type for node in canonical(net.model()).graph.node]
    assert operators == ["QuantizeLinear", "DequantizeLinear", "Sigmoid", "QuantizeLinear", "DequantizeLinear"]

"""Biases in whatever units, and pruned channels: equal to the original file, or refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from sima_compiler import Model
from tests.support.exact_forms import Forms, behind_pair, conv, dequantized, drawn, finish, pruned, read
from tests.support.oracle import run_onnxruntime
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

exact = Forms()


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


@pytest.mark.parametrize("kind", [UINT8, INT8])
@pytest.mark.parametrize("name", exact)
def test_equal_to_the_original(name: str, kind: type, tmp_path: Path) -> None:
    exact.assert_exact(name, kind, tmp_path)


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

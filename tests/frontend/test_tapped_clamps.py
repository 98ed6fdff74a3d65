"""A tensor that the network hands out keeps its range, whatever Relu or Clip reads it besides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sima_compiler import quantize
from sima_compiler.frontend.quantize import quantize_onnx
from tests.networks.float_net import FloatNet
from tests.support.judges import assert_reference_agrees, signal_to_noise
from tests.support.qdq_writer import random_inputs

#: Decibels between a float output and its 8-bit form; a lost half of the range leaves less than 5.
CLOSE = 25


def before_relu(net: FloatNet) -> list[str]:
    x = net.conv(net.input((4, 8, 8), "image"), 4, 3)
    return [x, net.unary("Relu", x)]


def before_clip(net: FloatNet) -> list[str]:
    x = net.conv(net.input((4, 8, 8), "image"), 4, 3)
    return [x, net.conv(net.clip(x, 0.0, 1.0), 4)]


def between_clip_and_relu(net: FloatNet) -> list[str]:
    x = net.clip(net.conv(net.input((4, 8, 8), "image"), 4, 3), -1.0, 0.5)
    return [net.conv(net.unary("Relu", x), 4), x]


def a_sum_before_relu(net: FloatNet) -> list[str]:
    x = net.conv(net.input((4, 8, 8), "image"), 4, 3)
    y = net.binary("Add", x, net.conv(x, 4))
    return [net.unary("Relu", y), y]


def a_dense_layer_before_relu(net: FloatNet) -> list[str]:
    y = net.dense(net.flatten(net.global_pool(net.conv(net.input((4, 8, 8), "image"), 8, 3))), 6)
    return [y, net.dense(net.unary("Relu", y), 3)]


def two_taps_in_a_row(net: FloatNet) -> list[str]:
    x = net.conv(net.input((4, 8, 8), "image"), 4, 3)
    y = net.conv(net.unary("Relu", x), 4, 3)
    return [x, y, net.unary("Relu", y)]


def three_ways_at_once(net: FloatNet) -> list[str]:
    """The same tensor is an output, is clamped, and is added to what the clamp gives."""
    x = net.conv(net.input((4, 8, 8), "image"), 4, 3)
    return [x, net.binary("Add", x, net.unary("Relu", x))]


CASES = (
    before_relu,
    before_clip,
    between_clip_and_relu,
    a_sum_before_relu,
    a_dense_layer_before_relu,
    two_taps_in_a_row,
    three_ways_at_once,
)


@pytest.mark.parametrize("network", CASES, ids=lambda case: case.__name__)
def test_every_output_stays_near_the_float_network(network: Callable[[FloatNet], list[str]]) -> None:
    net = FloatNet(5)
    outputs = network(net)
    source = net.model(outputs)
    samples = [random_inputs(source, 4, np.random.default_rng(3))]
    file, model = quantize_onnx(source, samples).model, quantize(source, samples)
    assert list(model.outputs) == outputs
    assert {name: value for name, value in signal_to_noise(source, model).items() if value < CLOSE} == {}
    assert_reference_agrees(file, model=model)


def test_open_sizes_and_a_tap_together() -> None:
    net = FloatNet(6)
    source = net.model(before_relu(net))
    for entry in (*source.graph.input, *source.graph.output):
        for dim in entry.type.tensor_type.shape.dim[2:]:
            dim.dim_param = "side"
    samples = [{"image": np.random.default_rng(3).standard_normal((4, 4, 8, 8), dtype=np.float32)}]
    file, model = quantize_onnx(source, samples).model, quantize(source, samples)
    assert min(signal_to_noise(source, model).values()) > CLOSE
    assert_reference_agrees(file, model=model)


def test_no_name_of_the_taps_is_left_at_the_boundary_or_taken_from_the_file() -> None:
    net = FloatNet(7)
    source = net.model(before_relu(net))
    taken = source.graph.output[0].name + "_tapped"
    for node in source.graph.node:
        if node.op_type == "Relu":
            node.output[0] = taken
    source.graph.output[1].name = taken
    samples = [random_inputs(source, 2, np.random.default_rng(0))]
    model = quantize(source, samples)
    assert list(model.outputs) == [entry.name for entry in source.graph.output]
    assert min(signal_to_noise(source, model).values()) > CLOSE

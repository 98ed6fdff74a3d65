"""Quantization keeps the network's own Relu and Clip, and takes networks that start or end in unusual ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import pytest

from sima_compiler import Model, quantize
from sima_compiler.frontend.quantize import quantize_onnx
from tests.networks.float_net import FloatNet
from tests.support.judges import assert_reference_agrees, signal_to_noise
from tests.support.qdq_writer import random_inputs


@dataclass(frozen=True, slots=True)
class Quantized:
    """A float network, the file that `quantize` makes of it, and what was read from that."""

    source: onnx.ModelProto
    file: onnx.ModelProto
    model: Model


def quantized(net: FloatNet, outputs: list[str]) -> Quantized:
    source = net.model(outputs)
    samples = [random_inputs(source, 2, np.random.default_rng(0))]
    return Quantized(source, quantize_onnx(source, samples).model, quantize(source, samples))


def assert_equals_onnxruntime(made: Quantized) -> None:
    """The file and the model agree on every element; both are near the float network."""
    assert_reference_agrees(made.file, model=made.model)
    assert min(signal_to_noise(made.source, made.model).values()) > 15


def image(net: FloatNet) -> str:
    return net.input((3, 12, 12), "image")


@pytest.mark.parametrize("last", [False, True], ids=["inside", "at the output"])
def test_relu_and_clip_stay_in_the_file(last: bool) -> None:
    net = FloatNet(1)
    x = net.unary("Relu", net.conv(image(net), 8, 3))
    x = net.clip(net.binary("Add", net.conv(x, 8, 3), x), 0.0, 6.0)
    made = quantized(net, [x if last else net.conv(x, 4)])
    operators = [node.op_type for node in made.file.graph.node]
    assert operators.count("Relu") == 1
    assert operators.count("Clip") == 1
    assert [node.fused for node in made.model.graph.nodes if node.fused] == [("relu",), ("clip",)]
    assert_equals_onnxruntime(made)


def focus(net: FloatNet) -> str:
    """Four strided slices joined: onnxruntime would fuse them into an operator that the compiler does not have."""
    x, parts = image(net), []
    for start in ([0, 0], [1, 0], [0, 1], [1, 1]):
        tables = [start, [2**31, 2**31], [2, 3], [2, 2]]
        names = [net.constant(np.array(values, np.int64), "at") for values in tables]
        parts.append(net.node("Slice", [x, *names], (3, 6, 6)))
    return net.conv(net.concat(parts), 8, 3)


STARTS: dict[str, Callable[[FloatNet], str]] = {
    "an average pool": lambda net: net.conv(net.pool("AveragePool", image(net), 2), 8, 3),
    "a maximum pool": lambda net: net.conv(net.pool("MaxPool", image(net), 2), 8, 3),
    "strided slices": focus,
    "a transposition": lambda net: net.conv(
        net.node("Transpose", [net.input((12, 12, 3), "image")], (3, 12, 12), perm=[0, 3, 1, 2]), 8, 3
    ),
    "an upsampling": lambda net: net.conv(net.upsample(image(net)), 8, 3),
}


@pytest.mark.parametrize("start", STARTS)
def test_networks_that_start_with(start: str) -> None:
    net = FloatNet(2)
    assert_equals_onnxruntime(quantized(net, [STARTS[start](net)]))

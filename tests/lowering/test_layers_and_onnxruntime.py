"""Layers of quantized ONNX files against onnxruntime on their uint8 form: every element of every output."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from sima_compiler.arithmetic import dequantize, quantize
from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from sima_compiler.ir.layers import LayerGraph
from tests.lowering.agreement import lowered, names
from tests.lowering.layer_evaluator import run_layers
from tests.networks.float_net import FloatNet
from tests.networks.topologies import mobilenet_v2, unet, yolo_style
from tests.support.oracle import differing, run_onnxruntime
from tests.support.qdq_writer import Style, write_qdq


def squeeze_net() -> onnx.ModelProto:
    """Gates, a channel shuffle, a channels-last input and a classifier."""
    net = FloatNet(5)
    image = net.input((10, 9, 3))
    x = net.node("Transpose", [image], (3, 10, 9), perm=[0, 3, 1, 2])
    x = net.unary("Relu", net.conv(x, 12, 3, stride=2))
    gate = net.unary("HardSigmoid", net.conv(net.unary("Relu", net.conv(net.global_pool(x), 4)), 12))
    x = net.binary("Mul", x, gate)
    shuffled = net.node("Transpose", [net.reshape(x, (3, 4, 5, 5))], (4, 3, 5, 5), perm=[0, 2, 1, 3, 4])
    y = net.conv(net.reshape(shuffled, (12, 5, 5)), 12, 3, groups=12)
    z = net.concat([net.binary("Add", y, x), x])
    return net.model([net.dense(net.flatten(net.pool("AveragePool", z, 5)), 10)])


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "squeeze_net": squeeze_net,
    "mobilenet_v2": lambda: mobilenet_v2(32, 0.5),
    "yolo_style": lambda: yolo_style(64, 8),
    "unet": lambda: unet(32, 8),
}


def agreed_with_onnxruntime(model: onnx.ModelProto, seed: int) -> LayerGraph:
    """The layers of a uint8 model, after comparing them with onnxruntime at batch 2."""
    graph = graph_from_onnx(model, "net")
    layers = lowered(graph)
    random = np.random.default_rng(seed)
    inputs = {name: random.standard_normal((2, *graph.tensors[name].shape)).astype(np.float32) for name in graph.inputs}
    stored = {name: quantize(values, graph.tensors[name].quant) for name, values in inputs.items()}
    expected = run_onnxruntime(model, inputs)
    for name, found in zip(graph.outputs, run_layers(layers, stored), strict=True):
        assert not differing(expected[name], dequantize(found, graph.tensors[name].quant)), name
    return layers


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_agree_with_onnxruntime(name: str) -> None:
    layers = agreed_with_onnxruntime(write_qdq(NETWORKS[name](), 0, Style(activation="uint8")), seed=1)
    copies = [part for part in names(layers) if part.startswith(("reshape", "transpose"))]
    assert copies == (["reshape_transpose_reshape"] if name == "squeeze_net" else [])


def test_channel_shuffle_network_needs_no_other_layers() -> None:
    layers = agreed_with_onnxruntime(write_qdq(squeeze_net(), 0, Style(activation="uint8")), seed=2)
    assert names(layers) == [
        "conv2d_add_relu",
        "global_avg_pool2d",
        "conv2d_add_relu",
        "conv2d_add_hard_sigmoid",
        "mul",
        "reshape_transpose_reshape",
        "depthwise_conv2d_add_add",
        "concatenate",
        "global_avg_pool2d",
        "dense_add",
    ]

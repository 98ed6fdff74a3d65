"""One small quantized network for tests that only need something to compile."""

from __future__ import annotations

from pathlib import Path

import onnx

from tests.networks.float_net import FloatNet
from tests.support.qdq_writer import Style, write_qdq


def small_float_model() -> onnx.ModelProto:
    """Two convolutions, a residual addition, a pool and a dense layer on 8 x 8 images."""
    net = FloatNet(11)
    image = net.input((3, 8, 8), "image")
    first = net.unary("Relu", net.conv(image, 16, 3))
    second = net.conv(first, 16, 3)
    joined = net.unary("Relu", net.binary("Add", second, first))
    return net.model([net.dense(net.flatten(net.global_pool(joined)), 5)], "small")


def write_small_model(folder: Path, name: str = "small") -> Path:
    """The network as a quantized ONNX file."""
    path = folder / f"{name}.onnx"
    onnx.save(write_qdq(small_float_model(), 11, Style()), path)
    return path

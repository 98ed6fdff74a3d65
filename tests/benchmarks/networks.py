"""The networks of the benchmarks: generated here with seeded weights, or found in a folder that the reader names.

In: a name. Out: a `Model`. Generated networks are quantized once, with one seeded random sample, and kept in
``build/benchmarks`` of the working directory. Three networks exist as the very same network for two tools and cannot be
generated: they come from the folder that the environment variable ``SIMA_NB_BENCH_NETWORKS`` names.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from sima_compiler import Model, quantize
from sima_compiler.frontend.light_models import light_model
from tests.networks.float_net import FloatNet
from tests.networks.topologies import mobilenet_v2, unet, yolo_style

FOLDER_VARIABLE = "SIMA_NB_BENCH_NETWORKS"
CACHE = Path("build") / "benchmarks"
#: The networks in that folder: `<name>_int8_qdq.onnx` for us and `<name>_int8.tflite` for Vela.
SHARED = ("resnet50", "mobilenetv2", "efficientnetb0")
WITHOUT_FOLDER = (
    f"left out: set {FOLDER_VARIABLE} to a folder with <name>_int8_qdq.onnx and <name>_int8.tflite "
    f"for {', '.join(SHARED)}"
)


def efficientnet_b0(*, classes: int = 1000, seed: int = 5) -> onnx.ModelProto:
    """Mobile inverted bottlenecks with squeeze and excitation; swish written as Sigmoid and Mul."""
    net = FloatNet(seed)
    x = _swish(net, net.conv(net.input((3, 224, 224), "image"), 32, 3, stride=2))
    stages = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3))
    stages += ((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))
    for expansion, channels, repeats, stride, kernel in stages:
        for index in range(repeats):
            x = _bottleneck(net, x, channels, expansion, stride if index == 0 else 1, kernel)
    x = net.flatten(net.global_pool(_swish(net, net.conv(x, 1280))))
    return net.model([net.dense(x, classes)], "efficientnet_b0")


def _swish(net: FloatNet, x: str) -> str:
    return net.binary("Mul", x, net.unary("Sigmoid", x))


def _bottleneck(net: FloatNet, x: str, channels: int, expansion: int, stride: int, kernel: int) -> str:
    hidden = net.shapes[x][0] * expansion
    y = _swish(net, net.conv(x, hidden)) if expansion > 1 else x
    y = _swish(net, net.conv(y, hidden, kernel, stride=stride, groups=hidden))
    squeezed = _swish(net, net.conv(net.global_pool(y), max(1, net.shapes[x][0] // 4)))
    y = net.binary("Mul", y, net.unary("Sigmoid", net.conv(squeezed, hidden)), net.shapes[y])
    y = net.conv(y, channels)
    return net.binary("Add", x, y) if stride == 1 and net.shapes[x] == net.shapes[y] else y


def up_to_scores(name: str) -> onnx.ModelProto:
    """A light topology without its last Softmax: bounds, peers and publications are about the rest."""
    network = light_model(name)
    last = network.graph.node[-1]
    assert last.op_type == "Softmax", "a classifier's end"
    network.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None))
    del network.graph.node[-1]
    return onnx.shape_inference.infer_shapes(network)


GENERATED: dict[str, Callable[[], onnx.ModelProto]] = {
    "light_resnet50": lambda: up_to_scores("resnet50"),
    "light_squeezenet": lambda: up_to_scores("squeezenet"),
    "light_vgg19": lambda: up_to_scores("vgg19"),
    "mobilenet_v2": mobilenet_v2,
    "efficientnet_b0": efficientnet_b0,
    "yolo_style_640": lambda: yolo_style(640, 32, classes=80),
    "unet_512": lambda: unet(512, 32),
}


def generated(name: str) -> Model:
    """The quantized network ``name``; the first call makes it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (CACHE / f"{name}.sima").is_file():
        _make(name)
    return Model.load(name, str(CACHE))


def _make(name: str) -> None:
    network = GENERATED[name]()
    path = CACHE / f"{name}.onnx"
    onnx.save(network, path)
    random = np.random.default_rng(0)
    (value,) = network.graph.input
    shape = [axis.dim_value or 1 for axis in value.type.tensor_type.shape.dim]
    sample = {value.name: random.standard_normal(shape).astype(np.float32)}
    quantize(str(path), [sample], model_name=name).save(name, str(CACHE))
    path.unlink()


def shared_folder() -> Path | None:
    """The folder with the networks that cannot be generated, or None when the variable names none."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named and Path(named).is_dir() else None

"""Whole networks in the shapes people deploy: classification, detection and segmentation.

In: a resolution and a width. Out: a float ONNX model with a symbolic batch and seeded weights.
"""

from __future__ import annotations

import numpy as np
import onnx

from tests.networks.float_net import FloatNet


def mobilenet_v2(resolution: int = 224, width: float = 1.0, *, classes: int = 1000, seed: int = 2) -> onnx.ModelProto:
    """Inverted residuals: expansion, depthwise, linear projection; ReLU6 written as Clip."""
    net = FloatNet(seed)
    x = _relu6(net, net.conv(net.input((3, resolution, resolution), "image"), _wide(32, width), 3, stride=2))
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expansion, channels, repeats, stride in stages:
        for index in range(repeats):
            x = _inverted_residual(net, x, _wide(channels, width), expansion, stride if index == 0 else 1)
    x = _relu6(net, net.conv(x, _wide(1280, width)))
    x = net.flatten(net.global_pool(x))
    return net.model([net.dense(x, classes)], "mobilenet_v2")


def _wide(channels: int, width: float) -> int:
    return max(8, int(channels * width + 4) // 8 * 8)


def _relu6(net: FloatNet, x: str) -> str:
    return net.clip(x, 0.0, 6.0)


def _inverted_residual(net: FloatNet, x: str, channels: int, expansion: int, stride: int) -> str:
    hidden = net.shapes[x][0] * expansion
    y = _relu6(net, net.conv(x, hidden)) if expansion > 1 else x
    y = _relu6(net, net.conv(y, hidden, 3, stride=stride, groups=hidden))
    y = net.conv(y, channels)
    return net.binary("Add", x, y) if stride == 1 and net.shapes[x] == net.shapes[y] else y


def yolo_style(resolution: int = 256, width: int = 16, *, classes: int = 20, seed: int = 3) -> onnx.ModelProto:
    """A detector: split-and-concat backbone with SiLU, stacked max pools, a top-down neck, three heads."""
    net = FloatNet(seed)
    levels = _pyramid(net, net.input((3, resolution, resolution), "image"), width)
    heads = [net.conv(_silu_conv(net, level, width * 4, 3), 3 * (5 + classes)) for level in levels]
    return net.model(heads, "yolo_style")


def _pyramid(net: FloatNet, image: str, width: int) -> tuple[str, str, str]:
    """Maps of an eighth, a sixteenth and a 32nd of the resolution."""
    x = _stage(net, _silu_conv(net, image, width, 3, 2), width * 2, 1)
    small = _stage(net, x, width * 4, 2)
    middle = _stage(net, small, width * 8, 2)
    large = _pyramid_pool(net, _stage(net, middle, width * 16, 1))
    middle = _merge(net, large, middle, width * 8)
    return _merge(net, middle, small, width * 4), middle, large


def yolo_segmenter(
    resolution: int = 256, width: int = 16, *, classes: int = 20, masks: int = 16, seed: int = 5
) -> onnx.ModelProto:
    """A detector that also cuts objects out: boxes decoded in the network, prototypes of masks by a ConvTranspose."""
    net = FloatNet(seed)
    levels = _pyramid(net, net.input((3, resolution, resolution), "image"), width)
    sizes = (64, classes, masks)
    boxes, scores, coefficients = (
        net.concat([_row(net, net.conv(_silu_conv(net, level, width * 4, 3), size)) for level in levels], axis=1)
        for size in sizes
    )
    found = net.concat([_decoded(net, boxes, levels, resolution), net.unary("Sigmoid", scores), coefficients])
    return net.model([found, _prototypes(net, levels[0], width * 4, masks)], "yolo_segmenter")


def _row(net: FloatNet, x: str) -> str:
    channels, rows, columns = net.shapes[x]
    return net.reshape(x, (channels, rows * columns))


def _decoded(net: FloatNet, boxes: str, levels: tuple[str, ...], resolution: int) -> str:
    """Four distances of 16 bins each, by softmax and their mean, to centre and size in pixels."""
    count = net.shapes[boxes][1]
    bins = net.node("Transpose", [net.reshape(boxes, (4, 16, count))], (16, 4, count), perm=[0, 2, 1, 3])
    shares = net.node("Softmax", [bins], (16, 4, count), axis=1)
    places = net.constant(np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1), "bins")
    distances = net.reshape(net.node("Conv", [shares, places], (1, 4, count), kernel_shape=[1, 1]), (4, count))
    before, behind = net.many("Split", [distances], [(2, count)] * 2, axis=1)
    grids = [np.mgrid[: net.shapes[level][1], : net.shapes[level][2]].reshape(2, -1)[::-1] + 0.5 for level in levels]
    steps = [
        np.full(grid.shape[1], resolution / net.shapes[level][1]) for grid, level in zip(grids, levels, strict=True)
    ]
    anchors = net.constant(np.concatenate(grids, axis=1)[np.newaxis].astype(np.float32), "anchors")
    first = net.binary("Sub", anchors, before, (2, count))
    last = net.binary("Add", behind, anchors)
    centre = net.binary("Div", net.binary("Add", first, last), net.constant(np.float32(2)))
    joined = net.concat([centre, net.binary("Sub", last, first)])
    strides = net.constant(np.concatenate(steps)[np.newaxis].astype(np.float32), "strides")
    return net.binary("Mul", joined, strides)


def _prototypes(net: FloatNet, x: str, channels: int, masks: int) -> str:
    """Twice the size by a ConvTranspose of 2 x 2, then masks."""
    x = _silu_conv(net, x, channels, 3)
    weights = net.random.standard_normal((channels, channels, 2, 2)) * np.sqrt(1 / channels)
    bias = net.random.standard_normal(channels) * 0.1
    names = [x, net.constant(weights.astype(np.float32), "w"), net.constant(bias.astype(np.float32), "b")]
    _, rows, columns = net.shapes[x]
    x = net.node("ConvTranspose", names, (channels, 2 * rows, 2 * columns), kernel_shape=[2, 2], strides=[2, 2])
    return _silu_conv(net, _silu_conv(net, x, channels, 3), masks)


def _silu_conv(net: FloatNet, x: str, channels: int, kernel: int = 1, stride: int = 1) -> str:
    y = net.conv(x, channels, kernel, stride=stride)
    return net.binary("Mul", y, net.unary("Sigmoid", y))


def _stage(net: FloatNet, x: str, channels: int, repeats: int) -> str:
    """Halve the resolution, then run residual blocks on half the channels and join all parts."""
    x = _silu_conv(net, x, channels, 3, 2)
    return _cross_stage(net, x, channels, repeats, residual=True)


def _cross_stage(net: FloatNet, x: str, channels: int, repeats: int, *, residual: bool) -> str:
    x = _silu_conv(net, x, channels)
    half = channels // 2
    parts = net.many("Split", [x], [(half, *net.shapes[x][1:])] * 2, axis=1)
    for _ in range(repeats):
        y = _silu_conv(net, _silu_conv(net, parts[-1], half, 3), half, 3)
        parts.append(net.binary("Add", parts[-1], y) if residual else y)
    return _silu_conv(net, net.concat(parts), channels)


def _pyramid_pool(net: FloatNet, x: str) -> str:
    """The same max pool three times in a row, every stage kept."""
    channels = net.shapes[x][0]
    parts = [_silu_conv(net, x, channels // 2)]
    for _ in range(3):
        parts.append(net.pool("MaxPool", parts[-1], 5, stride=1, pads=(2, 2, 2, 2)))
    return _silu_conv(net, net.concat(parts), channels)


def _merge(net: FloatNet, deep: str, shallow: str, channels: int) -> str:
    return _cross_stage(net, net.concat([net.upsample(deep), shallow]), channels, 1, residual=False)


def unet(resolution: int = 128, width: int = 16, *, depth: int = 3, seed: int = 4) -> onnx.ModelProto:
    """Segmentation: an encoder and a decoder joined by long skip connections, which stress the memory."""
    net = FloatNet(seed)
    x, skips = net.input((3, resolution, resolution), "image"), []
    for level in range(depth):
        x = _double_conv(net, x, width << level)
        skips.append(x)
        x = net.pool("MaxPool", x, 2)
    x = _double_conv(net, x, width << depth)
    for level in reversed(range(depth)):
        x = _double_conv(net, net.concat([net.upsample(x), skips[level]]), width << level)
    return net.model([net.unary("Sigmoid", net.conv(x, 2))], "unet")


def _double_conv(net: FloatNet, x: str, channels: int) -> str:
    for _ in range(2):
        x = net.unary("Relu", net.conv(x, channels, 3))
    return x

"""Plain networks whose other spellings are compared with them: small, and together with every operator in question."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from tests.support.qdq_graph import QdqGraph


class Pen(QdqGraph):
    """Products whose bias has the scale that it should have."""

    def product(
        self, operator: str, x: tuple[str, float], shape: tuple[int, ...], *, axis: int, bias: bool = True, **attributes
    ) -> str:
        """Conv, Gemm or MatMul of a quantized value and its scale, weights per channel."""
        value, scale = x
        channels = shape[axis]
        units = (0.01 * self.random.uniform(0.5, 1.5, channels)).astype(np.float32)
        integers = self.random.integers(-127, 128, shape)
        integers[self.random.random(shape) < 0.2] = 0
        parts = [self.constant(integers, np.int8), self.constant(units), self.constant(np.zeros(channels), np.int8)]
        inputs = [value, self.op("DequantizeLinear", *parts, axis=axis)]
        if bias:
            steps = self.constant(self.random.integers(-3000, 3000, channels), np.int32)
            unit = self.constant(np.float32(scale) * units, np.float32)
            zeros = self.constant(np.zeros(channels), np.int32)
            inputs.append(self.op("DequantizeLinear", steps, unit, zeros, axis=0))
        return self.op(operator, *inputs, **attributes)

    def start(self, shape: tuple[int, ...], scale: float = 0.021, zero: int = 3) -> tuple[str, float]:
        return self.input(shape, scale=scale, zero=zero), scale

    def settled(self, value: str, scale: float, zero: int) -> tuple[str, float]:
        return self.pair(value, scale, zero), scale

    def conv(self, x: tuple[str, float], shape: tuple[int, ...], **attributes) -> str:
        kernel = list(shape[2:])
        pads = attributes.pop("pads", [(size - 1) // 2 for size in kernel] * 2)
        return self.product("Conv", x, shape, axis=0, kernel_shape=kernel, pads=pads, **attributes)


def classifier(net: Pen) -> None:
    """Conv, Relu, max pool, global pool, Flatten, Gemm."""
    x = net.settled(net.op("Relu", net.conv(net.start((3, 10, 10)), (6, 3, 3, 3))), 0.023, -128)
    x = net.settled(net.op("MaxPool", x[0], kernel_shape=[2, 2], strides=[2, 2]), 0.023, -128)
    x = net.settled(net.op("Relu", net.conv(x, (8, 6, 3, 3), strides=[2, 2], pads=[0, 0, 0, 0])), 0.031, -128)
    x = net.settled(net.op("GlobalAveragePool", x[0]), 0.013, -128)
    x = net.settled(net.op("Flatten", x[0]), 0.013, -128)
    net.output(net.pair(net.product("Gemm", x, (8, 5), axis=1), 0.017, 4))


def residual(net: Pen) -> None:
    """Two branches that meet in an Add with Relu; the sum is read twice."""
    x = net.settled(net.op("Relu", net.conv(net.start((4, 8, 8)), (6, 4, 3, 3))), 0.022, -128)
    y = net.settled(net.conv(x, (6, 6, 3, 3)), 0.027, 11)
    z = net.settled(net.op("Relu", net.op("Add", y[0], x[0])), 0.033, -128)
    offset = net.operand(net.random.integers(-128, 128, (1, 6, 1, 1)), 0.0137, 9)
    w = net.settled(net.op("Add", z[0], offset), 0.035, -40)
    net.output(net.pair(net.op("Add", w[0], z[0]), 0.067, -70))


def mobile(net: Pen) -> None:
    """Pointwise, depthwise and projection with Clip to six, a mean, Squeeze, MatMul."""
    low, high = net.constant(0, np.float32), net.constant(6, np.float32)
    x = net.settled(net.op("Clip", net.conv(net.start((3, 9, 9)), (8, 3, 1, 1)), low, high), 6 / 255, -128)
    x = net.settled(net.op("Clip", net.conv(x, (8, 1, 3, 3), group=8, strides=[2, 2]), low, high), 6 / 255, -128)
    x = net.settled(net.conv(x, (4, 8, 1, 1), bias=False), 0.029, 7)
    x = net.settled(net.op("GlobalAveragePool", x[0]), 0.011, 7)
    x = net.settled(net.op("Squeeze", x[0], net.constant([2, 3], np.int64)), 0.011, 7)
    net.output(net.pair(net.product("MatMul", x, (4, 5), axis=1, bias=False), 0.004, -9))


def detector(net: Pen) -> None:
    """Split, a branch, Concat of three, upsampling, a second input size, two outputs."""
    x = net.settled(net.conv(net.start((3, 8, 8)), (6, 3, 3, 3), strides=[2, 2]), 0.026, -5)
    parts = net.op("Split", x[0], net.constant([3, 3], np.int64), outputs=2, axis=1)
    left, right = (net.settled(part, 0.026, -5) for part in parts)
    right_branch = net.settled(net.op("Relu", net.conv(right, (3, 3, 3, 3))), 0.019, -128)
    joined = net.settled(net.op("Concat", left[0], right[0], right_branch[0], axis=1), 0.028, -10)
    gate = net.settled(net.op("Sigmoid", joined[0]), 1 / 256, -128)
    gated = net.settled(net.op("Mul", joined[0], gate[0]), 0.024, -60)
    scales = net.constant([1, 1, 2, 2], np.float32)
    settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    up = net.settled(net.op("Resize", gated[0], "", scales, **settings), 0.024, -60)
    net.output(net.pair(net.conv(up, (4, 9, 1, 1)), 0.041, 3))
    net.output(net.pair(net.conv(gated, (2, 9, 1, 1)), 0.043, -3))


def movements(net: Pen) -> None:
    """Slices, a Transpose, Reshape, Pad, and an average pool."""
    x = net.start((4, 6, 6), 0.024, 2)
    tables = [net.constant(values, np.int64) for values in ([1, 0], [6, 5], [2, 3])]
    x = net.settled(net.op("Slice", x[0], *tables), 0.024, 2)
    x = net.settled(net.op("Pad", x[0], net.constant([0, 0, 1, 0, 0, 0, 0, 1], np.int64)), 0.024, 2)
    x = net.settled(net.op("AveragePool", x[0], kernel_shape=[2, 2], strides=[2, 2]), 0.017, 5)
    x = net.settled(net.op("Transpose", x[0], perm=[0, 2, 3, 1]), 0.017, 5)
    x = net.settled(net.op("Reshape", x[0], net.constant([0, -1], np.int64)), 0.017, 5)
    net.output(net.pair(net.product("MatMul", x, (36, 5), axis=1, bias=False), 0.02, 1))


def excitation(net: Pen) -> None:
    """A gate per channel: global pool, two pointwise products, HardSigmoid, Mul; zero points that are 0."""
    x = net.settled(net.op("Relu", net.conv(net.start((3, 7, 7), 0.023, 0), (8, 3, 3, 3))), 0.025, -128)
    s = net.settled(net.op("GlobalAveragePool", x[0]), 0.012, -128)
    s = net.settled(net.op("Relu", net.conv(s, (4, 8, 1, 1))), 0.016, -128)
    s = net.settled(net.op("HardSigmoid", net.pair(net.conv(s, (8, 4, 1, 1)), 0.019, 0)), 1 / 256, -128)
    net.output(net.pair(net.op("Mul", x[0], s[0]), 0.0187, -128))


def tokens(net: Pen) -> None:
    """Products of a sequence of vectors, LeakyRelu, a residual, Reshape to a target that starts with 0."""
    x = net.start((5, 12), 0.022, -8)
    y = net.settled(net.product("MatMul", x, (12, 8), axis=1, bias=False), 0.031, 4)
    y = net.settled(net.op("LeakyRelu", y[0], alpha=0.1), 0.028, -90)
    z = net.settled(net.product("MatMul", y, (8, 12), axis=1, bias=False), 0.024, 2)
    s = net.settled(net.op("Add", z[0], x[0]), 0.037, 1)
    r = net.settled(net.op("Reshape", s[0], net.constant([0, 60], np.int64)), 0.037, 1)
    net.output(net.pair(net.product("Gemm", r, (7, 60), axis=0, transB=1), 0.03, -6))


NETWORKS: dict[str, Callable[[Pen], None]] = {
    build.__name__: build for build in (classifier, residual, mobile, detector, movements, excitation, tokens)
}


def plain(name: str, kind: type) -> onnx.ModelProto:
    """The plain spelling, opset 17."""
    net = Pen(kind, seed=len(name))
    NETWORKS[name](net)
    model = net.model()
    shaped = onnx.shape_inference.infer_shapes(model)
    del model.graph.output[:]
    model.graph.output.extend(shaped.graph.output)
    return model

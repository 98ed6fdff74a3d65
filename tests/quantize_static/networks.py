"""Small float networks for `quantize_static`; the first product of each has names that options refer to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from tests.networks.float_net import FloatNet
from tests.quantize_static.options import ACTIVATION, WEIGHTS


def residual(net: FloatNet) -> list[str]:
    """Relu, an addition, a max pool, a concatenation, a mean and a dense layer."""
    x = net.unary("Relu", net.conv(net.input((3, 12, 12), "image"), 8, 3))
    y = net.unary("Relu", net.binary("Add", net.conv(x, 8, 3), x))
    z = net.concat([net.pool("MaxPool", y, 2), net.conv(y, 4, 3, stride=2)])
    return [net.dense(net.flatten(net.global_pool(z)), 5)]


def mobile(net: FloatNet) -> list[str]:
    """Clip to six, depthwise products, a gate, a product without bias."""
    x = net.clip(net.conv(net.input((3, 11, 11), "image"), 8, 3), 0.0, 6.0)
    x = net.clip(net.conv(x, 8, 3, stride=2, groups=8), 0.0, 6.0)
    gate = net.unary("Sigmoid", net.conv(net.global_pool(x), 8))
    x = net.conv(net.binary("Mul", x, gate), 6, bias=False)
    return [net.flatten(net.global_pool(x))]


def detector(net: FloatNet) -> list[str]:
    """Split, LeakyRelu, an average pool, upsampling, two outputs."""
    x = net.unary("LeakyRelu", net.conv(net.input((3, 12, 12), "image"), 8, 3, stride=2), alpha=0.1)
    left, right = net.many("Split", [x], [(4, 6, 6)] * 2, axis=1)
    y = net.concat([net.conv(left, 4, 3), right])
    small = net.pool("AveragePool", y, 2)
    return [net.conv(net.concat([net.upsample(small), y]), 6), net.conv(small, 6)]


def sequence(net: FloatNet) -> list[str]:
    """Products of a sequence of vectors, an addition, a Transpose, Softmax at the end."""
    x = net.input((5, 12), "tokens")
    weights = [(net.random.standard_normal(shape) * 0.3).astype(np.float32) for shape in ((12, 12), (12, 6))]
    y = net.node("MatMul", [x, net.constant(weights[0], "w")], (5, 12))
    y = net.binary("Add", y, x)
    y = net.node("MatMul", [y, net.constant(weights[1], "w")], (5, 6))
    y = net.node("Transpose", [y], (6, 5), perm=[0, 2, 1])
    return [net.node("Softmax", [y], (6, 5), axis=-1)]


NETWORKS: dict[str, Callable[[FloatNet], list[str]]] = {
    build.__name__: build for build in (residual, mobile, detector, sequence)
}


def network(name: str, opset: int) -> onnx.ModelProto:
    """The float network, its first product and that one's weights and result under known names."""
    net = FloatNet(len(name), opset=opset)
    outputs = NETWORKS[name](net)
    if opset >= 18:
        for node in net.nodes:
            if node.op_type == "Split":
                node.attribute.append(onnx.helper.make_attribute("num_outputs", len(node.output)))
    model = net.model(outputs, name)
    if opset >= 21:
        model.ir_version = 10
    first = next(node for node in model.graph.node if node.op_type in ("Conv", "MatMul"))
    last = [node for node in model.graph.node if node.op_type in ("Conv", "MatMul", "Gemm")][-1]
    table = {first.input[1]: WEIGHTS, first.output[0]: ACTIVATION}
    first.name, last.name = "first", "last"
    for node in model.graph.node:
        node.input[:] = [table.get(entry, entry) for entry in node.input]
        node.output[:] = [table.get(entry, entry) for entry in node.output]
    for entry in model.graph.initializer:
        entry.name = table.get(entry.name, entry.name)
    return model

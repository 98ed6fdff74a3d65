"""Steps of random networks in the forms that exporters write: float chains, biases behind products, odd movements.

Each takes what the steps of `tests.strategies` take. A node's doc string tells `tests.support.qdq_writer` what stands
behind it: "unpaired" nodes get no quantization, "real" ones get one but keep their constants in float.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.networks.float_net import FloatNet

if TYPE_CHECKING:
    from tests.strategies import Choice

UNPAIRED, REAL, BIAS = "unpaired", "real", "bias"


def _tag(net: FloatNet, name: str, tag: str) -> str:
    next(node for node in reversed(net.nodes) if name in node.output).doc_string = tag
    return name


def _number(net: FloatNet, value: object, stem: str = "n") -> str:
    return net.constant(np.asarray(value, np.float32), stem)


def _operand(c: Choice, net: FloatNet, x: str) -> str:
    """A number, or one per channel."""
    shape = net.shapes[x]
    if c.flip():
        return _number(net, round(float(net.random.uniform(0.3, 2.0)), 3))
    channels = (shape[0], *(1,) * (len(shape) - 1)) if len(shape) == 3 else (shape[-1],)
    return _number(net, net.random.uniform(0.3, 2.0, channels))


def _function(c: Choice, net: FloatNet, x: str, *, may_vary: bool) -> str:
    shape = net.shapes[x]
    kind = c.pick(["Mul", "Add", "Sub", "Div", "Neg", "Max", "Min", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "Abs"])
    if kind == "Clip":
        return net.clip(x, -0.7, 1.1)
    if kind == "LeakyRelu":
        return net.unary(kind, x, alpha=0.2)
    if kind in ("Neg", "Sigmoid", "Tanh", "Abs"):
        return net.unary(kind, x)
    operand = _operand(c, net, x) if may_vary else _number(net, 0.7)
    return net.binary(kind, x, operand, shape)


def chain(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str]:
    """Two to four functions with nothing between them."""
    count = c.integer(2, 4)
    for place in range(count):
        x = _function(c, net, x, may_vary=place == 0)
        _tag(net, x, REAL if place == count - 1 else UNPAIRED)
    return [x]


def swish(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str]:
    """x * Sigmoid(x), or x * Clip(x + 3, 0, 6) / 6."""
    if c.flip():
        gate = _tag(net, net.unary("Sigmoid", x), UNPAIRED)
        return [_tag(net, net.binary("Mul", *((x, gate) if c.flip() else (gate, x))), REAL)]
    shifted = _tag(net, net.binary("Add", x, _number(net, 3)), UNPAIRED)
    gate = _tag(net, net.clip(shifted, 0.0, 6.0), UNPAIRED)
    product = _tag(net, net.binary("Mul", x, gate), UNPAIRED)
    return [_tag(net, net.binary("Div", product, _number(net, 6)), REAL)]


def normalization(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str]:
    """BatchNormalization that stands alone."""
    channels = net.shapes[x][0]
    bounds = [(0.5, 2.0), (-1.0, 1.0), (-1.0, 1.0), (0.2, 3.0)]
    vectors = [_number(net, net.random.uniform(low, high, channels)) for low, high in bounds]
    return [net.node("BatchNormalization", [x, *vectors], net.shapes[x])]


def prelu(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str]:
    """PRelu, its slopes real or quantized."""
    low, high = c.pick([(0.05, 0.4), (-0.5, 1.0), (0.5, 1.6)])
    shape = net.shapes[x]
    channels = (shape[0], 1, 1) if len(shape) == 3 else (shape[-1],)
    slopes = _number(net, net.random.uniform(low, high, c.pick([(1,), channels])))
    y = net.binary("PRelu", x, slopes, shape)
    return [_tag(net, y, REAL) if c.flip() else y]


def biased_product(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str]:
    """MatMul, then Add of a bias."""
    depth, outputs = net.shapes[x][-1], c.integer(1, 40)
    weights = net.constant((net.random.standard_normal((depth, outputs)) * np.sqrt(2 / depth)).astype(np.float32), "w")
    product = _tag(net, net.node("MatMul", [x, weights], (*net.shapes[x][:-1], outputs)), UNPAIRED)
    bias = _number(net, net.random.standard_normal(outputs) * 0.1, "b")
    return [
        _tag(net, net.binary("Add", *((product, bias) if c.flip() else (bias, product)), net.shapes[product]), BIAS)
    ]


def real_pair(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str]:
    """Sum, Max or Min of two tensors."""
    others = [name for name in pool if net.shapes[name] == net.shapes[x]]
    return [net.binary(c.pick(["Sum", "Max", "Min"]), x, c.pick(others))]


def blocks(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    """SpaceToDepth or DepthToSpace."""
    if len(net.shapes[x]) != 3:
        return None
    channels, rows, columns = net.shapes[x]
    if rows % 2 == columns % 2 == 0:
        return [net.node("SpaceToDepth", [x], (channels * 4, rows // 2, columns // 2), blocksize=2)]
    if channels % 4:
        return None
    mode = c.pick(["DCR", "CRD"])
    return [net.node("DepthToSpace", [x], (channels // 4, rows * 2, columns * 2), blocksize=2, mode=mode)]


def gathered(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str]:
    """Gather along any axis, in any order."""
    shape = net.shapes[x]
    axis = c.integer(0, len(shape) - 1)
    indices = net.random.integers(-shape[axis], shape[axis], c.integer(1, 6))
    made = (*shape[:axis], len(indices), *shape[axis + 1 :])
    return [net.node("Gather", [x, net.constant(indices, "at")], made, axis=axis + 1)]


def padded(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    """Pad with any value, with the border, or with crops."""
    shape = net.shapes[x]
    if len(shape) != 3:
        return None
    pads = [c.integer(-1, 2) if size > 2 else c.integer(0, 2) for size in (*shape[1:], *shape[1:])]
    made = (shape[0], shape[1] + pads[0] + pads[2], shape[2] + pads[1] + pads[3])
    names = [x, net.constant(np.array([0, 0, *pads[:2], 0, 0, *pads[2:]], np.int64), "pads")]
    if c.flip():
        return [net.node("Pad", names, made, mode="edge")]
    return [net.node("Pad", [*names, _number(net, c.pick([0.0, -3.0, 0.21, 7.5]))], made)]


def tiled(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str]:
    """Tile along the last axis."""
    shape = net.shapes[x]
    repeats = net.constant(np.array([1] * len(shape) + [2], np.int64), "repeats")
    return [net.node("Tile", [x, repeats], (*shape[:-1], shape[-1] * 2))]


EXPORTER_STEPS = [
    chain, chain, swish, normalization, prelu, biased_product, real_pair, blocks, gathered, padded, tiled,
]  # fmt: skip

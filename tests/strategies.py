"""Hypothesis strategies: random small quantized networks over every operator that the compiler takes.

`networks` draws a topology, sizes and a style of quantization; weights come from a drawn seed. Add an operator to the
compiler, and add it to `STEPS` here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import onnx
from hypothesis import strategies as st

from tests.networks.exporter_steps import EXPORTER_STEPS
from tests.networks.float_net import FloatNet, window_shape
from tests.support.qdq_writer import Style, write_qdq

T = TypeVar("T")
LONGEST_CONTRACTION = 20_000  # several times what the tiny machine holds of one vector of weights; more only costs time
MOST_ELEMENTS = 6000  # per sample and tensor: small enough that hundreds of graphs are quick


@dataclass(frozen=True, slots=True)
class Drawn:
    """A random network. ``float_model`` is what `quantized` was made from."""

    float_model: onnx.ModelProto
    quantized: onnx.ModelProto
    style: Style
    seed: int

    def __repr__(self) -> str:
        lines = [f"Drawn(seed={self.seed}, {self.style})"]
        graph = self.float_model.graph
        shapes = {value.name: [item.dim_value for item in value.type.tensor_type.shape.dim] for value in graph.input}
        lines += [f"  input {name} {shape}" for name, shape in shapes.items()]
        sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
        for node in graph.node:
            names = [f"{name}{sizes.get(name, '')}" for name in node.input]
            settings = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            lines.append(f"  {', '.join(node.output)} = {node.op_type}({', '.join(names)}) {settings or ''}")
        return "\n".join([*lines, f"  outputs {[value.name for value in graph.output]}"])


class Choice:
    """Draws from hypothesis, turned by a seeded offset: hypothesis prefers first options, these are all alike."""

    def __init__(self, draw: st.DrawFn, seed: int) -> None:
        self.draw = draw
        self._turn = random.Random(seed)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        turn = self._turn.randrange(len(options))
        return options[(self.draw(st.integers(0, len(options) - 1)) + turn) % len(options)]

    def flip(self) -> bool:
        """True or False."""
        return self.pick([False, True])

    def one_in(self, count: int) -> bool:
        """True once in ``count`` times."""
        return self.pick(range(count)) == 0

    def integer(self, low: int, high: int) -> int:
        """A number; shrinks towards the low end."""
        return self.draw(st.integers(low, high))


Step = Callable[[Choice, FloatNet, list[str], str], list[str] | None]


def styles() -> st.SearchStrategy[Style]:
    """Ways to write the same network."""
    return st.builds(
        Style,
        activation=st.sampled_from(["int8", "uint8"]),
        per_channel=st.booleans(),
        clamp=st.sampled_from(["inline", "removed", "pair"]),
        moves_keep_scale=st.sampled_from([True, True, True, False]),
        own_pair_per_reader=st.booleans(),
        tightness=st.sampled_from([1.0, 1.0, 0.6]),
        concat_keeps_scale=st.booleans(),
        unusual=st.sampled_from([False, False, False, True]),
    )


@st.composite
def networks(draw: st.DrawFn, steps: int = 7) -> Drawn:
    """A quantized network of one to ``steps`` operators."""
    seed, style = draw(st.integers(0, 2**31)), draw(styles())
    float_model = draw(float_networks(seed=seed, steps=steps))
    return Drawn(float_model, write_qdq(float_model, seed, style), style, seed)


@st.composite
def float_networks(draw: st.DrawFn, seed: int, steps: int = 7, *, common: bool = False) -> onnx.ModelProto:
    """A float network of one to ``steps`` operators; everything that nobody reads is an output.

    ``common``: only what `quantize_static` turns into integers in both of its forms, behind a product per input.
    """
    c = Choice(draw, seed)
    batch = c.pick(["N", "N", 1])
    opset = c.pick([14, 17, 17, 17, 21])
    net = FloatNet(seed, batch, opset)
    pool = [_input(c, net) for _ in range(c.integer(1, 2))]
    if common:
        pool = [_stem(net, name) for name in pool]
    wanted = c.pick(range(1, steps + 1))
    made = 0
    for _ in range(3 * wanted):
        if made == wanted:
            break
        made += _step(c, net, pool, COMMON_STEPS if common else STEPS)
    if not made:
        pool.append(net.unary("Relu", pool[0]))
    pool.extend([net.unary("Relu", name) for name in net.inputs if not _is_read(net, name)])
    leaves = [name for name in pool if name not in net.inputs and not _is_read(net, name)]
    also = [name for name in pool if name not in net.inputs and name not in leaves]
    if also and c.one_in(5):
        leaves.append(c.pick(also))
    if c.one_in(10):
        leaves[0] = net.node("Softmax", [leaves[0]], net.shapes[leaves[0]], axis=-1)
    return net.model(leaves, "random")


def _is_read(net: FloatNet, name: str) -> bool:
    return any(name in node.input for node in net.nodes)


def _input(c: Choice, net: FloatNet) -> str:
    if net.inputs and c.flip():
        return net.input(net.shapes[net.inputs[0]])
    channels = c.pick([c.integer(1, 20), 3, 16, 31, 32, 40])
    kind = c.pick(["image"] * 6 + ["flat", "sequence"])
    if kind == "image":
        return net.input((channels, c.integer(1, 17), c.integer(1, 17)))
    return net.input((channels,) if kind == "flat" else (c.integer(1, 17), channels))


def _stem(net: FloatNet, name: str) -> str:
    shape = net.shapes[name]
    if len(shape) == 3:
        return net.conv(name, 8)
    weights = (net.random.standard_normal((shape[-1], 8)) * 0.3).astype(np.float32)
    return net.node("MatMul", [name, net.constant(weights, "w")], (*shape[:-1], 8))


def _step(c: Choice, net: FloatNet, pool: list[str], choices: Sequence[Step]) -> bool:
    """Adds one operator behind a random tensor; False when the drawn one does not fit there."""
    step = c.pick(choices)
    x = pool[-1] if not c.one_in(3) else c.pick(pool)
    made = step(c, net, pool, x)
    fitting = [name for name in made or [] if np.prod(net.shapes[name]) <= MOST_ELEMENTS]
    if made and len(fitting) < len(made):
        net.nodes.pop()
        return False
    pool.extend(fitting)
    return bool(made)


def _conv(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    if len(net.shapes[x]) != 3:
        return None
    channels, *size = net.shapes[x]
    kernel = (c.integer(1, 5), c.integer(1, 5)) if c.flip() else (3, 3)
    stride = (c.integer(1, 3), c.integer(1, 3)) if c.flip() else (1, 1)
    dilation = (c.integer(1, 3), c.integer(1, 3)) if c.one_in(4) else (1, 1)
    same = c.flip()
    pads = None if same else [c.integer(0, kernel[i % 2] - 1) for i in range(4)]
    shown = pads or [(kernel[i % 2] - 1) * dilation[i % 2] // 2 for i in range(4)]
    if min(window_shape(size, kernel, stride, dilation, shown)) < 1:
        return None
    divisors = [group for group in range(1, channels + 1) if channels % group == 0]
    groups = c.pick([1, 1, channels, c.pick(divisors)])
    if channels // groups * kernel[0] * kernel[1] > LONGEST_CONTRACTION:
        return None
    per_group = c.integer(1, 2 if groups == channels else max(1, 40 // groups))
    return [
        net.conv(
            x, groups * per_group, kernel, stride=stride, dilation=dilation, pads=pads, groups=groups,
            bias=c.flip(),
        )
    ]  # fmt: skip


def _conv_clamp(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    made = _conv(c, net, pool, x)
    if not made or np.prod(net.shapes[made[0]]) > MOST_ELEMENTS:
        return made
    return _clamp(c, net, pool, made[0])


def _residual(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    if len(net.shapes[x]) != 3 or 9 * net.shapes[x][0] > LONGEST_CONTRACTION:
        return None
    y = net.conv(x, net.shapes[x][0], 3 if c.flip() else 1)
    both = (x, y) if c.flip() else (y, x)
    total = net.binary("Add", *both)
    return _clamp(c, net, pool, total) if c.flip() else [total]


def _dense(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    channels = c.integer(1, 40)
    if np.prod(net.shapes[x]) > LONGEST_CONTRACTION:
        return None
    if len(net.shapes[x]) == 1 and c.flip():
        return [net.dense(x, channels, transposed=c.flip(), bias=c.flip())]
    if len(net.shapes[x]) == 3 and not c.one_in(3):
        return [net.dense(net.flatten(x), channels, transposed=c.flip(), bias=c.flip())]
    depth = net.shapes[x][-1]
    values = net.random.standard_normal((depth, channels)) * np.sqrt(2 / depth)
    return [net.node("MatMul", [x, net.constant(values.astype(np.float32), "w")], (*net.shapes[x][:-1], channels))]


def _two_operands(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    op, shape = c.pick(["Add", "Sub", "Mul"]), net.shapes[x]
    fitting = [name for name in pool if _spreads(net.shapes[name], shape)]
    known = bool(fitting) and not c.one_in(3)
    y = c.pick(fitting) if known else net.constant(_constant_values(c, net, shape), "k")
    both = (x, y) if c.flip() else (y, x)
    return [net.binary(op, *both, shape=shape)]


def _spreads(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return small == shape or (len(shape) == 3 and small == (shape[0], 1, 1))


def _constant_values(c: Choice, net: FloatNet, shape: tuple[int, ...]) -> np.ndarray:
    choices: list[tuple[int, ...]] = [(), shape, (1, *shape)]
    if len(shape) == 3:
        choices += [(shape[0], 1, 1), (1, shape[0], 1, 1), (1, 1, 1)]
    values = net.random.standard_normal(c.pick(choices))
    return np.asarray(values, np.float32)


def _clamp(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    low, high = c.pick([(0.0, 6.0), (-0.5, 0.75), (0.0, None), (None, 1.0), (0.25, 2.0)])
    return [net.unary("Relu", x) if c.flip() else net.clip(x, low, high)]


def _function(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    op = c.pick(["LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish"])
    settings = {
        "LeakyRelu": {"alpha": c.pick([0.1, 0.01, 0.3])},
        "HardSigmoid": {"alpha": c.pick([0.2, 1 / 6]), "beta": 0.5},
    }
    y = net.unary(op, x, **settings.get(op, {}))
    return [net.binary("Mul", x, y)] if op in {"Sigmoid", "HardSigmoid"} and c.flip() else [y]


def _window(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    if len(net.shapes[x]) != 3:
        return None
    kernel = (c.integer(1, 4), c.integer(1, 4))
    stride = (c.integer(1, 3), c.integer(1, 3))
    pads = [c.integer(0, kernel[i % 2] - 1) if c.flip() else 0 for i in range(4)]
    if min(window_shape(net.shapes[x][1:], kernel, stride, (1, 1), pads)) < 1:
        return None
    op = c.pick(["MaxPool", "AveragePool"])
    options = {"count_include_pad": c.integer(0, 1)} if op == "AveragePool" else {}
    return [net.pool(op, x, kernel, stride=stride, pads=pads, **options)]


def _global_pool(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    return [net.global_pool(x)] if len(net.shapes[x]) == 3 else None


def _pooled_conv(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    return [net.global_pool(net.conv(x, net.shapes[x][0]))] if len(net.shapes[x]) == 3 else None


def _concat(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    shape = net.shapes[x]
    axis = c.integer(0, len(shape) - 1) if c.one_in(3) else 0
    rest = shape[:axis] + shape[axis + 1 :]
    fitting = [
        name
        for name in pool
        if len(net.shapes[name]) == len(shape) and net.shapes[name][:axis] + net.shapes[name][axis + 1 :] == rest
    ]
    others = [c.pick(fitting) for _ in range(c.integer(1, 2))]
    return [net.concat([x, *others], axis)]


def _view(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    shape = net.shapes[x]
    if c.flip():
        return [net.flatten(x)] if len(shape) > 1 else None
    total = int(np.prod(shape))
    first = c.pick([size for size in range(1, total + 1) if total % size == 0])
    rest = total // first
    second = c.pick([size for size in range(1, rest + 1) if rest % size == 0])
    target = c.pick([(first, rest), (first, second, rest // second)])
    leading = c.pick([0, -1, 1] if net.batch == 1 else [0, -1])
    return [net.reshape(x, target, leading)]


def _transpose(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    shape = net.shapes[x]
    order = c.draw(st.permutations(range(len(shape))))
    made = tuple(shape[axis] for axis in order)
    return [net.node("Transpose", [x], made, perm=[0, *(axis + 1 for axis in order)])]


def _slice(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    shape = list(net.shapes[x])
    axes = sorted(c.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    starts, ends, steps = [], [], []
    for axis in axes:
        start = c.integer(0, shape[axis] - 1)
        end, step = c.integer(start + 1, shape[axis]), c.integer(1, 3)
        starts.append(start if c.flip() else start - shape[axis])
        ends.append(end if end < shape[axis] or c.flip() else np.iinfo(np.int64).max)
        steps.append(step)
        shape[axis] = -(-(end - start) // step)
    tables = [starts, ends, [axis + 1 for axis in axes], steps]
    names = [net.constant(np.array(values, np.int64), "at") for values in tables]
    return [net.node("Slice", [x, *names], tuple(shape))]


def _split(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    shape = net.shapes[x]
    axis = c.integer(0, len(shape) - 1) if c.flip() else 0
    if shape[axis] < 2:
        return None
    cuts = sorted(c.draw(st.sets(st.integers(1, shape[axis] - 1), min_size=1, max_size=2)))
    sizes = np.diff([0, *cuts, shape[axis]])
    shapes = [(*shape[:axis], int(size), *shape[axis + 1 :]) for size in sizes]
    return net.many("Split", [x, net.constant(sizes.astype(np.int64), "split")], shapes, axis=axis + 1)


def _pad(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    shape = net.shapes[x]
    if len(shape) != 3:
        return None
    top, left, bottom, right = (c.integer(0, 3) for _ in range(4))
    pads = net.constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64), "pads")
    names = [x, pads, net.constant(np.array(0, np.float32), "zero")] if c.flip() else [x, pads]
    return [net.node("Pad", names, (shape[0], shape[1] + top + bottom, shape[2] + left + right), mode="constant")]


def _resize(c: Choice, net: FloatNet, pool: list[str], x: str) -> list[str] | None:
    if len(net.shapes[x]) != 3:
        return None
    channels, rows, columns = net.shapes[x]
    if c.flip():
        return [net.upsample(x, c.integer(1, 3))]
    height, width = c.pick([0.5, 1.0, 1.5, 2.0]), c.pick([0.5, 1.0, 2.0, 3.0])
    made = (int(rows * height), int(columns * width))
    if min(made) < 1:
        return None
    scales = net.constant(np.array([1, 1, height, width], np.float32), "scales")
    settings = {
        "coordinate_transformation_mode": c.pick(["asymmetric", "half_pixel"]),
        "nearest_mode": c.pick(["floor", "round_prefer_floor"]),
    }
    mode = c.pick(["nearest", "nearest", "linear"])
    return [net.node("Resize", [x, "", scales], (channels, *made), mode=mode, **settings)]


#: What `networks` builds from; what stands twice comes twice as often.
STEPS: list[Step] = [
    _conv, _conv, _conv_clamp, _conv_clamp, _residual, _residual, _dense, _two_operands, _two_operands, _two_operands,
    _clamp, _function, _function, _window, _window, _global_pool, _concat, _concat, _view, _transpose, _slice, _split,
    _pad, _resize, *EXPORTER_STEPS,
]  # fmt: skip
#: What onnxruntime's static quantization turns into integers in both of its forms.
COMMON_STEPS: list[Step] = [
    _conv, _conv_clamp, _conv_clamp, _residual, _dense, _concat, _view, _transpose, _split, _resize, _window,
    _pooled_conv,
]  # fmt: skip

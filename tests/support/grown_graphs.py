"""Random quantized graphs by another way than tests/strategies.py: grown as files, bytes first, from branches.

A seed gives a `Grown`. Nothing is measured: every value carries the scale and zero point that were drawn for it, spread
about what its operator makes of uniform bytes, so that some saturate. Branches of unlike depth leave one value and are
cut or padded until they meet again; constants and weights are shared; pads fill with anything, strides step over
pixels, sizes are odd. Written from the ONNX specification, sharing no code with the other generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import onnx

from tests.support.qdq_graph import INT8, UINT8, QdqGraph

T = TypeVar("T")
#: Values of a sample's map at most: thousands of graphs must take minutes.
LARGEST = 1500
MACHINES = ("mlsoc", "tiny", "8 KiB")
#: Standard deviation of a byte drawn alike from all.
SPREAD = 70.0


@dataclass(frozen=True, slots=True)
class Grown:
    """A file, and how it is to be compiled."""

    model: onnx.ModelProto
    batch: int
    machine: str
    compress: bool


@dataclass(frozen=True, slots=True)
class Value:
    """A dequantized activation: its name in the file, (channels, rows, columns), scale and int8 zero point."""

    name: str
    shape: tuple[int, int, int]
    scale: float
    zero: int


def grown(seed: int) -> Grown:
    """The graph of a seed."""
    random = np.random.default_rng([seed, 77])
    garden = _Garden(random, QdqGraph(INT8 if random.integers(2) else UINT8, seed=seed))
    garden.grow()
    return Grown(
        model=garden.net.model(),
        batch=int(random.integers(1, 6)),
        machine=MACHINES[int(random.integers(len(MACHINES)))],
        compress=bool(random.integers(2)),
    )


class _Garden:
    """What has grown so far: values that may be read, weights and operands that may be shared."""

    def __init__(self, random: np.random.Generator, net: QdqGraph) -> None:
        self.random, self.net = random, net
        self.weights: dict[tuple[int, ...], str] = {}
        self.operands: dict[tuple[int, ...], str] = {}
        self.steps: tuple[Callable[[Value], Value], ...] = (
            *(self.convolution,) * 5, *(self.pool,) * 2, *(self.pad,) * 2, self.byte_function, self.byte_function,
            self.cut, self.constant_operand, self.turned, self.blocks, self.nearest, self.rescaled,
        )  # fmt: skip

    def grow(self) -> None:
        """One to two inputs, a trunk with forks, one to three outputs."""
        inputs = [self.input(f"in_{place}") for place in range(1 if self.chance(0.75) else 2)]
        found = self.chain(inputs[0], int(self.random.integers(1, 4)))
        for _ in range(int(self.random.integers(0, 3))):
            found = self.fork(found, 2)
            found = self.chain(found, int(self.random.integers(0, 3)))
        for other in inputs[1:]:
            found = self.met(found, self.chain(other, 1))
        ends = [found]
        if self.chance(0.3):
            ends.append(self.chain(found, 1))
        for end in ends:
            self.net.output(self.head(end) if self.chance(0.4) else end.name)

    def input(self, name: str) -> Value:
        shape = (self.pick([1, 2, 3, 5, 8, 16, 17, 24, 31]), self.size(), self.size())
        scale, zero = self.quant(0.02)
        return Value(self.net.input(shape, name, scale=scale, zero=zero), shape, scale, zero)

    def chain(self, x: Value, length: int) -> Value:
        for _ in range(length):
            x = self.pick(self.steps)(x)
        return x

    def fork(self, x: Value, depth: int) -> Value:
        """Two to four branches of unlike length from one value, one of them perhaps empty, that meet again."""
        branches = [self.chain(x, length) for length in self.random.integers(0, 4, int(self.random.integers(2, 5)))]
        if depth > 1 and self.chance(0.3):
            branches[0] = self.fork(branches[0], depth - 1)
        found = branches[0]
        for other in branches[1:]:
            found = self.met(found, other)
        return found

    def met(self, a: Value, b: Value) -> Value:
        """Two values as one: joined along an axis, added, subtracted or multiplied, after cutting what lies over."""
        if self.chance(0.4):
            rows, columns = min(a.shape[1], b.shape[1]), min(a.shape[2], b.shape[2])
            parts = [self.cropped(value, (value.shape[0], rows, columns)) for value in (a, b)]
            shape = (a.shape[0] + b.shape[0], rows, columns)
            if np.prod(shape) <= LARGEST:
                name = self.net.op("Concat", *(part.name for part in parts), axis=1)
                return self.quantized(name, shape, max(a.scale, b.scale) * float(self.random.uniform(0.8, 1.5)))
        shape = tuple(min(sizes) for sizes in zip(a.shape, b.shape, strict=True))
        a, b = self.cropped(a, shape), self.cropped(b, shape)
        operator = self.pick(["Add", "Add", "Sub", "Mul"])
        scale = a.scale * b.scale * SPREAD / 2 if operator == "Mul" else float(np.hypot(a.scale, b.scale))
        return self.quantized(self.net.op(operator, a.name, b.name), shape, scale)

    def cropped(self, x: Value, shape: tuple[int, int, int]) -> Value:
        """The first channels, and rows and columns from somewhere."""
        if x.shape == shape:
            return x
        free = [size - wanted for size, wanted in zip(x.shape, shape, strict=True)]
        starts = [int(self.random.integers(0, more + 1)) for more in free]
        ends = [start + wanted for start, wanted in zip(starts, shape, strict=True)]
        places = [self.net.constant(list(numbers), np.int64) for numbers in (starts, ends, (1, 2, 3))]
        return self.moved(x, self.net.op("Slice", x.name, *places), shape)

    # Steps ----------------------------------------------------------------------------------------------------------

    def convolution(self, x: Value) -> Value:
        channels, rows, columns = x.shape
        groups = self.pick([1, 1, 1, channels, self.divisor(channels)])
        outputs = groups * int(self.random.integers(1, max(2, 40 // groups)))
        kernel = [int(self.random.integers(1, 6)), int(self.random.integers(1, 6))]
        dilations = [self.pick([1, 1, 1, 2, 3]) for _ in kernel]
        strides = [self.pick([1, 1, 2, 3, size + 1, size + 2]) for size in kernel]
        settings, sizes = self.window((rows, columns), kernel, strides, dilations, same_reach=2)
        shape = (outputs, *sizes)
        if min(sizes) < 1 or np.prod(shape) > LARGEST:
            return x
        per_channel, spread = self.chance(0.6), 0.008 if self.chance(0.8) else 0.03
        weights = self.shared((outputs, channels // groups, *kernel), spread, axis=0 if per_channel else None)
        terms = kernel[0] * kernel[1] * channels // groups
        inputs = [x.name, weights]
        if self.chance(0.7):
            reach = SPREAD * x.scale * SPREAD * spread
            inputs.append(self.net.constant(self.random.standard_normal(outputs) * reach, np.float32))
        name = self.net.op("Conv", *inputs, strides=strides, dilations=dilations, group=groups, **settings)
        return self.quantized(self.limited(name), shape, x.scale * spread * SPREAD * float(np.sqrt(terms)))

    def pool(self, x: Value) -> Value:
        kernel = [int(self.random.integers(1, 5)), int(self.random.integers(1, 5))]
        strides = [self.pick([1, 1, 2, size, size + 1]) for size in kernel]
        average = self.chance(0.4)
        settings, sizes = self.window(x.shape[1:], kernel, strides, [1, 1], same_reach=0, below=kernel)
        if min(sizes) < 1:
            return x
        shape = (x.shape[0], *sizes)
        if average:
            name = self.net.op(
                "AveragePool",
                x.name,
                kernel_shape=kernel,
                strides=strides,
                count_include_pad=self.pick([0, 1]),
                **settings,
            )
            return self.quantized(name, shape, x.scale * float(self.random.uniform(0.4, 1)))
        return self.moved(x, self.net.op("MaxPool", x.name, kernel_shape=kernel, strides=strides, **settings), shape)

    def pad(self, x: Value) -> Value:
        mode = self.pick(["constant", "constant", "constant", "edge", "reflect"])
        most = [min(3, size - 1) if mode == "reflect" else 3 for size in x.shape[1:]]
        before = [int(self.random.integers(0, size + 1)) for size in most]
        after = [int(self.random.integers(0, size + 1)) for size in most]
        shape = (x.shape[0], *(sum(sizes) for sizes in zip(x.shape[1:], before, after, strict=True)))
        if np.prod(shape) > LARGEST:
            return x
        pads = self.net.constant([0, 0, *before, 0, 0, *after], np.int64)
        if mode != "constant":
            return self.moved(x, self.net.op("Pad", x.name, pads, mode=mode), shape)
        fill = self.pick([0.0, 0.0, x.scale * 40, -x.scale * 55.5, x.scale * 1000])
        return self.moved(x, self.net.op("Pad", x.name, pads, self.net.constant(np.float32(fill))), shape)

    def byte_function(self, x: Value) -> Value:
        kind = self.pick(["Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "HardSwish", "Abs", "Neg", "Elu"])
        if kind == "Clip":
            low, high = sorted(float(value) * x.scale for value in self.random.integers(-150, 150, 2))
            limits = [self.net.constant(np.float32(value)) for value in (low, high)]
            return self.quantized(self.net.op("Clip", x.name, *limits), x.shape, x.scale)
        settings = {"alpha": float(self.random.uniform(0.05, 0.4))} if kind in {"LeakyRelu", "Elu"} else {}
        name = self.net.op(kind, x.name, **settings)
        scale = {"Sigmoid": 1 / 256, "Tanh": 1 / 128}.get(kind)
        return self.quantized(name, x.shape, scale or x.scale)

    def cut(self, x: Value) -> Value:
        """Every so many rows or columns from somewhere."""
        axis = int(self.random.integers(3))
        size = x.shape[axis]
        start = int(self.random.integers(0, size))
        step = self.pick([1, 2, 3])
        end = int(self.random.integers(start + 1, size + 1))
        numbers = ([start], [end if end < size else 2**31], [axis + 1], [step])
        places = [self.net.constant(list(number), np.int64) for number in numbers]
        sizes = list(x.shape)
        sizes[axis] = len(range(start, end, step))
        return self.moved(x, self.net.op("Slice", x.name, *places), (sizes[0], sizes[1], sizes[2]))

    def constant_operand(self, x: Value) -> Value:
        """A sum, difference or product with a constant that is shared by all of its shape."""
        shape = self.pick([(1, x.shape[0], 1, 1), (1, 1, 1, 1), (1, *x.shape), (x.shape[0], 1, 1)])
        if shape not in self.operands or self.chance(0.2):
            array = self.random.integers(-128, 128, shape)
            self.operands[shape] = self.net.operand(array, 0.01, int(self.random.integers(-20, 20)))
        operator = self.pick(["Add", "Sub", "Mul"])
        name = self.net.op(operator, x.name, self.operands[shape])
        scale = x.scale * 0.01 * SPREAD if operator == "Mul" else float(np.hypot(x.scale, 0.01))
        return self.quantized(name, x.shape, scale)

    def turned(self, x: Value) -> Value:
        channels, rows, columns = x.shape
        name = self.net.op("Transpose", x.name, perm=[0, 1, 3, 2])
        return self.moved(x, name, (channels, columns, rows))

    def blocks(self, x: Value) -> Value:
        channels, rows, columns = x.shape
        if channels % 4 == 0 and self.chance(0.5):
            name = self.net.op("DepthToSpace", x.name, blocksize=2, mode=self.pick(["DCR", "CRD"]))
            return self.moved(x, name, (channels // 4, rows * 2, columns * 2))
        if rows % 2 or columns % 2:
            return x
        return self.moved(x, self.net.op("SpaceToDepth", x.name, blocksize=2), (channels * 4, rows // 2, columns // 2))

    def nearest(self, x: Value) -> Value:
        factors = [self.pick([1, 2, 3]) for _ in range(2)]
        shape = (x.shape[0], x.shape[1] * factors[0], x.shape[2] * factors[1])
        if np.prod(shape) > LARGEST:
            return x
        scales = self.net.constant([1, 1, *factors], np.float32)
        settings = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.moved(x, self.net.op("Resize", x.name, "", scales, mode="nearest", **settings), shape)

    def rescaled(self, x: Value) -> Value:
        """A sum of a value with itself, which reads one map twice."""
        return self.quantized(self.net.op("Add", x.name, x.name), x.shape, 2 * x.scale)

    def head(self, x: Value) -> str:
        """A dense end: pooled or flattened, then a product with weights; or the pool alone."""
        channels, rows, columns = x.shape
        length = channels
        if self.chance(0.5):
            pooled = self.quantized(self.net.op("GlobalAveragePool", x.name), (channels, 1, 1), x.scale)
            if self.chance(0.3):
                return pooled.name
            x = pooled
        else:
            length = channels * rows * columns
        flat = self.moved(x, self.net.op("Flatten", x.name), (length, 1, 1))
        outputs = int(self.random.integers(1, 20))
        weights = self.net.weights((length, outputs), 0.01)
        name = self.net.op("MatMul", flat.name, weights)
        return self.quantized(name, (outputs, 1, 1), flat.scale * 0.01 * SPREAD * float(np.sqrt(length))).name

    # Parts ----------------------------------------------------------------------------------------------------------

    def window(
        self, sizes: tuple[int, ...], kernel: list[int], strides: list[int], dilations: list[int], *, same_reach: int,
        below: list[int] | None = None,
    ) -> tuple[dict[str, object], list[int]]:  # fmt: skip
        """Attributes that place a window, and how many places there are of it."""
        reach = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
        form = self.pick(["pads", "pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID"])
        near = all(stride <= wide + same_reach for stride, wide in zip(strides, reach, strict=True))
        if form.startswith("SAME") and near and dilations == [1, 1]:  # onnxruntime refuses the two together
            return {"auto_pad": form}, [-(-size // stride) for size, stride in zip(sizes, strides, strict=True)]
        pads = [0, 0, 0, 0]
        if form != "VALID":
            most = [min(4, (below[place] if below else wide) - 1) for place, wide in enumerate(reach)]
            pads = [int(self.random.integers(0, most[place % 2] + 1)) for place in range(4)]
        settings: dict[str, object] = {"auto_pad": "VALID"} if form == "VALID" else {"pads": pads}
        found = [
            (size + pads[place] + pads[place + 2] - reach[place]) // strides[place] + 1
            if size + pads[place] + pads[place + 2] >= reach[place]
            else 0
            for place, size in enumerate(sizes)
        ]
        return settings, found

    def shared(self, shape: tuple[int, ...], scale: float, *, axis: int | None) -> str:
        """Weights, at times those of an earlier product of the same shape."""
        if shape not in self.weights or self.chance(0.5):
            self.weights[shape] = self.net.weights(shape, scale, axis=axis)
        return self.weights[shape]

    def limited(self, name: str) -> str:
        return self.net.op("Relu", name) if self.chance(0.4) else name

    def moved(self, x: Value, name: str, shape: tuple[int, int, int]) -> Value:
        """Bytes that only went elsewhere: quantized as they were."""
        return replace(x, name=self.net.pair(name, x.scale, x.zero), shape=shape)

    def quantized(self, name: str, shape: tuple[int, int, int], spread: float) -> Value:
        scale, zero = self.quant(spread)
        return Value(self.net.pair(name, scale, zero), shape, scale, zero)

    def quant(self, spread: float) -> tuple[float, int]:
        scale = float(np.float32(max(spread, 1e-6) * self.random.uniform(0.5, 2)))
        return scale, int(self.random.integers(-128, 128) if self.chance(0.4) else self.random.integers(-20, 21))

    def size(self) -> int:
        return self.pick([1, 2, 3, 5, 5, 7, 7, 8, 9, 11])

    def divisor(self, number: int) -> int:
        return self.pick([count for count in range(1, number + 1) if number % count == 0])

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.random.integers(len(options)))]

"""Random host segments of several nodes: branches, views, several outputs, constants, any shapes.

In: a seed. Out: a segment and what it is fed. Every node is one whose operands are drawn from what was made before it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sima_compiler.ir.host import Dtype, HostNode, HostSegment, HostTensor
from sima_compiler.ir.host_rules.use import Value
from sima_compiler.ir.verify_host import results

Made = dict[str, Value]
UNARY = ("Exp", "Tanh", "Sigmoid", "Erf", "Relu", "Neg", "Abs", "HardSwish", "Softplus", "Identity", "Floor", "Gelu")
BINARY = ("Add", "Sub", "Mul", "Max", "Min", "Div")
REDUCTIONS = ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2")


class Growing:
    """A segment under construction."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.made: Made = {}
        self.nodes: list[HostNode] = []
        self.constants: dict[str, np.ndarray] = {}
        self.inputs: dict[str, np.ndarray] = {}

    def feed(self) -> None:
        shape = tuple(int(size) for size in self.random.integers(1, 6, self.random.integers(1, 5)))
        name = f"in{len(self.inputs)}"
        self.inputs[name] = self.random.standard_normal(shape).astype(np.float32)
        self.made[name] = Value(shape, Dtype.FLOAT32)

    def real(self, least_axes: int = 0) -> str | None:
        """A tensor of real numbers with at least so many axes; late ones are likelier, so that chains grow long."""
        names = [n for n, v in self.made.items() if v.dtype is Dtype.FLOAT32 and v.rank >= least_axes]
        return names[max(self.random.integers(len(names), size=2))] if names else None

    def constant(self, values: np.ndarray) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = values
        self.made[name] = Value(values.shape, Dtype(values.dtype.name), values)
        return name

    def add(self, op: str, inputs: tuple[str, ...], outputs: int = 1, **attributes: object) -> None:
        names = tuple(f"{op}{len(self.nodes)}_{place}" for place in range(outputs))
        node = HostNode(op, inputs, names, attributes, f"node {len(self.nodes)}")
        self.made |= dict(zip(names, results(node, self.made), strict=True))
        self.nodes.append(node)

    def axis(self, name: str) -> int:
        return int(self.random.integers(-self.made[name].rank, self.made[name].rank))

    def segment(self) -> HostSegment:
        read = {name for node in self.nodes for name in node.inputs}
        ends = [name for node in self.nodes for name in node.outputs if name not in read or self.random.random() < 0.15]
        values = [HostTensor(name, self.made[name].shape, self.made[name].dtype) for name in ends]
        inputs = tuple(HostTensor(name, array.shape, Dtype.FLOAT32) for name, array in self.inputs.items())
        return HostSegment("random", inputs, tuple(values), tuple(self.nodes), self.constants)


def _unary(one: Growing, name: str) -> None:
    one.add(str(one.random.choice(UNARY)), (name,))


def _binary(one: Growing, name: str) -> None:
    """With itself, with a part of it that broadcasts, or with a constant."""
    shape = one.made[name].shape
    other = tuple(1 if one.random.random() < 0.4 else size for size in shape)[one.random.integers(0, len(shape) + 1) :]
    values = one.random.uniform(0.5, 2.0, other).astype(np.float32)
    second = name if one.random.random() < 0.2 else one.constant(values)
    pair = (name, second) if one.random.random() < 0.5 else (second, name)
    one.add(str(one.random.choice(BINARY)), pair)


def _reduce(one: Growing, name: str) -> None:
    axes = one.constant(np.array([one.axis(name)], np.int64))
    one.add(str(one.random.choice(REDUCTIONS)), (name, axes), keepdims=int(one.random.integers(0, 2)))


def _softmax(one: Growing, name: str) -> None:
    one.add(str(one.random.choice(("Softmax", "LogSoftmax"))), (name,), axis=one.axis(name))


def _transpose(one: Growing, name: str) -> None:
    one.add("Transpose", (name,), perm=tuple(int(axis) for axis in one.random.permutation(one.made[name].rank)))


def _reshape(one: Growing, name: str) -> None:
    shape = one.made[name].shape
    target = [-1] if one.random.random() < 0.5 else [*shape[:-1], 1, -1]
    one.add("Reshape", (name, one.constant(np.array(target, np.int64))))


def _slice(one: Growing, name: str) -> None:
    axis = one.axis(name) % one.made[name].rank
    size = one.made[name].shape[axis]
    first, step = int(one.random.integers(0, size)), int(one.random.choice((1, 2, -1)))
    end = size if step > 0 else -size - 1
    numbers = [one.constant(np.array([value], np.int64)) for value in (first, end, axis, step)]
    one.add("Slice", (name, *numbers))


def _concat(one: Growing, name: str) -> None:
    one.add("Concat", (name, name), axis=one.axis(name))


def _top(one: Growing, name: str) -> None:
    axis = one.axis(name)
    count = int(one.random.integers(1, one.made[name].shape[axis] + 1))
    one.add("TopK", (name, one.constant(np.array([count], np.int64))), 2, axis=axis)


def _split(one: Growing, name: str) -> None:
    axis = one.axis(name)
    size = one.made[name].shape[axis]
    first = int(one.random.integers(0, size + 1))
    one.add("Split", (name, one.constant(np.array([first, size - first], np.int64))), 2, axis=axis)


def _matmul(one: Growing, name: str) -> None:
    depth, columns = one.made[name].shape[-1], int(one.random.integers(1, 8))
    one.add("MatMul", (name, one.constant(one.random.standard_normal((depth, columns)).astype(np.float32))))


def _compare(one: Growing, name: str) -> None:
    """A choice by a comparison."""
    one.add("Greater", (name, one.constant(np.array(0.1, np.float32))))
    one.add("Where", (one.nodes[-1].outputs[0], name, one.constant(np.array(-1, np.float32))))


def _gather(one: Growing, name: str) -> None:
    axis = one.axis(name)
    size = one.made[name].shape[axis]
    indices = one.random.integers(-size, size, tuple(one.random.integers(1, 4, one.random.integers(0, 3))))
    one.add("Gather", (name, one.constant(np.asarray(indices, np.int64))), axis=axis)


STEPS: tuple[Callable[[Growing, str], None], ...] = (
    *(
        _unary,
        _binary,
        _binary,
        _reduce,
        _softmax,
        _transpose,
        _reshape,
        _slice,
        _concat,
        _top,
        _split,
        _matmul,
        _compare,
    ),
    _gather,
)


def random_segment(seed: int, most_values: int = 4096) -> tuple[HostSegment, dict[str, np.ndarray]]:
    """A segment of 3 to 25 nodes and its inputs; no tensor has an empty axis or more than ``most_values``."""
    one = Growing(seed)
    for _ in range(one.random.integers(1, 4)):
        one.feed()
    for _ in range(one.random.integers(3, 26)):
        name = one.real(least_axes=1)
        if name is None:
            break
        shape = one.made[name].shape
        if 0 < np.prod(shape) <= most_values and len(shape) < 6:
            STEPS[one.random.integers(len(STEPS))](one, name)
    if not one.nodes:
        one.add("Exp", (next(iter(one.inputs)),))
    return one.segment(), one.inputs

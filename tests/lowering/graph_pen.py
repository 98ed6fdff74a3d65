"""A small pen for quantized graphs: every method writes one node and returns the name of its result."""

from __future__ import annotations

from math import prod

import numpy as np

from sima_compiler.frontend.resizing import linear_neighbours
from sima_compiler.ir.graph import (
    ActivationAttributes,
    Attributes,
    BlendAttributes,
    ConstantOperand,
    ConvAttributes,
    Graph,
    Node,
    Op,
    Quantization,
    ShapeAttributes,
    Tensor,
    Weights,
)

Shape = tuple[int, ...]


class Pen:
    """Collects nodes; scales, zero points and weights are drawn from a seed."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.inputs: list[str] = []

    def quant(self) -> Quantization:
        """A quantization of about unit range."""
        return Quantization(float(np.float32(self.random.uniform(0.01, 0.03))), int(self.random.integers(-40, 40)))

    def shape(self, name: str) -> Shape:
        """Per-sample shape of a tensor."""
        return self.tensors[name].shape

    def input(self, *shape: int) -> str:
        """A graph input."""
        name = f"x{len(self.inputs)}"
        self.inputs.append(name)
        self.tensors[name] = Tensor(name, shape, self.quant())
        return name

    def node(
        self,
        op: Op,
        inputs: tuple[str, ...],
        shape: Shape,
        attributes: Attributes = None,
        *,
        keeps_quant: bool = False,
        **more: object,
    ) -> str:
        """Any node; its output is named after it."""
        number = len(self.nodes)
        name = f"t{number}"
        quant = self.tensors[inputs[0]].quant if keeps_quant else self.quant()
        self.tensors[name] = Tensor(name, shape, quant)
        node = Node(f"n{number}", op, inputs, name, attributes, source=f"{op.value}_{number}", **more)  # type: ignore[arg-type]
        self.nodes.append(node)
        return name

    def conv(
        self,
        x: str,
        outputs: int,
        kernel: tuple[int, int] = (1, 1),
        *,
        strides: tuple[int, int] = (1, 1),
        dilations: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        groups: int = 1,
        clamp: tuple[int, int] = (-128, 127),
        fused: tuple[str, ...] = (),
    ) -> str:
        """Conv with bias."""
        channels = self.shape(x)[0]
        window = ConvAttributes(kernel, strides, dilations, pads, groups)
        values = self.random.integers(-127, 128, (outputs, channels // groups, *kernel)).astype(np.int8)
        weights = self._weights(values, prod(values.shape[1:]))
        shape = (outputs, *window_shape(self.shape(x), window))
        return self.node(Op.CONV, (x,), shape, window, weights=weights, clamp=clamp, fused=fused)

    def gemm(self, x: str, outputs: int) -> str:
        """Gemm over the last axis."""
        depth = self.shape(x)[-1]
        values = self.random.integers(-127, 128, (outputs, depth)).astype(np.int8)
        return self.node(Op.GEMM, (x,), (*self.shape(x)[:-1], outputs), weights=self._weights(values, depth))

    def _weights(self, values: np.ndarray, depth: int) -> Weights:
        outputs = values.shape[0]
        count = int(self.random.choice([1, outputs]))
        scales = (self.random.uniform(0.008, 0.012, count) / np.sqrt(depth)).astype(np.float32)
        bias = self.random.integers(-3000, 3000, outputs).astype(np.int32)
        return Weights(values, scales, bias)

    def unary(self, op: Op, x: str, *, keeps_quant: bool = False, **parameters: float) -> str:
        """A function of one byte."""
        return self.node(op, (x,), self.shape(x), ActivationAttributes(**parameters), keeps_quant=keeps_quant)

    def binary(self, op: Op, a: str, b: str) -> str:
        """Add, Sub or Mul of two tensors."""
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        return self.node(op, (a, b), shape)

    def constant(self, op: Op, x: str, shape: Shape, *, first: bool = False) -> str:
        """Add, Sub or Mul with a constant of that shape."""
        operand = ConstantOperand(self.random.integers(-128, 128, shape).astype(np.int8), self.quant())
        return self.node(op, (x,), self.shape(x), constant=operand, constant_first=first)

    def pool(self, op: Op, x: str, window: ConvAttributes) -> str:
        """MaxPool or AveragePool."""
        shape = (self.shape(x)[0], *window_shape(self.shape(x), window))
        return self.node(op, (x,), shape, window, keeps_quant=op is Op.MAX_POOL)

    def global_pool(self, x: str) -> str:
        """GlobalAveragePool."""
        return self.node(Op.GLOBAL_AVERAGE_POOL, (x,), (self.shape(x)[0], 1, 1))

    def reshape(self, x: str, *shape: int) -> str:
        """Reshape, per sample."""
        return self.node(Op.RESHAPE, (x,), shape, keeps_quant=True)

    def transpose(self, x: str, *permutation: int) -> str:
        """Transpose of the per-sample axes."""
        shape = tuple(self.shape(x)[axis] for axis in permutation)
        return self.node(Op.TRANSPOSE, (x,), shape, ShapeAttributes(permutation=permutation), keeps_quant=True)

    def slice(self, x: str, starts: Shape, stops: Shape, steps: Shape) -> str:
        """Slice with one entry per axis."""
        shape = tuple(len(range(*triple)) for triple in zip(starts, stops, steps, strict=True))
        return self.node(Op.SLICE, (x,), shape, ShapeAttributes(starts=starts, steps=steps), keeps_quant=True)

    def concat(self, *names: str, axis: int = 0) -> str:
        """Concat."""
        shape = list(self.shape(names[0]))
        shape[axis] = sum(self.shape(name)[axis] for name in names)
        return self.node(Op.CONCAT, names, tuple(shape), ShapeAttributes(axis=axis))

    def pad(self, x: str, before: Shape, after: Shape, fill: int | None = None) -> str:
        """Pad with the zero point, or with an int8 value."""
        shape = tuple(b + size + a for b, size, a in zip(before, self.shape(x), after, strict=True))
        attributes = ShapeAttributes(pads_before=before, pads_after=after, fill=fill)
        return self.node(Op.PAD, (x,), shape, attributes, keeps_quant=True)

    def resize(self, x: str, rows: Shape, columns: Shape) -> str:
        """Nearest neighbour by index tables."""
        shape = (self.shape(x)[0], len(rows), len(columns))
        return self.node(Op.RESIZE_NEAREST, (x,), shape, ShapeAttributes(rows=rows, columns=columns), keeps_quant=True)

    def blend(self, x: str, rows: int, columns: int) -> str:
        """Linear interpolation to so many rows and columns, half a pixel off."""
        channels, *size = self.shape(x)
        axes = (
            linear_neighbours(length, wanted, np.float32(wanted / length), "half_pixel")
            for length, wanted in zip(size, (rows, columns), strict=True)
        )
        return self.node(Op.RESIZE_LINEAR, (x,), (channels, rows, columns), BlendAttributes(*axes))

    def graph(self, *outputs: str) -> Graph:
        """The finished graph."""
        return Graph("net", tuple(self.inputs), outputs, dict(self.tensors), tuple(self.nodes))


def window_shape(shape: Shape, window: ConvAttributes) -> tuple[int, int]:
    """Output rows and columns of a window over (C, H, W)."""
    top, left, bottom, right = window.pads
    sizes = [
        (size + pads - (kernel - 1) * dilation - 1) // stride + 1
        for size, pads, kernel, dilation, stride in zip(
            shape[1:], (top + bottom, left + right), window.kernel, window.dilations, window.strides, strict=True
        )
    ]
    return sizes[0], sizes[1]

"""A small pen for float ONNX graphs: every method writes one node and returns the name of its result.

Shapes are per sample (the batch in front is left out) and kept for every tensor; learned values are drawn from a seed,
He-normal for weights, so that activations stay in range through any depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
Shape = tuple[int, ...]


class FloatNet:
    """Collects nodes; `model` makes the ONNX file. ``batch`` is a number, or a name for a symbolic batch."""

    def __init__(self, seed: int, batch: int | str = "N", opset: int = OPSET) -> None:
        self.random = np.random.default_rng(seed)
        self.batch = batch
        self.opset = opset
        self.shapes: dict[str, Shape] = {}
        self.inputs: list[str] = []
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def input(self, shape: Shape, name: str | None = None) -> str:
        """A network input."""
        name = name or f"input{len(self.inputs)}"
        self.inputs.append(name)
        self.shapes[name] = shape
        return name

    def constant(self, values: np.ndarray, stem: str = "c") -> str:
        """An initializer, stored as it is."""
        name = f"{stem}_{len(self.constants)}"
        self.constants[name] = values
        return name

    def node(self, op: str, inputs: Sequence[str], shape: Shape, **attributes: Any) -> str:
        """Any operator with one result of the given shape."""
        return self.many(op, inputs, [shape], **attributes)[0]

    def many(self, op: str, inputs: Sequence[str], shapes: Sequence[Shape], **attributes: Any) -> list[str]:
        """Any operator with several results."""
        index = len(self.nodes)
        names = [f"t{index}_{op.lower()}" + (f"_{part}" if len(shapes) > 1 else "") for part in range(len(shapes))]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"{op}_{index}", **attributes))
        self.shapes.update(zip(names, shapes, strict=True))
        return names

    def conv(
        self,
        x: str,
        channels: int,
        kernel: tuple[int, int] | int = 1,
        *,
        stride: tuple[int, int] | int = 1,
        dilation: tuple[int, int] | int = 1,
        pads: Sequence[int] | None = None,
        groups: int = 1,
        bias: bool = True,
    ) -> str:
        """Conv; ``pads`` is top, left, bottom, right, and None means that stride 1 keeps the size."""
        kernel, stride, dilation = _pair(kernel), _pair(stride), _pair(dilation)
        span = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        pads = list(pads) if pads is not None else [span[0] // 2, span[1] // 2, span[0] // 2, span[1] // 2]
        depth = self.shapes[x][0] // groups
        weights = self.random.standard_normal((channels, depth, *kernel)) * np.sqrt(2 / (depth * kernel[0] * kernel[1]))
        names = [x, self.constant(weights.astype(np.float32), "w")]
        if bias:
            names.append(self.constant((self.random.standard_normal(channels) * 0.1).astype(np.float32), "b"))
        shape = (channels, *window_shape(self.shapes[x][1:], kernel, stride, dilation, pads))
        return self.node(
            "Conv", names, shape, kernel_shape=kernel, strides=stride, dilations=dilation, pads=pads, group=groups
        )

    def pool(self, op: str, x: str, kernel: tuple[int, int] | int, **options: Any) -> str:
        """MaxPool or AveragePool; options: stride, pads, count_include_pad."""
        kernel, stride = _pair(kernel), _pair(options.pop("stride", kernel))
        pads = list(options.pop("pads", (0, 0, 0, 0)))
        shape = (self.shapes[x][0], *window_shape(self.shapes[x][1:], kernel, stride, (1, 1), pads))
        return self.node(op, [x], shape, kernel_shape=kernel, strides=stride, pads=pads, **options)

    def global_pool(self, x: str) -> str:
        """GlobalAveragePool."""
        return self.node("GlobalAveragePool", [x], (self.shapes[x][0], 1, 1))

    def dense(self, x: str, channels: int, *, transposed: bool = True, bias: bool = True) -> str:
        """Gemm on a flat tensor."""
        depth = self.shapes[x][0]
        values = (self.random.standard_normal((channels, depth)) * np.sqrt(2 / depth)).astype(np.float32)
        names = [x, self.constant(values if transposed else np.ascontiguousarray(values.T), "w")]
        if bias:
            names.append(self.constant((self.random.standard_normal(channels) * 0.1).astype(np.float32), "b"))
        return self.node("Gemm", names, (channels,), transB=int(transposed))

    def unary(self, op: str, x: str, **attributes: Any) -> str:
        """Elementwise function of one tensor."""
        return self.node(op, [x], self.shapes[x], **attributes)

    def clip(self, x: str, low: float | None, high: float | None) -> str:
        """Clip; None leaves that side open."""
        names = [x, self.constant(np.array(low, np.float32), "lo") if low is not None else ""]
        if high is not None:
            names.append(self.constant(np.array(high, np.float32), "hi"))
        return self.node("Clip", names if any(names[1:]) else [x], self.shapes[x])

    def binary(self, op: str, a: str, b: str, shape: Shape | None = None) -> str:
        """Add, Sub or Mul; a constant operand is named like any other."""
        return self.node(op, [a, b], shape if shape is not None else self.shapes[a])

    def concat(self, parts: Sequence[str], axis: int = 0) -> str:
        """Concat along a per-sample axis."""
        shape = list(self.shapes[parts[0]])
        shape[axis] = sum(self.shapes[part][axis] for part in parts)
        return self.node("Concat", parts, tuple(shape), axis=axis + 1)

    def flatten(self, x: str) -> str:
        """Flatten to (batch, everything else)."""
        return self.node("Flatten", [x], (int(np.prod(self.shapes[x])),), axis=1)

    def reshape(self, x: str, shape: Shape, leading: int = 0) -> str:
        """Reshape; ``leading`` is what the constant says for the batch: 0, -1 or a literal number."""
        target = self.constant(np.array([leading, *shape], np.int64), "shape")
        return self.node("Reshape", [x, target], shape)

    def upsample(self, x: str, factor: int = 2) -> str:
        """Resize to a whole multiple, nearest neighbour."""
        channels, rows, columns = self.shapes[x]
        scales = self.constant(np.array([1, 1, factor, factor], np.float32), "scales")
        shape = (channels, rows * factor, columns * factor)
        settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", [x, "", scales], shape, **settings)

    def model(self, outputs: Sequence[str], name: str = "net") -> onnx.ModelProto:
        """The finished, checked file."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [self._value(value) for value in self.inputs],
            [self._value(value) for value in outputs],
            [numpy_helper.from_array(values, key) for key, values in self.constants.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.checker.check_model(made)
        return made

    def _value(self, name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [self.batch, *self.shapes[name]])


def window_shape(
    size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], pads: Sequence[int]
) -> tuple[int, int]:
    """Rows and columns that a sliding window produces."""
    rows, columns = (
        (size[i] + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilation[i] - 1) // stride[i] + 1 for i in (0, 1)
    )
    return rows, columns


def _pair(value: tuple[int, int] | int) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value

"""An activation made as large as another that it meets: axes of length 1 repeat.

In: a tensor and the shape that it should have. Out: a tensor. Always: the same bytes, and for onnxruntime, which
spreads operands without a node of their own, as direct as before.

::

    before: Mul(x (C, H, W), mask (1, H, W))      after: Conv of the mask with C weights of one, Mul
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.selection import picked_along
from sima_compiler.frontend.values import Activation, Value
from sima_compiler.ir.graph import ConvAttributes, Node, Op, Weights

Shape = tuple[int, ...]


def spread(node: SourceNode, reader: Reader, value: Activation, shape: Shape, place: int) -> Activation:
    """``value`` with every axis of length 1 as long as in ``shape``; ``place`` tells the node's operands apart."""
    result: Value = value
    for axis, size in enumerate(shape):
        current = result.shape if isinstance(result, Activation) else shape
        if current[axis] == size:
            continue
        label = f"{node.name}_spread_{place}_{axis}"
        image = len(shape) == 3
        if axis == (0 if image else len(shape) - 1):
            result = _repeated_channel(node, reader, _settled(reader, result, node, label), size, label, image=image)
        else:
            result = _settled(reader, picked_along(node, reader, result, axis, (0,) * size), node, label)
    return value if result is value else replace(_settled(reader, result, node, node.name), direct=value.direct)


def _settled(reader: Reader, value: Value, node: SourceNode, label: str) -> Activation:
    return reader.builder.settled(value, label, node)


def _repeated_channel(
    node: SourceNode, reader: Reader, value: Activation, count: int, label: str, *, image: bool
) -> Activation:
    """One channel as many: a product with weights of one at scale 1, which rounds nothing and fills the array."""
    builder = reader.builder
    shape = (count, *value.shape[1:]) if image else (*value.shape[:-1], count)
    target = builder.tensor(label, shape, builder.quant(value))
    ones = np.ones((count, 1, 1, 1) if image else (count, 1), np.int8)
    weights = Weights(ones, np.ones(1, np.float32), np.zeros(count, np.int32), has_bias=False)
    attributes = ConvAttributes((1, 1)) if image else None
    op = Op.CONV if image else Op.GEMM
    builder.append(Node(label, op, (value.tensor,), target.tensor, attributes, weights=weights, source=node.name))
    return target

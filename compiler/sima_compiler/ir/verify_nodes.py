"""The rules of one node of the graph: attributes, constants, and the shape that its result must have.

In: a node and the graph's tensors. Out: nothing, or an `InternalError`. All shapes are per sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from sima_compiler.ir.graph import (
    BINARY_OPS,
    PRODUCT_OPS,
    REDUCING_OPS,
    ROW_OPS,
    UNARY_OPS,
    BlendAttributes,
    ConvAttributes,
    Neighbours,
    Node,
    Op,
    RealAverageAttributes,
    RowAttributes,
    ShapeAttributes,
    SumOrder,
    TableAttributes,
    Tensor,
)
from sima_compiler.ir.promises import Promises

Shape = tuple[int, ...]
Tensors = Mapping[str, Tensor]

_WINDOWS = {Op.CONV, Op.CONV_TRANSPOSE, Op.MAX_POOL, Op.AVERAGE_POOL}
_MOVES = {Op.CONCAT, Op.TRANSPOSE, Op.SLICE, Op.PAD, Op.RESIZE_NEAREST}


def check_node(node: Node, tensors: Tensors, promises: Promises) -> None:
    """Everything about a node but its place in the order."""
    promises.clamp(node.clamp)
    binary = node.op in BINARY_OPS
    operands = 2 if (binary and node.constant is None) or node.op in PRODUCT_OPS else 1
    if node.op is not Op.CONCAT:
        promises.equal("operands", len(node.inputs), operands)
    promises.require(node.constant is None or binary, "a constant where none belongs")
    weighted = node.op in (Op.CONV, Op.CONV_TRANSPOSE, Op.GEMM, Op.REAL_GEMM)
    promises.require((node.weights is not None) == weighted, "weights missing or misplaced")
    if node.op in _WINDOWS:
        promises.require(isinstance(node.attributes, ConvAttributes), "no window")
    if node.op in _MOVES:
        promises.require(isinstance(node.attributes, ShapeAttributes), "no shape attributes")
    if node.weights is not None:
        _check_weights(node, tensors, promises)
    shapes, result = [tensors[name].shape for name in node.inputs], tensors[node.output].shape
    promises.equal("shape", result, _SHAPES[node.op](node, shapes, result, promises))


def window_size(size: int, pads: int, kernel: int, stride: int, dilation: int) -> int:
    """Places of a window along one axis."""
    return (size + pads - dilation * (kernel - 1) - 1) // stride + 1


def _check_weights(node: Node, tensors: Tensors, promises: Promises) -> None:
    weights = node.weights
    if weights is None:
        return
    shape, outputs = tensors[node.inputs[0]].shape, weights.values.shape[0]
    promises.require(weights.values.dtype == np.int8, f"weights are {weights.values.dtype}")
    promises.equal("bias", (weights.bias.dtype, weights.bias.shape), (np.dtype(np.int32), (outputs,)))
    if weights.real_bias is not None:
        real = weights.real_bias
        promises.equal("real bias", (real.dtype, real.shape), (np.dtype(np.float32), (outputs,)))
        promises.require(not weights.bias.any(), "a bias beside a real bias")
    promises.require(weights.scales.dtype == np.float32, f"weight scales are {weights.scales.dtype}")
    promises.require(weights.scales.shape in ((1,), (outputs,)), f"weight scales have shape {weights.scales.shape}")
    if isinstance(node.attributes, ConvAttributes):
        groups = node.attributes.groups
        promises.require(outputs % groups == 0, f"{outputs} outputs in {groups} groups")
        promises.equal("weights", weights.values.shape[1:], (shape[0] // groups, *node.attributes.kernel))
        promises.equal("input channels", shape[0], weights.values.shape[1] * groups)
    else:
        promises.equal("weights", weights.values.shape, (outputs, shape[-1]))


def _window(node: Node, shapes: list[Shape], _: Shape, promises: Promises) -> Shape:
    attributes, shape = node.attributes, shapes[0]
    promises.equal("axes", len(shape), 3)
    if not isinstance(attributes, ConvAttributes):
        return shape
    top, left, bottom, right = attributes.pads
    axes = zip(shape[1:], (top + bottom, left + right), attributes.kernel, attributes.strides, attributes.dilations,
               strict=True)  # fmt: skip
    sizes = [window_size(*axis) for axis in axes]
    return (shape[0] if node.weights is None else node.weights.values.shape[0], *sizes)


def _transposed(node: Node, shapes: list[Shape], _: Shape, promises: Promises) -> Shape:
    attributes, shape = node.attributes, shapes[0]
    promises.equal("axes", len(shape), 3)
    if not isinstance(attributes, ConvAttributes) or node.weights is None:
        return shape
    promises.equal("dilations", attributes.dilations, (1, 1))
    promises.require(min(attributes.pads[:2]) >= 0, "a negative pad in front")
    top, left, bottom, right = attributes.pads
    axes = zip(shape[1:], attributes.strides, attributes.kernel, (top + bottom, left + right), strict=True)
    sizes = [(size - 1) * stride + kernel - pads for size, stride, kernel, pads in axes]
    return (node.weights.values.shape[0], *sizes)


def _gemm(node: Node, shapes: list[Shape], _: Shape, __: Promises) -> Shape:
    return (*shapes[0][:-1], 0 if node.weights is None else node.weights.values.shape[0])


def _binary(node: Node, shapes: list[Shape], _: Shape, promises: Promises) -> Shape:
    if node.constant is not None:
        promises.require(node.constant.values.dtype == np.int8, f"constant is {node.constant.values.dtype}")
        shapes = [*shapes, node.constant.values.shape]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        promises.require(kept=False, sentence=f"shapes {shapes} do not broadcast")
        return ()


def _same(_: Node, shapes: list[Shape], __: Shape, ___: Promises) -> Shape:
    return shapes[0]


def _tables(node: Node, shapes: list[Shape], _: Shape, promises: Promises) -> Shape:
    found = node.attributes
    promises.require(isinstance(found, TableAttributes), "no tables")
    if isinstance(found, TableAttributes):
        wanted = (1,) if len(found.tables) == 1 else shapes[0][found.axis : found.axis + 1]
        promises.equal("tables", (found.tables.dtype, found.tables.shape), (np.dtype(np.int8), (*wanted, 256)))
    return shapes[0]


def _real_average(node: Node, shapes: list[Shape], result: Shape, promises: Promises) -> Shape:
    found = node.attributes
    promises.require(isinstance(found, RealAverageAttributes), "no table of reals")
    if not isinstance(found, RealAverageAttributes):
        return shapes[0]
    promises.equal("reals", (found.reals.dtype, found.reals.shape), (np.dtype(np.float32), (256,)))
    if found.order in (SumOrder.LANES, SumOrder.PAIRS):
        promises.equal("window", (found.window.kernel, found.window.pads), (shapes[0][1:], (0, 0, 0, 0)))
    return _window(replace(node, attributes=found.window), shapes, result, promises)


def _global(_: Node, shapes: list[Shape], __: Shape, promises: Promises) -> Shape:
    promises.equal("axes", len(shapes[0]), 3)
    return (shapes[0][0], 1, 1)


def _product(_: Node, shapes: list[Shape], __: Shape, promises: Promises) -> Shape:
    left, right = shapes
    promises.require(min(len(left), len(right)) >= 2, f"matrices of shapes {left} and {right}")
    promises.equal("axes in front", right[:-2], left[:-2])
    promises.equal("rows of the second matrix", right[-2:-1], left[-1:])
    return (*left[:-1], *right[-1:])


def _rows(node: Node, shapes: list[Shape], result: Shape, promises: Promises) -> Shape:
    found, shape = node.attributes, shapes[0]
    promises.require(isinstance(found, RowAttributes), "no rows")
    if not isinstance(found, RowAttributes):
        return shape
    inside = all(0 <= axis < len(shape) for axis in found.axes)
    promises.require(inside and list(found.axes) == sorted(set(found.axes)), f"axes {found.axes} of {len(shape)}")
    length = shape[0] if node.op is Op.INSTANCE_NORM else prod(shape[axis] for axis in found.axes)
    for what, values in (("gains", found.gains), ("offsets", found.offsets)):
        if values is not None:
            promises.equal(what, (values.dtype, values.shape), (np.dtype(np.float32), (length,)))
    promises.require((found.response is not None) == (node.op is Op.LRN), "a local response missing or misplaced")
    if node.op not in REDUCING_OPS:
        return shape
    kept = tuple(1 if axis in found.axes else size for axis, size in enumerate(shape))
    promises.equal("elements", prod(result), prod(kept))
    return result


def _reshape(_: Node, shapes: list[Shape], result: Shape, promises: Promises) -> Shape:
    promises.equal("elements", prod(result), prod(shapes[0]))
    return result


def _move(node: Node, shapes: list[Shape], result: Shape, promises: Promises) -> Shape:
    found, shape = node.attributes, shapes[0]
    if not isinstance(found, ShapeAttributes):
        return shape
    if node.op is Op.CONCAT:
        return _concat(shapes, found.axis, promises)
    if node.op is Op.TRANSPOSE:
        promises.equal("permutation, sorted,", sorted(found.permutation), list(range(len(shape))))
        return tuple(shape[axis] for axis in found.permutation)
    if node.op is Op.PAD:
        promises.require(min((*found.pads_before, *found.pads_after), default=0) >= 0, "a negative pad")
        sizes = zip(found.pads_before, shape, found.pads_after, strict=True)
        return tuple(before + size + after for before, size, after in sizes)
    if node.op is Op.RESIZE_NEAREST:
        promises.equal("axes", len(shape), 3)
        for what, table, size in (("rows", found.rows, shape[1]), ("columns", found.columns, shape[2])):
            promises.require(all(0 <= index < size for index in table), f"{what} reach outside the input")
        return (shape[0], len(found.rows), len(found.columns))
    for start, step, size, count in zip(found.starts, found.steps, shape, result, strict=True):
        promises.require(start >= 0 and step >= 1 and start + (count - 1) * step < size, "slice reaches outside")
    return result


def check_neighbours(rows: Neighbours, columns: Neighbours, size: tuple[int, ...], promises: Promises) -> None:
    """Tables of one length per axis that stay inside an input of ``size`` (rows, columns)."""
    for what, found, length in (("rows", rows, size[0]), ("columns", columns, size[1])):
        lengths = {len(table) for table in (found.near, found.far, found.near_weights, found.far_weights)}
        promises.equal(f"lengths of the tables of {what}", len(lengths), 1)
        promises.require(
            all(0 <= place < length for place in (*found.near, *found.far)), f"{what} reach outside the input"
        )


def _blend(node: Node, shapes: list[Shape], _: Shape, promises: Promises) -> Shape:
    found, shape = node.attributes, shapes[0]
    promises.equal("axes", len(shape), 3)
    promises.require(isinstance(found, BlendAttributes), "no neighbours")
    if not isinstance(found, BlendAttributes):
        return shape
    check_neighbours(found.rows, found.columns, shape[1:], promises)
    return (shape[0], len(found.rows.near), len(found.columns.near))


def _concat(shapes: list[Shape], axis: int, promises: Promises) -> Shape:
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    promises.equal("different shapes beside the joined axis", len(others), 1)
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


_SHAPES: dict[Op, Callable[[Node, list[Shape], Shape, Promises], Shape]] = {
    **dict.fromkeys((Op.CONV, Op.MAX_POOL, Op.AVERAGE_POOL), _window),
    Op.CONV_TRANSPOSE: _transposed,
    **dict.fromkeys((Op.GEMM, Op.REAL_GEMM), _gemm),
    **dict.fromkeys(BINARY_OPS, _binary),
    **dict.fromkeys(UNARY_OPS, _same),
    Op.TABLE: _tables,
    Op.RESIZE_LINEAR: _blend,
    **dict.fromkeys(ROW_OPS, _rows),
    **dict.fromkeys(PRODUCT_OPS, _product),
    Op.GLOBAL_AVERAGE_POOL: _global,
    Op.REAL_AVERAGE_POOL: _real_average,
    Op.RESHAPE: _reshape,
    **dict.fromkeys(_MOVES, _move),
}

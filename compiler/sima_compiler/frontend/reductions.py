"""GlobalMaxPool, ReduceMax, ReduceSum and ReduceMean.

In: nodes on activations. Out: a window as large as the map for the largest of rows and columns, which commutes with
quantization; a pending operation over the axes that make one row for everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sima_compiler.frontend import rules
from sima_compiler.frontend.averages import mean_of_maps
from sima_compiler.frontend.moves import move, moved
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Pending, Value
from sima_compiler.ir.graph import ConvAttributes, Op, RowAttributes

_OPS = {"ReduceMax": Op.REDUCE_MAX, "ReduceSum": Op.REDUCE_SUM, "ReduceMean": Op.REDUCE_MEAN}


def convert_global_max_pool(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """GlobalMaxPool -> Op.MAX_POOL."""
    shape = reader.shape(node)
    rules.IMAGE_RANK.check(node, f"its input has {len(shape) + 1} dimensions", shape)
    return [_largest_of_map(node, reader, (1, 2), node.outputs[0])]


def convert_reduction(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """ReduceMax, ReduceSum and ReduceMean over any axes but the batch."""
    shape = reader.shape(node)
    axes = _axes(node, reader, len(shape))
    if not axes:
        return [reader.value(node, 0)]
    kept = () if not node.integer("keepdims", 1) else (1,)
    if node.operator == "ReduceMean" and len(shape) == 3 and axes == (1, 2):
        mean = mean_of_maps(node, reader, keepdims=bool(kept))
        if mean is not None:
            return [mean]
    target = tuple(size for axis, full in enumerate(shape) for size in (kept if axis in axes else (full,)))
    if node.operator != "ReduceMax" or len(shape) != 3 or 0 in axes:
        return [Pending(_OPS[node.operator], node.name, (reader.settled(node),), target, RowAttributes(axes))]
    if kept:
        return [_largest_of_map(node, reader, axes, node.outputs[0])]
    result = _largest_of_map(node, reader, axes, f"{node.outputs[0]}_kept")
    return [move(node, reader, Op.RESHAPE, target, source=result, suffix="dropped")]


def _axes(node: SourceNode, reader: Reader, rank: int) -> tuple[int, ...]:
    """Per-sample axes in order; none where the node does nothing."""
    axes = reader.integers(node, 1, "axes")
    if not axes:
        if node.integer("noop_with_empty_axes", 0):
            return ()
        raise node.unsupported("it reduces the batch as well", rule=rules.BATCH_FIRST.sentence)
    return tuple(sorted({reader.axis(node, axis, rank + 1) for axis in axes}))


def _largest_of_map(node: SourceNode, reader: Reader, axes: Sequence[int], label: str) -> Value:
    """The largest along rows, columns or both."""
    source = reader.activation(node)
    channels, *size = source.shape
    kernel = cast("tuple[int, int]", tuple(full if axis in axes else 1 for axis, full in enumerate(size, 1)))
    shape = (channels, *(1 if axis in axes else full for axis, full in enumerate(size, 1)))
    return moved(reader, Pending(Op.MAX_POOL, node.name, (source,), shape, ConvAttributes(kernel), name=label))

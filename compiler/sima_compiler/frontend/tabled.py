"""Float32 arithmetic on one tensor as a node of the graph: one table, or a table for each place where it differs.

In: a `RealFunction` and the quantization of its result. Out: nodes of the graph being built. Always: each place has the
table of its own function; where functions differ along several axes, these stand as one axis around the node, with the
channels of an image fastest, as they are stored.

::

    before: DQ (2, 2100) -> Sub anchors (1, 2, 2100) -> Q      after: Reshape (4200), Table, Reshape (2, 2100)
    before: DQ (C, H, W) -> Mul window (1, 1, H, W) -> Q       after: Reshape (C, H W), Table, Reshape (C, H, W)
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from sima_compiler.arithmetic import quantize_result
from sima_compiler.frontend.values import Activation, RealFunction
from sima_compiler.ir.graph import Float32Array, Int8Array, Node, Op, Quantization, ShapeAttributes, TableAttributes

if TYPE_CHECKING:
    from sima_compiler.frontend.builder import GraphBuilder

Shape = tuple[int, ...]


def tabled(builder: GraphBuilder, value: RealFunction, quant: Quantization, name: str) -> Activation:
    """``value`` under ``quant``, as the tensor ``name``."""
    rank = len(value.shape)
    lead = (1,) * (rank + 1 - value.values.ndim) + value.values.shape[:-1]
    varying = tuple(axis for axis, size in enumerate(lead) if size > 1)
    if len(varying) <= 1:
        return _table(builder, value, value.source, value.values.reshape(-1, 256), max((0, *varying)), quant, name)
    order, together = _order(varying, rank)
    turned = tuple(value.shape[axis] for axis in order)
    merged = (*((prod(turned[: -len(together)]),) if len(together) < rank else ()), prod(lead))
    rows = value.values.reshape(*lead, 256).transpose(*order, rank).reshape(-1, 256)
    source = _moved(builder, value, value.source, Op.TRANSPOSE, turned, order)
    source = _moved(builder, value, source, Op.RESHAPE, merged)
    result = _table(builder, value, source, rows, len(merged) - 1, quant, f"{name}_by_place")
    result = _moved(builder, value, result, Op.RESHAPE, turned)
    back = tuple(order.index(axis) for axis in range(rank))
    return _moved(builder, value, result, Op.TRANSPOSE, value.shape, back)


def _order(varying: Shape, rank: int) -> tuple[Shape, Shape]:
    """The axes with those that vary last, and these: of an image, channels behind rows and columns."""
    together = (*varying[1:], 0) if rank == 3 and varying[0] == 0 else varying
    return (*(axis for axis in range(rank) if axis not in varying), *together), together


def _table(
    builder: GraphBuilder,
    value: RealFunction,
    source: Activation,
    rows: Float32Array,
    axis: int,
    quant: Quantization,
    name: str,
) -> Activation:
    """The node: a row of ``rows`` for each place along ``axis``, or one for all."""
    given, tables = builder.quant(source), quantize_result(rows, quant)
    line, below = (_lines(rows, tables, given, last, quant) if len(rows) > 1 else None for last in (255, None))
    attributes = TableAttributes(tables, axis, value.steps, value.nodes, line, below)
    target, label = builder.tensor(name, source.shape, quant), value.nodes[-1]
    builder.append(Node(label, Op.TABLE, (source.tensor,), target.tensor, attributes, source=label))
    return target


def _lines(
    values: Float32Array, tables: Int8Array, given: Quantization, last: int | None, quant: Quantization
) -> tuple[Float32Array, Float32Array] | None:
    """Slope of each row up to its place ``last`` (None: up to the zero point) and offset at the zero point, as if rows
    were lines there; whether they are, the tables tell.

    A slope out of two rounded ends may lie beside that which the file computes with: of its neighbours and the
    tensor's own scale, each row takes what gives most of its table.
    """
    origin = given.zero_point + 128
    last = origin if last is None else last
    ends = values[:, [0, last]].astype(np.float64)
    if last == 0 or not np.isfinite(ends).all():
        return None
    slopes = ((ends[:, 1] - ends[:, 0]) / last).astype(np.float32)
    offsets = np.ascontiguousarray(values[:, origin])
    steps = np.arange(-origin, last + 1 - origin, dtype=np.float32)
    own = np.full_like(slopes, given.scale)
    best, fewest = slopes, np.full(len(slopes), 257)
    for found in (slopes, np.nextafter(slopes, np.inf), np.nextafter(slopes, -np.inf), own, -own):
        wrong = quantize_result(steps * found[:, np.newaxis] + offsets[:, np.newaxis], quant) != tables[:, : last + 1]
        count = wrong.sum(axis=1)
        best, fewest = np.where(count < fewest, found, best), np.minimum(count, fewest)
    return best.astype(np.float32), offsets


def _moved(
    builder: GraphBuilder, value: RealFunction, source: Activation, op: Op, shape: Shape, permutation: Shape = ()
) -> Activation:
    """The tensor reshaped or with its axes in another order; itself where that changes nothing."""
    still = permutation == tuple(range(len(permutation))) if permutation else shape == source.shape
    if still:
        return source
    label = value.nodes[-1]
    target = builder.tensor(f"{source.tensor}_{op.lower()}", shape, builder.quant(source))
    attributes = ShapeAttributes(permutation=permutation) if permutation else None
    builder.append(Node(f"{label}_{op.lower()}", op, (source.tensor,), target.tensor, attributes, source=label))
    return target

"""The first judge: evaluates a `Graph` in plain numpy, integers throughout.

In: a `Graph` and float32 arrays by input name, source layout, any batch in front. Out: int8 arrays by tensor name.
Always: the same bytes for a sample whatever the batch around it; matrix products run in float32 only where every
partial sum is provably an integer below 2^24, and in float64 otherwise, so that they are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from sima_compiler import arithmetic, realsums, rowwise
from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import (
    PRODUCT_OPS,
    REDUCING_OPS,
    ROW_OPS,
    UNARY_OPS,
    ActivationAttributes,
    BlendAttributes,
    ConvAttributes,
    Float32Array,
    Graph,
    Int8Array,
    Node,
    Op,
    Quantization,
    RealAverageAttributes,
    RowAttributes,
    ShapeAttributes,
    TableAttributes,
    Tensor,
    Weights,
)
from sima_compiler.ir.network import Port
from sima_compiler.sim.inputs import checked_inputs

Number = TypeVar("Number", bound=np.generic)

#: Below this, float32 represents every integer.
EXACT_FLOAT32 = 1 << 24


def run_graph(graph: Graph, inputs: Mapping[str, npt.ArrayLike], *, keep: bool = False) -> dict[str, Int8Array]:
    """Quantize ``inputs`` and evaluate the graph.

    ``inputs``: float32 (batch, *shape) per graph input. Returns int8 (batch, *shape) per graph output, or, with
    ``keep``, every tensor of the graph.

    Raises:
        InputError: an input is missing, unknown, not float, not finite, or of another shape.
    """
    real = check_inputs(graph, inputs)
    values = {name: arithmetic.quantize(array, graph.tensors[name].quant) for name, array in real.items()}
    for node in graph.nodes:
        values[node.output] = run_node(node, [values[name] for name in node.inputs], graph.tensors)
    return values if keep else {name: values[name] for name in graph.outputs}


def check_inputs(graph: Graph, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, Float32Array]:
    """The inputs as float32 arrays, each checked against the graph; all share one batch of at least 1."""
    return checked_inputs((Port(name, graph.tensors[name].shape) for name in graph.inputs), inputs)


def run_node(node: Node, inputs: list[Int8Array], tensors: Mapping[str, Tensor]) -> Int8Array:
    """One node on int8 arrays with the batch in front."""
    result = _evaluate(node, inputs, tensors)
    expected = (inputs[0].shape[0], *tensors[node.output].shape)
    if result.shape != expected:
        raise InternalError(f"reference: {node.name} ({node.op}) gave shape {result.shape}, expected {expected}")
    return result


def _evaluate(node: Node, inputs: list[Int8Array], tensors: Mapping[str, Tensor]) -> Int8Array:
    if node.op in UNARY_OPS:
        return _unary(node, inputs[0], tensors)
    if node.op is Op.TABLE:
        return _table(node, inputs[0])
    if isinstance(node.attributes, BlendAttributes):
        return _blend(node, node.attributes, inputs[0], tensors)
    if node.op in arithmetic.BINARY_OPS:
        return _binary(node, inputs, tensors)
    if node.op in _WEIGHTED:
        return _WEIGHTED[node.op](node, inputs[0], tensors)
    if node.op in PRODUCT_OPS:
        return _product(node, inputs, tensors)
    if node.op in ROW_OPS:
        return _rows(node, inputs[0], tensors)
    if node.op in (Op.MAX_POOL, Op.AVERAGE_POOL, Op.GLOBAL_AVERAGE_POOL, Op.REAL_AVERAGE_POOL):
        return _pool(node, inputs[0], tensors)
    return np.clip(_move(node, inputs, tensors), *node.clamp).astype(np.int8)


def _blend(node: Node, attributes: BlendAttributes, x: Int8Array, tensors: Mapping[str, Tensor]) -> Int8Array:
    quants = (tensors[node.inputs[0]].quant, tensors[node.output].quant)
    return arithmetic.interpolate(x, (2, 3), (attributes.rows, attributes.columns), quants, node.clamp)


def _unary(node: Node, x: Int8Array, tensors: Mapping[str, Tensor]) -> Int8Array:
    attributes = cast("ActivationAttributes | None", node.attributes)
    source, output = tensors[node.inputs[0]].quant, tensors[node.output].quant
    return arithmetic.apply_table(arithmetic.lookup_table(node.op, attributes, source, output, node.clamp), x)


def _table(node: Node, x: Int8Array) -> Int8Array:
    attributes = cast("TableAttributes", node.attributes)
    if len(attributes.tables) == 1:
        return arithmetic.apply_table(attributes.tables[0], x)
    moved = np.moveaxis(x, attributes.axis + 1, 0)
    parts = [arithmetic.apply_table(table, part) for table, part in zip(attributes.tables, moved, strict=True)]
    return np.ascontiguousarray(np.moveaxis(np.stack(parts), 0, attributes.axis + 1))


def _product(node: Node, inputs: list[Int8Array], tensors: Mapping[str, Tensor]) -> Int8Array:
    quants, output = [tensors[name].quant for name in node.inputs], tensors[node.output].quant
    sums = arithmetic.products(inputs[0], inputs[1], quants[0].zero_point, quants[1].zero_point)
    real = node.op is not Op.MATMUL
    factor = arithmetic.product_factor(quants[0], quants[1], None if real else output)
    return arithmetic.finished_product(sums, factor, output, real=real, clamp=node.clamp)


def _rows(node: Node, x: Int8Array, tensors: Mapping[str, Tensor]) -> Int8Array:
    """Operators on rows, which move to the end and back."""
    attributes = cast("RowAttributes", node.attributes)
    axes = tuple(axis + 1 for axis in attributes.axes)
    others = tuple(axis for axis in range(x.ndim) if axis not in axes)
    moved = x.transpose(*others, *axes)
    result = _row_values(node, moved.reshape(*moved.shape[: len(others)], -1), attributes, tensors)
    if node.op in REDUCING_OPS:
        return result.reshape(x.shape[0], *tensors[node.output].shape)
    return result.reshape(moved.shape).transpose(np.argsort((*others, *axes)))


def _row_values(node: Node, x: Int8Array, found: RowAttributes, tensors: Mapping[str, Tensor]) -> Int8Array:
    source, output = tensors[node.inputs[0]].quant, tensors[node.output].quant
    if node.op in (Op.ARG_MAX, Op.ARG_MAX_LAST):
        return rowwise.arg_max(x, last=node.op is Op.ARG_MAX_LAST)
    if node.op is Op.SOFTMAX:
        return rowwise.softmax(x, rowwise.exponentials(source.scale, x.shape[-1]), output, node.clamp)
    if node.op is Op.REAL_SOFTMAX:
        return rowwise.real_softmax(x, rowwise.real_exponentials(source.scale), output, node.clamp)
    if node.op is Op.LOG_SOFTMAX:
        return rowwise.log_softmax(x, rowwise.real_exponentials(source.scale), source, output, node.clamp)
    if found.response is not None:
        return rowwise.local_response(x, source, output, found.response, node.clamp)
    if node.op is Op.REDUCE_MAX:
        return rowwise.largest(x, source, output, node.clamp)
    if node.op in (Op.REDUCE_SUM, Op.REDUCE_MEAN):
        return rowwise.total(x, source, output, mean=node.op is Op.REDUCE_MEAN, clamp=node.clamp)
    gains, offsets = found.gains, found.offsets
    if node.op is Op.INSTANCE_NORM:  # one per channel, which is the axis behind the batch
        gains, offsets = (None if values is None else values.reshape(-1, 1) for values in (gains, offsets))
    function = rowwise.rms_norm if node.op is Op.RMS_NORM else rowwise.layer_norm
    return function(x, source, output, found.epsilon, gains, offsets, node.clamp)


def _binary(node: Node, inputs: list[Int8Array], tensors: Mapping[str, Tensor]) -> Int8Array:
    operands = [(array, tensors[name].quant) for array, name in zip(inputs, node.inputs, strict=True)]
    if node.constant is not None:
        position = 0 if node.constant_first else 1
        operands.insert(position, (node.constant.values[np.newaxis], node.constant.quant))
    (left, left_quant), (right, right_quant) = operands
    rank = max(left.ndim, right.ndim)
    left, right = _with_rank(left, rank), _with_rank(right, rank)
    output = tensors[node.output].quant
    return arithmetic.binary(arithmetic.BINARY_OPS[node.op], left, right, left_quant, right_quant, output, node.clamp)


def _with_rank(x: Int8Array, rank: int) -> Int8Array:
    """Per-sample axes aligned at the end, the batch kept in front."""
    return x.reshape(x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:])


def _weights(node: Node) -> Weights:
    if node.weights is None:
        raise InternalError(f"reference: {node.name} ({node.op}) has no weights")
    return node.weights


def exact_type(weights: Int8Array, zero_point: int) -> type[np.float32 | np.float64]:
    """The float type in which products of these weights (outputs first) with centred inputs add up exactly."""
    largest = int(np.abs(weights.astype(np.int64)).reshape(weights.shape[0], -1).sum(axis=1).max(initial=0))
    return np.float32 if largest * max(127 - zero_point, zero_point + 128) < EXACT_FLOAT32 else np.float64


def _convolution(node: Node, x: Int8Array, tensors: Mapping[str, Tensor]) -> Int8Array:
    source, target, weights = tensors[node.inputs[0]], tensors[node.output], _weights(node)
    attributes = cast("ConvAttributes", node.attributes)
    kind = exact_type(weights.values, source.quant.zero_point)
    result = np.empty((x.shape[0], *target.shape), np.int8)
    for index, sample in enumerate(x):
        padded = _pad_spatial(sample.astype(kind) - kind(source.quant.zero_point), attributes.pads, 0)
        sums = _correlate(_windows(padded, attributes), weights.values.astype(kind), attributes.groups)
        result[index] = _finished(sums.astype(np.int32), weights, source.quant, target.quant, node.clamp, (-1, 1, 1))
    return result


def _transposed_convolution(node: Node, x: Int8Array, tensors: Mapping[str, Tensor]) -> Int8Array:
    """Every tap adds the centred map, times its weights, to the places a stride apart that it meets."""
    source, target, weights = tensors[node.inputs[0]], tensors[node.output], _weights(node)
    attributes = cast("ConvAttributes", node.attributes)
    kind = exact_type(weights.values, source.quant.zero_point)
    (height, width), (down, along), groups = attributes.kernel, attributes.strides, attributes.groups
    channels, rows, columns = source.shape
    centred = (x.astype(kind) - kind(source.quant.zero_point)).reshape(len(x), groups, channels // groups, -1)
    taps = weights.values.astype(kind).reshape(groups, -1, channels // groups, height, width)
    top, left = attributes.pads[:2]
    laid = (top + target.shape[1] + down + height, left + target.shape[2] + along + width)
    sums = np.zeros((len(x), target.shape[0], *laid), kind)
    for i, j in np.ndindex(height, width):
        product = (taps[..., i, j] @ centred).reshape(len(x), -1, rows, columns)
        part = sums[:, :, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * along + 1 : along]
        part += product[:, :, : part.shape[2], : part.shape[3]]
    kept = sums[:, :, top : top + target.shape[1], left : left + target.shape[2]].astype(np.int32)
    return _finished(kept, weights, source.quant, target.quant, node.clamp, (-1, 1, 1))


def _finished(
    sums: npt.NDArray[np.int32],
    weights: Weights,
    source: Quantization,
    target: Quantization,
    clamp: tuple[int, int],
    channels: tuple[int, ...],
) -> Int8Array:
    """Sums as bytes; ``channels`` is the shape in which values per channel stand against them."""
    if weights.real_bias is not None:
        factor = np.float32(source.scale) * weights.scales
        return arithmetic.requantize_real(
            sums, factor.reshape(channels), weights.real_bias.reshape(channels), target, clamp
        )
    factor = arithmetic.multiplier(source.scale, weights.scales, target.scale)
    return arithmetic.requantize(
        sums, weights.bias.reshape(channels), factor.reshape(channels), target.zero_point, clamp
    )


def _correlate(
    windows: npt.NDArray[np.floating], weights: npt.NDArray[np.floating], groups: int
) -> npt.NDArray[np.floating]:
    """(C, OH, OW, kh, kw) windows with (Cout, C / groups, kh, kw) weights -> (Cout, OH, OW)."""
    channels, rows, columns = windows.shape[:3]
    outputs = weights.shape[0]
    if weights.shape[1] == 1 and groups == channels:
        spread = np.repeat(windows, outputs // channels, axis=0) if outputs > channels else windows
        taps = np.ndindex(*weights.shape[2:])
        return cast(
            "npt.NDArray[np.floating]",
            sum(spread[..., i, j] * weights[:, 0, i, j, np.newaxis, np.newaxis] for i, j in taps),
        )
    matrix = windows.transpose(0, 3, 4, 1, 2).reshape(groups, -1, rows * columns)
    return (weights.reshape(groups, outputs // groups, -1) @ matrix).reshape(outputs, rows, columns)


def _pad_spatial(x: npt.NDArray[Number], pads: tuple[int, int, int, int], value: int) -> npt.NDArray[Number]:
    top, left, bottom, right = pads
    if not any(pads):
        return x
    spread = ((0, 0),) * (x.ndim - 2) + ((top, bottom), (left, right))
    return np.pad(x, spread, constant_values=value)


def _windows(x: npt.NDArray[Number], attributes: ConvAttributes) -> npt.NDArray[Number]:
    """Every window of the last two axes, as a view: (..., OH, OW, kh, kw)."""
    (kh, kw), (dh, dw), (sh, sw) = attributes.kernel, attributes.dilations, attributes.strides
    view = sliding_window_view(x, ((kh - 1) * dh + 1, (kw - 1) * dw + 1), axis=(-2, -1))
    return view[..., ::sh, ::sw, ::dh, ::dw]


def _gemm(node: Node, x: Int8Array, tensors: Mapping[str, Tensor]) -> Int8Array:
    source, target, weights = tensors[node.inputs[0]].quant, tensors[node.output].quant, _weights(node)
    kind = exact_type(weights.values, source.zero_point)
    sums = (x.astype(kind) - kind(source.zero_point)) @ weights.values.astype(kind).T
    return _finished(sums.astype(np.int32), weights, source, target, node.clamp, (-1,))


def _pool(node: Node, x: Int8Array, tensors: Mapping[str, Tensor]) -> Int8Array:
    source, output = tensors[node.inputs[0]].quant, tensors[node.output].quant
    if isinstance(node.attributes, RealAverageAttributes):
        return _real_average(node, node.attributes, x, output)
    if node.op is Op.GLOBAL_AVERAGE_POOL:
        return arithmetic.global_average(x, (2, 3), source, output, node.clamp)
    attributes = cast("ConvAttributes", node.attributes)
    if node.op is Op.MAX_POOL:
        windows = _windows(_pad_spatial(x, attributes.pads, -128), attributes)
        return np.clip(windows.max(axis=(-2, -1)), *node.clamp).astype(np.int8)
    centred = _pad_spatial(x.astype(np.int32) - source.zero_point, attributes.pads, 0)
    windows = _windows(centred, attributes)
    taps = (windows[..., i, j] for i, j in np.ndindex(*attributes.kernel))
    cells = window_cells(x.shape[2:], attributes)
    return arithmetic.average_of_taps(taps, cells, source, output, node.clamp)


def _real_average(node: Node, attributes: RealAverageAttributes, x: Int8Array, output: Quantization) -> Int8Array:
    window = attributes.window
    reals = _pad_spatial(attributes.reals[x.astype(np.int16) + arithmetic.UINT8_SHIFT], window.pads, 0)
    total = realsums.sum_of_reals(_windows(reals, window), attributes.order)
    return realsums.average_of_table(total, window_cells(x.shape[2:], window), output, node.clamp)


def window_cells(size: tuple[int, ...], attributes: ConvAttributes) -> npt.NDArray[np.int32]:
    """Divisor of each window of an average pool over a map of ``size`` (rows, columns): (OH, OW) int32."""
    inside = np.ones(size, np.int32)
    counted = _pad_spatial(inside, attributes.pads, int(attributes.count_include_pad))
    return cast("npt.NDArray[np.int32]", _windows(counted, attributes).sum(axis=(-2, -1), dtype=np.int32))


def _move(node: Node, inputs: list[Int8Array], tensors: Mapping[str, Tensor]) -> Int8Array:
    x, target = inputs[0], tensors[node.output]
    if node.op is Op.RESHAPE:
        return x.reshape(x.shape[0], *target.shape)
    attributes = cast("ShapeAttributes", node.attributes)
    if node.op is Op.CONCAT:
        return _concat(node, inputs, attributes.axis + 1, tensors)
    if node.op is Op.TRANSPOSE:
        return x.transpose(0, *(axis + 1 for axis in attributes.permutation))
    if node.op is Op.SLICE:
        return x[(slice(None), *_slices(attributes, target.shape))]
    if node.op is Op.PAD:
        fill = tensors[node.inputs[0]].quant.zero_point if attributes.fill is None else attributes.fill
        spread = zip(attributes.pads_before, attributes.pads_after, strict=True)
        return np.pad(x, ((0, 0), *spread), constant_values=fill)
    if node.op is Op.RESIZE_NEAREST:
        return x[:, :, list(attributes.rows)][:, :, :, list(attributes.columns)]
    raise InternalError(f"reference: no rule for {node.op} ({node.name})")


def _slices(attributes: ShapeAttributes, shape: tuple[int, ...]) -> tuple[slice, ...]:
    triples = zip(attributes.starts, attributes.steps, shape, strict=True)
    return tuple(slice(start, start + step * (size - 1) + 1, step) for start, step, size in triples)


def _concat(node: Node, inputs: list[Int8Array], axis: int, tensors: Mapping[str, Tensor]) -> Int8Array:
    output = tensors[node.output].quant
    parts = [
        part
        if tensors[name].quant == output
        else arithmetic.apply_table(arithmetic.lookup_table(Op.REQUANTIZE, None, tensors[name].quant, output), part)
        for part, name in zip(inputs, node.inputs, strict=True)
    ]
    return np.concatenate(parts, axis=axis)


def sample_bytes(tensor: Tensor) -> int:
    """Bytes of one sample of a tensor: one per element."""
    return prod(tensor.shape)


#: Operators with weights of their own.
_WEIGHTED: dict[Op, Callable[[Node, Int8Array, Mapping[str, Tensor]], Int8Array]] = {
    Op.CONV: _convolution,
    Op.CONV_TRANSPOSE: _transposed_convolution,
    Op.GEMM: _gemm,
    Op.REAL_GEMM: _gemm,
}

"""A direct evaluator of layers on dense maps, for comparison only: int64 sums tap by tap, no padding bytes, no tiles.

In: a `LayerGraph` and int8 tensors of the source, batch in front. Out: the int8 outputs in the source's layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.ir.layers import (
    Binary,
    Blend,
    Broadcast,
    Convolution,
    Copy,
    Elementwise,
    FeatureMap,
    Layer,
    LayerGraph,
    Lookup,
    Normalization,
    Pooling,
    PoolKind,
    Product,
    Resize,
    Segment,
    Window,
)

Arrays = dict[str, np.ndarray]


def run_layers(layers: LayerGraph, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Evaluate every layer; one array per output in order, (batch, *source_shape)."""
    values: Arrays = {}
    for segment in layers.segments:
        for name in segment.inputs:
            values.setdefault(name, to_map(inputs[name], segment.maps[name]))
        for layer in segment.layers:
            found = run_layer(layer, values, segment)
            target = segment.maps[layer.output]
            assert found.shape[1:] == (target.rows, target.columns, target.channels), (layer.name, found.shape)
            assert layer.output not in values, f"{layer.output} is written twice"
            values[layer.output] = found.astype(np.int8)
    maps = {name: found for segment in layers.segments for name, found in segment.maps.items()}
    return [from_map(values[name], maps[name]) for name in layers.outputs]


def to_map(tensor: np.ndarray, target: FeatureMap) -> np.ndarray:
    """Transpose the per-sample axes by ``source_axes``, then view as rows, columns, channels."""
    moved = tensor.transpose(0, *(axis + 1 for axis in target.source_axes))
    return moved.reshape(len(tensor), target.rows, target.columns, target.channels)


def from_map(values: np.ndarray, source: FeatureMap) -> np.ndarray:
    """The inverse of `to_map`."""
    stored = values.reshape(len(values), *(source.source_shape[axis] for axis in source.source_axes))
    inverse = np.argsort(source.source_axes)
    return stored.transpose(0, *(int(axis) + 1 for axis in inverse))


def run_layer(layer: Layer, values: Arrays, segment: Segment) -> np.ndarray:
    """One layer on (batch, rows, columns, channels) arrays."""
    kernel = layer.kernel
    if isinstance(kernel, Copy):
        return _copy(kernel, values, segment.maps[layer.output])
    x, source, target = values[layer.inputs[0]], segment.maps[layer.inputs[0]], segment.maps[layer.output]
    match kernel:
        case Convolution():
            found = _looked_up(_convolve(kernel, x, source), kernel.lookup)
            return found if kernel.binary is None else _combine(kernel.binary, found, values)
        case Pooling():
            return _looked_up(_pool(kernel, x, source, target), kernel.lookup)
        case Elementwise():
            return _combine(kernel.binary, x, values)
        case Lookup():
            return _looked_up(x, kernel.table)
        case Blend():
            return _looked_up(_blend(kernel, x, source, target), kernel.lookup)
        case Resize():
            return _looked_up(x[:, list(kernel.rows)][:, :, list(kernel.columns)], kernel.lookup)
        case Normalization() | Product():
            raise NotImplementedError(f"{layer.name}: rows and products are held to onnxruntime in tests/endtoend")


def _blend(kernel: Blend, x: np.ndarray, source: FeatureMap, target: FeatureMap) -> np.ndarray:
    """Every result's own four neighbours, walked one by one."""
    real = (x.astype(np.float32) - np.float32(source.quant.zero_point)) * np.float32(source.quant.scale)
    result = np.empty((len(x), len(kernel.rows.near), len(kernel.columns.near), x.shape[3]), np.float32)
    for r, c in np.ndindex(result.shape[1:3]):
        sides = [
            [(axis.near[at], np.float32(axis.near_weights[at])), (axis.far[at], np.float32(axis.far_weights[at]))]
            for axis, at in ((kernel.rows, r), (kernel.columns, c))
        ]
        taps = [(above * beside) * real[:, row, column] for row, above in sides[0] for column, beside in sides[1]]
        result[:, r, c] = ((taps[0] + taps[1]) + taps[2]) + taps[3]
    rounded = np.rint(result / np.float32(target.quant.scale)) + target.quant.zero_point
    return np.clip(rounded, *kernel.clamp).astype(np.int8)


def _looked_up(x: np.ndarray, table: np.ndarray | None) -> np.ndarray:
    return x if table is None else table[x.astype(np.int64) + 128]


def _taps(x: np.ndarray, window: Window, fill: int) -> np.ndarray:
    """(kh, kw, batch, rows, columns, channels): every window cell of every output pixel."""
    top, left, bottom, right = window.pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.strides, window.dilations
    rows = (padded.shape[1] - (kh - 1) * dh - 1) // sh + 1
    columns = (padded.shape[2] - (kw - 1) * dw - 1) // sw + 1
    return np.stack(
        [
            np.stack(
                [
                    padded[:, i * dh : i * dh + (rows - 1) * sh + 1 : sh, j * dw : j * dw + (columns - 1) * sw + 1 : sw]
                    for j in range(kw)
                ]
            )
            for i in range(kh)
        ]
    )


def _convolve(kernel: Convolution, x: np.ndarray, source: FeatureMap) -> np.ndarray:
    taps = _taps(x.astype(np.int64) - source.quant.zero_point, kernel.window, 0)
    outputs, depth = kernel.weights.shape[0], kernel.weights.shape[3]
    share = outputs // kernel.groups
    sums = [
        np.einsum(
            "ijnrck,oijk->nrco",
            taps[..., group * depth : (group + 1) * depth],
            kernel.weights[group * share : (group + 1) * share].astype(np.int64),
        )
        for group in range(kernel.groups)
    ]
    total = np.concatenate(sums, axis=-1).astype(np.int32)
    if kernel.real_bias is not None:
        return arithmetic.requantize_real(
            total, kernel.multipliers, kernel.real_bias, kernel.intermediate, kernel.clamp
        )
    return arithmetic.requantize(total, kernel.bias, kernel.multipliers, kernel.intermediate.zero_point, kernel.clamp)


def _combine(binary: Binary, x: np.ndarray, values: Arrays) -> np.ndarray:
    other = binary.values if binary.operand is None else values[binary.operand]
    assert other is not None
    spread = {Broadcast.NONE: x.shape[1:], Broadcast.CHANNEL: (1, 1, x.shape[3]), Broadcast.SCALAR: (1, 1, 1)}
    assert other.shape[-3:] == spread[binary.broadcast]
    left, right = (other, x) if binary.swapped else (x, other)
    found = arithmetic.binary(binary.op, left, right, binary.left, binary.right, binary.output, binary.clamp)
    return _looked_up(found, binary.lookup)


def _pool(kernel: Pooling, x: np.ndarray, source: FeatureMap, target: FeatureMap) -> np.ndarray:
    if kernel.kind is PoolKind.MAX:
        return _taps(x, kernel.window, -128).max(axis=(0, 1)).clip(*kernel.clamp).astype(np.int8)
    if kernel.is_global:
        return arithmetic.global_average(x, (1, 2), source.quant, target.quant, kernel.clamp)
    windows = _taps(x.astype(np.int32) - source.quant.zero_point, kernel.window, 0)
    taps = windows.reshape(-1, *windows.shape[2:])
    cells = _taps(np.ones_like(x[:1, :, :, :1]), kernel.window, int(kernel.count_include_pad)).sum(axis=(0, 1))
    return arithmetic.average_of_taps(taps, cells.astype(np.int32), source.quant, target.quant, kernel.clamp)


def _copy(kernel: Copy, values: Arrays, target: FeatureMap) -> np.ndarray:
    batch = len(values[kernel.moves[0].source])
    result = np.full((batch, target.elements), 0 if kernel.fill is None else kernel.fill, np.int8)
    written = np.full(target.elements, kernel.fill is not None)
    taken = np.zeros(target.elements, bool)
    for move in kernel.moves:
        index = np.indices(move.sizes).reshape(len(move.sizes), prod(move.sizes))
        read = move.source_offset + np.asarray(move.source_strides, np.int64) @ index
        write = move.target_offset + np.asarray(move.target_strides, np.int64) @ index
        if not move.sizes:
            read, write = np.array([move.source_offset]), np.array([move.target_offset])
        assert not taken[write].any(), "moves overlap"
        assert len(set(write.tolist())) == len(write), "a move writes an element twice"
        taken[write] = written[write] = True
        result[:, write] = _looked_up(values[move.source].reshape(batch, -1)[:, read], move.lookup)
    assert written.all(), "a copy leaves elements unwritten"
    return result.reshape(batch, target.rows, target.columns, target.channels)

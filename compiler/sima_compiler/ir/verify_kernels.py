"""The rules of one layer: its kernel against the maps that it reads and writes.

In: a layer and the maps of its segment. Out: nothing, or an `InternalError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import assert_never

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.layers import (
    Binary,
    Blend,
    Broadcast,
    Convolution,
    Copy,
    Elementwise,
    FeatureMap,
    Layer,
    Lookup,
    Move,
    Normalization,
    Pooling,
    PoolKind,
    Product,
    Resize,
    RowKind,
    Window,
)
from sima_compiler.ir.promises import Promises
from sima_compiler.ir.verify_nodes import check_neighbours, window_size
from sima_compiler.ir.verify_overlaps import Reach, Walk, overlap

Maps = Mapping[str, FeatureMap]
Sizes = tuple[int, int, int]

#: What the copy engine walks.
MAX_DIMENSIONS = 6


def check_layer(layer: Layer, maps: Maps, promises: Promises) -> None:
    """Kernel, operands and result of one layer; the result must have exactly the size that the kernel computes."""
    kernel, source, target = layer.kernel, maps[layer.inputs[0]], maps[layer.output]
    match kernel:
        case Convolution():
            _check_convolution(kernel, source, target, promises)
            _check_binary(kernel.binary, layer, _sizes(target), maps, promises)
        case Pooling():
            promises.clamp(kernel.clamp)
            _check_table(kernel.lookup, promises)
            expected = (*_window_sizes(kernel.window, source), source.channels)
            promises.equal("result", _sizes(target), expected)
            promises.equal("a table of reals", kernel.reals is not None, kernel.kind.order is not None)
            if kernel.is_global or (not kernel.kind.in_parts and kernel.kind is not PoolKind.REAL_COLUMNS):
                promises.equal("global window", kernel.window.kernel, (source.rows, source.columns))
        case Elementwise():
            promises.equal("result", _sizes(target), _sizes(source))
            _check_binary(kernel.binary, layer, _sizes(target), maps, promises)
        case Lookup():
            promises.equal("result", _sizes(target), _sizes(source))
            _check_table(kernel.table, promises)
        case Copy():
            _check_copy(kernel, layer, maps, promises)
        case Resize():
            _check_table(kernel.lookup, promises)
            promises.equal("result", _sizes(target), (len(kernel.rows), len(kernel.columns), source.channels))
            for what, table, size in (("rows", kernel.rows, source.rows), ("columns", kernel.columns, source.columns)):
                promises.require(all(0 <= index < size for index in table), f"{what} reach outside the input")
        case Product():
            _check_product(kernel, layer, maps, promises)
        case Blend():
            promises.clamp(kernel.clamp)
            _check_table(kernel.lookup, promises)
            check_neighbours(kernel.rows, kernel.columns, (source.rows, source.columns), promises)
            sizes = (len(kernel.rows.near), len(kernel.columns.near), source.channels)
            promises.equal("result", _sizes(target), sizes)
        case Normalization():
            _check_normalization(kernel, source, target, promises)
        case _:
            assert_never(kernel)


def _check_product(kernel: Product, layer: Layer, maps: Maps, promises: Promises) -> None:
    promises.clamp(kernel.clamp)
    _check_table(kernel.lookup, promises)
    promises.equal("operands", len(layer.inputs), 2)
    left, right, target = maps[layer.inputs[0]], maps[layer.inputs[1]], maps[layer.output]
    promises.equal("rows of the second map", right.rows, left.rows)
    promises.equal("channels of the second map", right.channels, left.channels)
    promises.equal("result", _sizes(target), (left.rows, left.columns, right.columns))
    promises.require(0 < kernel.multiplier < float("inf"), f"multiplier {kernel.multiplier} is not positive")
    if kernel.lookup is None:
        promises.equal("quantization of the result", target.quant, kernel.intermediate)


def _check_normalization(kernel: Normalization, source: FeatureMap, target: FeatureMap, promises: Promises) -> None:
    promises.clamp(kernel.clamp)
    promises.equal("channels", source.channels, kernel.channels)
    counts = kernel.kind.counts
    channels = 1 if kernel.kind.reduces else source.channels
    promises.equal("result", _sizes(target), (source.rows, source.columns, channels))
    promises.require(not counts or source.channels <= 256, f"a byte cannot count {source.channels} channels")
    responds = kernel.kind is RowKind.RESPONSE
    promises.require((kernel.response is not None) == responds, "a local response missing or misplaced")
    promises.require(kernel.response is None or kernel.response.size > 0, "a local response of no neighbours")
    promises.require((kernel.exponentials is not None) == kernel.kind.exponential, "exponentials missing or misplaced")
    shape = (source.rows, source.columns) if kernel.per_pixel else (source.channels,)
    promises.require(kernel.epsilon >= 0, f"epsilon {kernel.epsilon} is negative")
    for what, found, wanted in (
        ("exponentials", kernel.exponentials, (256,)),
        ("gains", kernel.gains, shape),
        ("offsets", kernel.offsets, shape),
    ):
        if found is not None:
            promises.equal(what, (found.dtype, found.shape), (np.dtype(np.float32), wanted))


def _sizes(found: FeatureMap) -> Sizes:
    return found.rows, found.columns, found.channels


def _window_sizes(window: Window, source: FeatureMap) -> tuple[int, int]:
    top, left, bottom, right = window.pads
    rows, columns = (
        window_size(size, pads, window.kernel[axis], window.strides[axis], window.dilations[axis])
        for axis, (size, pads) in enumerate(((source.rows, top + bottom), (source.columns, left + right)))
    )
    return rows, columns


def _check_table(table: npt.NDArray[np.int8] | None, promises: Promises) -> None:
    if table is not None:
        promises.equal("lookup", (table.dtype, table.shape), (np.dtype(np.int8), (256,)))


def _check_convolution(kernel: Convolution, source: FeatureMap, target: FeatureMap, promises: Promises) -> None:
    outputs, groups = target.channels, kernel.groups
    promises.clamp(kernel.clamp)
    _check_table(kernel.lookup, promises)
    divides = groups >= 1 and source.channels % groups == outputs % groups == 0
    promises.require(divides, f"{groups} groups do not divide")
    promises.equal("weights", kernel.weights.shape, (outputs, *kernel.window.kernel, source.channels // groups))
    promises.require(kernel.weights.dtype == np.int8, f"weights are {kernel.weights.dtype}")
    promises.equal("bias", (kernel.bias.dtype, kernel.bias.shape), (np.dtype(np.int32), (outputs,)))
    if kernel.real_bias is not None:
        real = kernel.real_bias
        promises.equal("real bias", (real.dtype, real.shape), (np.dtype(np.float32), (outputs,)))
        promises.require(not kernel.bias.any(), "a bias beside a real bias")
    factors = kernel.multipliers
    promises.equal("multipliers", (factors.dtype, factors.shape), (np.dtype(np.float32), (outputs,)))
    promises.require(bool((factors > 0).all()), "a multiplier is not positive")
    promises.equal("result", (target.rows, target.columns), _window_sizes(kernel.window, source))
    if kernel.binary is None and kernel.lookup is None:
        promises.equal("quantization of the result", target.quant, kernel.intermediate)


def _check_binary(binary: Binary | None, layer: Layer, flight: Sizes, maps: Maps, promises: Promises) -> None:
    if binary is None:
        promises.equal("operands", len(layer.inputs), 1)
        return
    promises.clamp(binary.clamp)
    _check_table(binary.lookup, promises)
    if binary.lookup is None:
        promises.equal("quantization of the result", maps[layer.output].quant, binary.output)
    promises.require((binary.operand is None) != (binary.values is None), "a map or values, and never both")
    promises.equal("operands", layer.inputs[1:], () if binary.operand is None else (binary.operand,))
    shapes = {Broadcast.NONE: flight, Broadcast.CHANNEL: (1, 1, flight[2]), Broadcast.SCALAR: (1, 1, 1)}
    if binary.values is not None:
        promises.require(binary.values.dtype == np.int8, f"constant is {binary.values.dtype}")
        promises.equal("second operand", binary.values.shape, shapes[binary.broadcast])
        return
    operand = maps[layer.inputs[1]]
    promises.equal("second operand", _sizes(operand), shapes[binary.broadcast])
    promises.equal("its quantization", operand.quant, binary.left if binary.swapped else binary.right)


def _check_copy(kernel: Copy, layer: Layer, maps: Maps, promises: Promises) -> None:
    target = maps[layer.output]
    promises.require(bool(kernel.moves), "a copy of nothing")
    promises.equal("operands", set(layer.inputs), {move.source for move in kernel.moves})
    promises.require(kernel.fill is None or -128 <= kernel.fill <= 127, f"fill {kernel.fill} is no int8")
    written: list[Reach] = []
    for number, move in enumerate(kernel.moves):
        here = promises.at(f"{promises.where}: move {number}")
        _check_move(move, here)
        source = maps[move.source]
        _check_reach(_reach(move.source_offset, move.sizes, move.source_strides, source), source, here)
        reach = _reach(move.target_offset, move.sizes, move.target_strides, target)
        _check_reach(reach, target, here)
        written.append(reach)
        here.require(prod(walk.distinct for walk in reach) == prod(move.sizes), "writes an element twice")
    promises.require(not overlap(written), "moves overlap")
    covered = sum(prod(move.sizes) for move in kernel.moves)
    promises.require(kernel.fill is not None or covered == target.elements, "elements are left unwritten")


def _check_move(move: Move, promises: Promises) -> None:
    promises.require(len(move.sizes) <= MAX_DIMENSIONS, f"{len(move.sizes)} dimensions, at most {MAX_DIMENSIONS}")
    promises.equal("strides", (len(move.source_strides), len(move.target_strides)), (len(move.sizes),) * 2)
    promises.require(all(size > 1 for size in move.sizes), f"sizes {move.sizes} hold a dimension of one step")
    numbers = (move.source_offset, move.target_offset, *move.source_strides, *move.target_strides)
    promises.require(min(numbers) >= 0, "a negative offset or stride")
    _check_table(move.lookup, promises)


def _reach(offset: int, sizes: tuple[int, ...], strides: tuple[int, ...], found: FeatureMap) -> Reach:
    """The rows, columns and channels that a move touches: every dimension walks one of them."""
    units = (found.columns * found.channels, found.channels, 1)
    starts = offset // units[0], offset // units[1] % found.columns, offset % units[1]
    steps: tuple[list[tuple[int, int]], ...] = ([], [], [])
    for size, stride in zip(sizes, strides, strict=True):
        walks = [axis for axis in (0, 1) if _sizes(found)[axis] > 1 and stride % units[axis] == 0]
        axis = walks[0] if walks else 2
        steps[axis].append((stride // units[axis], size))
    rows, columns, channels = (Walk(start, tuple(along)) for start, along in zip(starts, steps, strict=True))
    return rows, columns, channels


def _check_reach(reach: Reach, found: FeatureMap, promises: Promises) -> None:
    for what, walk, size in zip(("rows", "columns", "channels"), reach, _sizes(found), strict=True):
        promises.require(walk.last < size, f"goes to {walk.last} of {size} {what} of {found.name}")

"""Gather with constant indices, Tile, Expand, SpaceToDepth and DepthToSpace: values picked and put elsewhere.

In: nodes on bytes or on real values. Out: slices, tables of rows and columns, joined runs, or a transposition between
two reshapes. Always: the batch stays where it is, and every result holds values of its input only.

::

    before: Gather of channels [2, 1, 0, 5, 6, 7]      after: Concat of Slice 2, Slice 1, Slice 0, Slice 5 to 7
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from sima_compiler.frontend import rules
from sima_compiler.frontend.functions import real_constant
from sima_compiler.frontend.moves import move, source_of
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Activation, Constant, Pending, QuantizedConstant, Value
from sima_compiler.ir.graph import Op, ShapeAttributes

Run = tuple[int, int, int]  # first index, step, count


def convert_gather(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Gather along one axis behind the batch; one index drops the axis, a table of indices makes several of it."""
    shape, indices = reader.shape(node), _indices(node, reader)
    axis = reader.axis(node, node.integer("axis", 0), len(shape) + 1)
    if not all(-shape[axis] <= index < shape[axis] for index in indices.reshape(-1)):
        raise node.invalid(f"indices reach outside axis {axis + 1} of length {shape[axis]}")
    places = tuple(int(index) % shape[axis] for index in indices.reshape(-1))
    picked = picked_along(node, reader, source_of(node, reader), axis, places)
    if indices.ndim == 1:
        return [picked]
    target = (*shape[:axis], *indices.shape, *shape[axis + 1 :])
    reader.reshapes[node.outputs[0]] = target
    return [move(node, reader, Op.RESHAPE, target, source=picked, suffix="shaped")]


def _indices(node: SourceNode, reader: Reader) -> np.ndarray:
    constant = reader.constant(node, 1)
    rules.GATHER_CONSTANT.check(node, "it picks nothing", constant.size > 0)
    return constant


def convert_tile(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Tile: every axis behind the batch so many times."""
    shape, repeats = reader.shape(node), list(reader.integers(node, 1, "repeats") or ())
    if len(repeats) != len(shape) + 1 or min(repeats) < 1:
        raise node.invalid(f"repeats {repeats}: expected one positive number for each of {len(shape) + 1} axes")
    rules.BATCH_FIRST.check(node, f"it repeats the batch {repeats[0]} times", repeats[0] == 1)
    value: Value = source_of(node, reader)
    for axis, count in enumerate(repeats[1:]):
        value = picked_along(node, reader, value, axis, tuple(range(shape[axis])) * count)
    return [value]


def convert_expand(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Expand: axes of length 1 to any length; of a constant, to one sample of it."""
    constant = reader.value(node, 0)
    if isinstance(constant, Constant | QuantizedConstant):
        return [_expanded_constant(node, reader, constant)]
    shape = reader.shape(node)
    given = list(reader.sizes(node, 1))
    if len(given) > len(shape) + 1:
        raise node.unsupported(f"it adds axes in front of {len(shape) + 1}", rule=rules.BATCH_FIRST.sentence)
    first, *wanted = [1] * (len(shape) + 1 - len(given)) + given
    rules.BATCH_FIRST.check(node, f"it expands the batch to {first}", first in (None, 1, reader.batch or 1))
    value: Value = source_of(node, reader)
    for axis, (size, length) in enumerate(zip(shape, wanted, strict=True)):
        if length not in (1, size, None) and size != 1:
            raise node.invalid(f"axis {axis + 1} of length {size} cannot become {length}")
        value = picked_along(node, reader, value, axis, (0,) * length) if length and size == 1 else value
    return [value]


def _expanded_constant(node: SourceNode, reader: Reader, constant: Constant | QuantizedConstant) -> Constant:
    """A constant that Expand repeats for every sample: what one of them has."""
    sizes = reader.sizes(node, 1)
    whole = sizes[:1] == (None,)
    rules.BATCH_FIRST.check(node, f"it expands a constant to {sizes}", whole and None not in sizes[1:])
    try:
        real = real_constant(constant)
        return Constant(np.broadcast_to(real, np.broadcast_shapes(real.shape, (1, *(size or 1 for size in sizes[1:])))))
    except ValueError as error:
        raise node.invalid(f"a constant does not expand to {sizes}") from error


def picked_along(node: SourceNode, reader: Reader, value: Value, axis: int, places: tuple[int, ...]) -> Value:
    """The value's ``places`` along one per-sample axis, in that order, each as often as it is named."""
    source = source_of(node, reader, value)
    shape = (*source.shape[:axis], len(places), *source.shape[axis + 1 :])
    runs = _runs(places)
    if places == tuple(range(source.shape[axis])):
        return source
    if len(runs) == 1 and runs[0][1] > 0:
        return _sliced(node, reader, source, axis, runs[0], f"axis_{axis}")
    if len(source.shape) == 3 and axis > 0:
        tables = [tuple(range(size)) for size in source.shape[1:]]
        tables[axis - 1] = places
        attributes = ShapeAttributes(rows=tables[0], columns=tables[1])
        return move(node, reader, Op.RESIZE_NEAREST, shape, attributes, source=source, suffix=f"axis_{axis}")
    parts = [_sliced(node, reader, source, axis, run, f"run_{axis}_{number}") for number, run in enumerate(runs)]
    return _concatenated(node, reader, parts, shape, axis)


def _runs(places: tuple[int, ...]) -> list[Run]:
    """The places as runs of one positive step, each as long as possible."""
    runs: list[Run] = []
    for place in places:
        if runs:
            first, step, count = runs[-1]
            if (count == 1 and place > first) or (count > 1 and place == first + step * count):
                runs[-1] = (first, place - first if count == 1 else step, count + 1)
                continue
        runs.append((place, 1, 1))
    return runs


def _sliced(node: SourceNode, reader: Reader, source: Value, axis: int, run: Run, suffix: str) -> Value:
    shape = source_of(node, reader, source).shape
    first, step, count = run
    starts = tuple(first if place == axis else 0 for place in range(len(shape)))
    steps = tuple(step if place == axis else 1 for place in range(len(shape)))
    size = tuple(count if place == axis else length for place, length in enumerate(shape))
    return move(node, reader, Op.SLICE, size, ShapeAttributes(starts=starts, steps=steps), source=source, suffix=suffix)


def _concatenated(node: SourceNode, reader: Reader, parts: list[Value], shape: tuple[int, ...], axis: int) -> Value:
    sources = tuple(source_of(node, reader, part) for part in parts)
    pending = Pending(Op.CONCAT, node.name, sources, shape, ShapeAttributes(axis=axis), name=node.outputs[0])
    first = sources[0]
    if isinstance(first, Activation) and first.integer:
        return reader.builder.quantized(pending, reader.builder.quant(first), node.outputs[0], node)
    return pending


def convert_space_to_depth(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """SpaceToDepth: the places of a block become channels, block row first."""
    (channels, rows, columns), block = _image(node, reader), node.integer("blocksize", 0)
    if block < 1 or rows % block or columns % block:
        raise node.invalid(f"blocks of {block} do not divide a map of {rows} x {columns}")
    split = (channels, rows // block, block, columns // block, block)
    result = (channels * block * block, rows // block, columns // block)
    return [_rearranged(node, reader, split, (2, 4, 0, 1, 3), result)]


def convert_depth_to_space(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """DepthToSpace in both modes: the block's places stand before the channels (DCR) or behind them (CRD)."""
    (channels, rows, columns), block = _image(node, reader), node.integer("blocksize", 0)
    mode = node.text("mode", "DCR")
    if block < 1 or channels % (block * block) or mode not in ("DCR", "CRD"):
        raise node.invalid(f"blocks of {block} x {block} in mode {mode} do not divide {channels} channels")
    left = channels // (block * block)
    split = (block, block, left, rows, columns) if mode == "DCR" else (left, block, block, rows, columns)
    order = (2, 3, 0, 4, 1) if mode == "DCR" else (0, 3, 1, 4, 2)
    return [_rearranged(node, reader, split, order, (left, rows * block, columns * block))]


def _image(node: SourceNode, reader: Reader) -> tuple[int, int, int]:
    shape = reader.shape(node)
    rules.IMAGE_RANK.check(node, f"its input has {len(shape) + 1} dimensions", shape)
    return (shape[0], shape[1], shape[2])


def _rearranged(
    node: SourceNode, reader: Reader, split: tuple[int, ...], order: tuple[int, ...], result: tuple[int, ...]
) -> Value:
    value = move(node, reader, Op.RESHAPE, split, suffix="split")
    turned = tuple(split[axis] for axis in order)
    value = move(node, reader, Op.TRANSPOSE, turned, ShapeAttributes(permutation=order), source=value, suffix="turned")
    assert prod(turned) == prod(result), "a rearrangement keeps every value"
    return move(node, reader, Op.RESHAPE, result, source=value)

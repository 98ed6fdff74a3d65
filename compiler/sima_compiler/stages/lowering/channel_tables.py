"""Functions of a byte that differ from channel to channel, such as a batch normalization.

In: a step of Op.TABLE with a table for each place along one axis. Out: a depthwise `Convolution` where the tables are
those of lines, or of lines below zero and the input above it, else one `Copy` layer whose moves look up on the way.
Always: places with one table at equal distances share a move.

::

    before: BatchNormalization, or Mul and Add with a value per channel      after: batch_normalization
    before: PRelu with a real slope per channel                              after: depthwise, then the larger of both
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from sima_compiler import arithmetic
from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import Float32Array, Int8Array, Quantization, TableAttributes
from sima_compiler.ir.layers import Binary, BinaryOp, Broadcast, Convolution, Copy
from sima_compiler.stages.lowering.builder import Builder, Draft, canonical
from sima_compiler.stages.lowering.byte_functions import Step
from sima_compiler.stages.lowering.convolutions import POINT
from sima_compiler.stages.lowering.copies import Piece, copy_into, make_canonical
from sima_compiler.stages.lowering.feature_maps import new_map, view_of_map
from sima_compiler.stages.lowering.views import View, merged, sliced, storage_axes, with_lookup


def lower_tables(builder: Builder, step: Step) -> None:
    """Every run of places with one table to the same place of the result, through that table."""
    attributes = step.node.attributes
    if not isinstance(attributes, TableAttributes):
        raise InternalError(f"legalize: {step.node.name} has no tables")
    convolution = _as_convolution(builder, step, attributes)
    if convolution is not None:
        _convolve(builder, step, attributes, convolution)
        return
    tensor, source = builder.tensor(step.output), _view_by_channels(builder, step, attributes.axis)
    order = storage_axes(source) if len(tensor.shape) != 3 else None
    result = new_map(tensor, order)
    whole = view_of_map(result)
    pieces: list[Piece] = []
    for first, stride, count in _runs(attributes.tables):
        starts = tuple(first if axis == attributes.axis else 0 for axis in range(len(tensor.shape)))
        steps = tuple(stride if axis == attributes.axis else 1 for axis in range(len(tensor.shape)))
        shape = tuple(count if axis == attributes.axis else size for axis, size in enumerate(tensor.shape))
        part, target = sliced(source, starts, steps, shape), sliced(whole, starts, steps, shape)
        if part is None or target is None:
            raise InternalError(f"legalize: {step.node.name} has no view of its places")
        pieces.append((with_lookup(part, attributes.tables[first]), target))
    draft = Draft(attributes.steps[-1], Copy(()), (), result.name, attributes.steps, source.sources + step.sources)
    copy_into(builder, pieces, result, draft)
    builder.views[step.output] = whole


def _as_convolution(builder: Builder, step: Step, attributes: TableAttributes) -> Convolution | None:
    """One multiply-accumulate per value where every channel of an image is a line: weight 1 or -1, a real bias. Where
    it is one below zero and the input itself above (PRelu), the input is met on the way out: the larger one where
    slopes are at most 1, the smaller one where they are at least 1.

    None where for any byte of any channel this gives another result than its table.
    """
    if not _may_be_channels(builder, step, attributes):
        return None
    source, target = builder.tensor(step.inputs[0]).quant, builder.tensor(step.output).quant
    straight = _line(attributes.line, target)
    if straight is not None and np.array_equal(_results(straight, source), attributes.tables):
        return straight
    bent = _line(attributes.below, target)
    if bent is None:
        return None
    found = _results(bent, source)
    for op in (BinaryOp.MAX, BinaryOp.MIN):
        met = arithmetic.binary(op, found, arithmetic.ALL_BYTES, target, source, target)
        if np.array_equal(met, attributes.tables):
            itself = Binary(op, step.inputs[0], None, Broadcast.NONE, target, source, target)
            return replace(bent, binary=itself)
    return None


#: Moves that cost more than a copy to channels and one back: each starts anew, some 30 cycles, for a place or few.
MANY_MOVES = 16


def _may_be_channels(builder: Builder, step: Step, attributes: TableAttributes) -> bool:
    """Whether the places are channels, or worth a copy there: the first axis of an image, elsewhere the last one."""
    rank = len(builder.tensor(step.output).shape)
    if rank == 3:
        return attributes.axis == 0
    many = sum(1 for _ in islice(_runs(attributes.tables), MANY_MOVES + 1)) > MANY_MOVES
    return attributes.axis == rank - 1 and (many or canonical(builder, step.inputs[0]))


def _line(line: tuple[Float32Array, Float32Array] | None, target: Quantization) -> Convolution | None:
    """A multiply-accumulate per channel that goes along its line, as float32 has it."""
    if line is None:
        return None
    slopes, offsets = line
    signs = np.sign(slopes).astype(np.int8)
    return Convolution(
        window=POINT,
        groups=len(signs),
        weights=signs.reshape(-1, 1, 1, 1),
        bias=np.zeros(len(signs), np.int32),
        multipliers=np.where(slopes == 0, np.float32(1), np.abs(slopes)).astype(np.float32),
        intermediate=target,
        real_bias=offsets,
    )


def _results(kernel: Convolution, source: Quantization) -> Int8Array:
    """What the kernel's sums become, for every channel and byte."""
    weights = kernel.weights.astype(np.int32).reshape(-1, 1)
    sums = (arithmetic.ALL_BYTES.astype(np.int32) - source.zero_point) * weights
    offsets = np.zeros(1, np.float32) if kernel.real_bias is None else kernel.real_bias
    factors = kernel.multipliers.reshape(-1, 1)
    return arithmetic.requantize_real(sums, factors, offsets.reshape(-1, 1), kernel.intermediate)


def _convolve(builder: Builder, step: Step, attributes: TableAttributes, kernel: Convolution) -> None:
    source = make_canonical(builder, step.inputs[0])
    inputs = (source,)
    if kernel.binary is not None:
        inputs = (source, source)
        kernel = replace(kernel, binary=replace(kernel.binary, operand=source))
    draft = Draft("depthwise_conv2d", kernel, inputs, step.output, attributes.steps, step.sources)
    builder.produce(step, draft, new_map(builder.tensor(step.output)))


def _view_by_channels(builder: Builder, step: Step, axis: int) -> View:
    """A view of the input that can be cut at any place of the axis."""
    name = step.inputs[0]
    if len(merged(builder.view(name).axes[axis])) > 1:
        make_canonical(builder, name)
    return builder.view(name)


def _runs(tables: Int8Array) -> Iterator[tuple[int, int, int]]:
    """(first, step, count) of places with equal tables at equal distances, in the order of their firsts."""
    _, kinds = np.unique(tables, axis=0, return_inverse=True)
    kinds = kinds.reshape(-1)
    ordered = np.argsort(kinds, kind="stable")
    places = np.split(ordered, np.flatnonzero(np.diff(kinds[ordered])) + 1)
    yield from sorted(run for group in places for run in _progressions(group))


def _progressions(places: npt.NDArray[np.intp]) -> Iterator[tuple[int, int, int]]:
    """Rising numbers as runs at equal distances, from the front."""
    start = 0
    while start < len(places):
        steps = np.diff(places[start:])
        same = int(np.argmax(steps != steps[0])) if (steps != steps[:1]).any() else len(steps)
        yield int(places[start]), int(steps[0]) if same else 1, same + 1
        start += same + 1

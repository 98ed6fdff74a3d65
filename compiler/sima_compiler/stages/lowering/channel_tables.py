"""Functions of a byte that differ from channel to channel, such as a batch normalization.

In: a step of Op.TABLE with a table for each place along one axis. Out: a depthwise `Convolution` where the tables are
those of lines, else one `Copy` layer whose moves look up on the way. Always: neighbours with one table share a move.

::

    before: BatchNormalization, or Mul and Add with a value per channel      after: batch_normalization
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import TableAttributes
from sima_compiler.ir.layers import Convolution, Copy
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.byte_functions import Step
from sima_compiler.stages.lowering.convolutions import POINT
from sima_compiler.stages.lowering.copies import Piece, box, copy_into, make_canonical
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
    for first, count in _runs(attributes):
        starts = tuple(first if axis == attributes.axis else 0 for axis in range(len(tensor.shape)))
        shape = tuple(count if axis == attributes.axis else size for axis, size in enumerate(tensor.shape))
        part = sliced(source, starts, (1,) * len(starts), shape)
        if part is None:
            raise InternalError(f"legalize: {step.node.name} has no view of its channels")
        pieces.append((with_lookup(part, attributes.tables[first]), box(whole, starts, shape)))
    draft = Draft(attributes.steps[-1], Copy(()), (), result.name, attributes.steps, source.sources + step.sources)
    copy_into(builder, pieces, result, draft)
    builder.views[step.output] = whole


def _as_convolution(builder: Builder, step: Step, attributes: TableAttributes) -> Convolution | None:
    """One multiply-accumulate per value where every channel of an image is a line: weight 1 or -1, a real bias.

    None where for any byte of any channel the line gives another result than its table.
    """
    source, target = builder.tensor(step.inputs[0]).quant, builder.tensor(step.output).quant
    if attributes.line is None or attributes.axis != 0 or len(builder.tensor(step.output).shape) != 3:
        return None
    slopes, offsets = attributes.line
    factors = np.where(slopes == 0, np.float32(1), np.abs(slopes)).astype(np.float32)
    signs = np.sign(slopes).astype(np.int8)
    sums = (arithmetic.ALL_BYTES.astype(np.int32) - source.zero_point) * signs.astype(np.int32).reshape(-1, 1)
    found = arithmetic.requantize_real(sums, factors.reshape(-1, 1), offsets.reshape(-1, 1), target)
    if not np.array_equal(found, attributes.tables):
        return None
    return Convolution(
        window=POINT,
        groups=len(signs),
        weights=signs.reshape(-1, 1, 1, 1),
        bias=np.zeros(len(signs), np.int32),
        multipliers=factors,
        intermediate=target,
        real_bias=offsets,
    )


def _convolve(builder: Builder, step: Step, attributes: TableAttributes, kernel: Convolution) -> None:
    source = make_canonical(builder, step.inputs[0])
    draft = Draft("depthwise_conv2d", kernel, (source,), step.output, attributes.steps, step.sources)
    builder.produce(step, draft, new_map(builder.tensor(step.output)))


def _view_by_channels(builder: Builder, step: Step, axis: int) -> View:
    """A view of the input that can be cut at any place of the axis."""
    name = step.inputs[0]
    if len(merged(builder.view(name).axes[axis])) > 1:
        make_canonical(builder, name)
    return builder.view(name)


def _runs(attributes: TableAttributes) -> Iterator[tuple[int, int]]:
    """(first, count) of neighbours with equal tables."""
    for _, run in groupby(range(len(attributes.tables)), lambda place: attributes.tables[place].tobytes()):
        places = list(run)
        yield places[0], len(places)

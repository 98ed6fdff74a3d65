"""Functions of a byte that differ from channel to channel, such as a batch normalization.

In: a step of Op.TABLE with a table for each place along one axis. Out: one `Copy` layer whose moves look up on the way.
Always: neighbours that share a table share a move.

::

    before: BatchNormalization, or Mul and Add with a value per channel      after: batch_normalization
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import TableAttributes
from sima_compiler.ir.layers import Copy
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.byte_functions import Step
from sima_compiler.stages.lowering.copies import Piece, box, copy_into, make_canonical
from sima_compiler.stages.lowering.feature_maps import new_map, view_of_map
from sima_compiler.stages.lowering.views import View, merged, sliced, storage_axes, with_lookup


def lower_tables(builder: Builder, step: Step) -> None:
    """Every run of places with one table to the same place of the result, through that table."""
    attributes = step.node.attributes
    if not isinstance(attributes, TableAttributes):
        raise InternalError(f"legalize: {step.node.name} has no tables")
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

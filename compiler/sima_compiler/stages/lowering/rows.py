"""Operators that look at whole rows of values: Softmax, ArgMax, reductions, LayerNorm, RMSNorm, InstanceNorm.

In: steps of `ROW_OPS`. Out: `Normalization` layers on maps whose channels are the row. A tensor that lies otherwise is
copied first; the result lies as the input then does.

::

    before: Softmax over the 16 of (4, 16, 8400)      after: a copy to 4 x 8400 pixels of 16 channels, softmax
    before: InstanceNorm of (C, H, W)                 after: a copy to C pixels of H x W channels, a norm per pixel
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from sima_compiler import rowwise
from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import Op, RowAttributes
from sima_compiler.ir.layers import FeatureMap, Layout, Normalization, RowKind
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.byte_functions import Step
from sima_compiler.stages.lowering.copies import materialise
from sima_compiler.stages.lowering.feature_maps import Geometry, view_of_map
from sima_compiler.stages.lowering.views import Factor, View, merged

_KINDS = {
    Op.SOFTMAX: (RowKind.SOFTMAX, "softmax"),
    Op.REAL_SOFTMAX: (RowKind.REAL_SOFTMAX, "softmax"),
    Op.LOG_SOFTMAX: (RowKind.LOG_SOFTMAX, "log_softmax"),
    Op.ARG_MAX: (RowKind.ARG_MAX, "arg_max"),
    Op.LRN: (RowKind.RESPONSE, "lrn"),
    Op.ARG_MAX_LAST: (RowKind.ARG_MAX_LAST, "arg_max"),
    Op.REDUCE_MAX: (RowKind.LARGEST, "reduce_max"),
    Op.REDUCE_SUM: (RowKind.SUM, "reduce_sum"),
    Op.REDUCE_MEAN: (RowKind.MEAN, "reduce_mean"),
    Op.LAYER_NORM: (RowKind.LAYER, "layer_norm"),
    Op.RMS_NORM: (RowKind.RMS, "rms_norm"),
    Op.INSTANCE_NORM: (RowKind.LAYER, "instance_norm"),
}


def lower_rows(builder: Builder, step: Step) -> None:
    """One layer, behind a copy where the rows are no pixels yet."""
    attributes, name = step.node.attributes, step.inputs[0]
    if not isinstance(attributes, RowAttributes):
        raise InternalError(f"legalize: {step.node.name} has no rows")
    length = prod(builder.tensor(name).shape[axis] for axis in attributes.axes)
    per_pixel = step.node.op is Op.INSTANCE_NORM
    if per_pixel or not _has_rows(builder, name, attributes.axes, length):
        _bring_to_channels(builder, name, attributes.axes)
    view = builder.view(name)
    sizes = builder.sizes(view.source)
    operator = _KINDS[step.node.op][1]
    kernel = _kernel(builder, step, attributes, sizes)
    draft = Draft(operator, kernel, (view.source,), step.output, (operator, *step.node.fused), step.sources)
    if kernel.kind.reduces:
        view, sizes = _without(builder, step, view, attributes.axes, length), (sizes[0], sizes[1], 1)
    builder.produce_like(step, draft, view, sizes)


def _has_rows(builder: Builder, name: str, axes: tuple[int, ...], length: int) -> bool:
    """Whether the channels of the tensor's map are just the row, in its order."""
    view = builder.view(name)
    if not builder.whole(name) or builder.maps[view.source].channels != length:
        return False
    row = merged(tuple(factor for axis in axes for factor in view.axes[axis]))
    return row == ((Factor(length, 1),) if length > 1 else ())


def _bring_to_channels(builder: Builder, name: str, axes: tuple[int, ...]) -> None:
    """Copy the tensor to a map of one pixel per row; the pixels keep the order in which they lie."""
    tensor, view = builder.tensor(name), builder.view(name)
    others = [axis for axis in range(len(tensor.shape)) if axis not in axes]
    others.sort(key=lambda axis: -max((factor.stride for factor in view.axes[axis]), default=0))
    sizes = [tensor.shape[axis] for axis in others]
    rows = sizes[0] if len(sizes) > 1 else 1
    target = FeatureMap(
        name=name if name not in builder.maps else builder.fresh(f"{name}/rows"),
        rows=rows,
        columns=prod(sizes) // rows,
        channels=prod(tensor.shape[axis] for axis in axes),
        quant=tensor.quant,
        layout=Layout.HWC16,
        source_shape=tensor.shape,
        source_axes=(*others, *axes),
    )
    materialise(builder, name, target, view_of_map(target))


def _without(builder: Builder, step: Step, view: View, axes: tuple[int, ...], length: int) -> View:
    """Where the result of rows lies that became one value each."""
    kept = [
        tuple(Factor(factor.size, factor.stride // length) for factor in axis)
        for number, axis in enumerate(view.axes)
        if number not in axes
    ]
    if len(builder.tensor(step.output).shape) == len(view.axes):
        for axis in axes:
            kept.insert(axis, ())
    return replace(view, axes=tuple(kept))


def _kernel(builder: Builder, step: Step, found: RowAttributes, sizes: Geometry) -> Normalization:
    kind, source = _KINDS[step.node.op][0], builder.tensor(step.inputs[0]).quant
    table = None
    if kind is RowKind.SOFTMAX:
        table = rowwise.exponentials(source.scale, sizes[2])
    elif kind.exponential:
        table = rowwise.real_exponentials(source.scale)
    per_pixel = step.node.op is Op.INSTANCE_NORM
    gains, offsets = (
        values if values is None or not per_pixel else values.reshape(sizes[:2])
        for values in (found.gains, found.offsets)
    )
    return Normalization(
        kind=kind,
        channels=sizes[2],
        epsilon=found.epsilon,
        exponentials=table,
        gains=gains,
        offsets=offsets,
        per_pixel=per_pixel,
        clamp=step.node.clamp,
        response=found.response,
    )

"""Pools and resizing: kernels that slide over an image.

In: steps of MaxPool, averages of every kind and Resize on (C, H, W). Out: `Pooling`, `Resize` and `Blend` layers.
"""

from __future__ import annotations

from sima_compiler import arithmetic
from sima_compiler.errors import InternalError, UnsupportedError
from sima_compiler.ir.graph import BlendAttributes, ConvAttributes, Op, RealAverageAttributes, ShapeAttributes
from sima_compiler.ir.layers import Blend, Pooling, PoolKind, Resize, Window
from sima_compiler.stages.lowering.borders import with_borders
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.byte_functions import Step
from sima_compiler.stages.lowering.copies import make_canonical
from sima_compiler.stages.lowering.feature_maps import new_map

_OPERATORS = {
    Op.MAX_POOL: "max_pool2d",
    Op.AVERAGE_POOL: "avg_pool2d",
    Op.GLOBAL_AVERAGE_POOL: "global_avg_pool2d",
}


def lower_pool(builder: Builder, step: Step) -> None:
    """A window per channel; a global pool's window is the map."""
    _require_image(builder, step)
    tensor = builder.tensor(step.inputs[0])
    is_global = step.node.op is Op.GLOBAL_AVERAGE_POOL
    attributes = ConvAttributes((tensor.shape[1], tensor.shape[2])) if is_global else step.node.attributes
    if not isinstance(attributes, ConvAttributes):
        raise InternalError(f"legalize: {step.node.name} has no window")
    fill = -128 if step.node.op is Op.MAX_POOL else tensor.quant.zero_point
    source, attributes = with_borders(builder, step, attributes, fill)
    kernel = Pooling(
        kind=PoolKind.MAX if step.node.op is Op.MAX_POOL else PoolKind.AVERAGE,
        window=Window(attributes.kernel, attributes.strides, attributes.dilations, attributes.pads),
        count_include_pad=attributes.count_include_pad,
        is_global=is_global,
        clamp=step.node.clamp,
    )
    operator = _OPERATORS[step.node.op]
    draft = Draft(operator, kernel, (source,), step.output, (operator, *step.node.fused), step.sources)
    builder.produce(step, draft, new_map(builder.tensor(step.output)))


def lower_real_average(builder: Builder, step: Step) -> None:
    """A window per channel over what a table gives for each byte."""
    _require_image(builder, step)
    attributes, tensor = step.node.attributes, builder.tensor(step.inputs[0])
    if not isinstance(attributes, RealAverageAttributes):
        raise InternalError(f"legalize: {step.node.name} has no table")
    window = attributes.window
    kernel = Pooling(
        kind=PoolKind(f"real_average_{attributes.order}"),
        window=Window(window.kernel, window.strides, window.dilations, window.pads),
        count_include_pad=window.count_include_pad,
        is_global=False,
        clamp=step.node.clamp,
        reals=attributes.reals,
    )
    whole = window.kernel == tensor.shape[1:]
    operator = _OPERATORS[Op.GLOBAL_AVERAGE_POOL if whole else Op.AVERAGE_POOL]
    parts = (*attributes.steps, operator, *step.node.fused)
    draft = Draft(operator, kernel, (make_canonical(builder, step.inputs[0]),), step.output, parts, step.sources)
    builder.produce(step, draft, new_map(builder.tensor(step.output)))


def lower_resize(builder: Builder, step: Step) -> None:
    """Nearest neighbour by the source row and column of every output row and column."""
    _require_image(builder, step)
    attributes = step.node.attributes
    if not isinstance(attributes, ShapeAttributes):
        raise InternalError(f"legalize: {step.node.name} has no index tables")
    source = make_canonical(builder, step.inputs[0])
    full = step.node.clamp == arithmetic.FULL_RANGE
    lookup = None if full else arithmetic.ALL_BYTES.clip(*step.node.clamp)
    kernel = Resize(attributes.rows, attributes.columns, lookup)
    draft = Draft("resize", kernel, (source,), step.output, ("resize", *step.node.fused), step.sources)
    builder.produce(step, draft, new_map(builder.tensor(step.output)))


def lower_blend(builder: Builder, step: Step) -> None:
    """Linear interpolation by the neighbours and weights of every output row and column."""
    _require_image(builder, step)
    attributes = step.node.attributes
    if not isinstance(attributes, BlendAttributes):
        raise InternalError(f"legalize: {step.node.name} has no neighbours")
    source = make_canonical(builder, step.inputs[0])
    kernel = Blend(attributes.rows, attributes.columns, step.node.clamp)
    draft = Draft("resize", kernel, (source,), step.output, ("resize_linear", *step.node.fused), step.sources)
    builder.produce(step, draft, new_map(builder.tensor(step.output)))


def _require_image(builder: Builder, step: Step) -> None:
    shape = builder.tensor(step.inputs[0]).shape
    if len(shape) != 3:
        raise UnsupportedError(
            f"{step.node.name}: {step.node.op} on a per-sample shape {shape}, needs (channels, height, width)",
            node=step.node.name,
            operator=step.node.op,
            rule="windows slide over images of three axes after the batch",
            hint="insert a Reshape to (batch, channels, height, width) before it",
        )

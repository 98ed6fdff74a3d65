"""Conv and Gemm as multiply-accumulate kernels.

In: steps whose node has weights. Out: `Convolution` layers with weights in (Cout, kh, kw, Cin / groups) order and
float32 multipliers (sx * sw) / sy.

::

    before: Gemm over (..., C)                          after: 1 x 1 window over the map's pixels
    before: image -> Flatten -> Gemm                    after: one window as large as the image; nothing moves
"""

from __future__ import annotations

from math import prod

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import ConvAttributes, Int8Array, Weights
from sima_compiler.ir.layers import Convolution, Window
from sima_compiler.stages.lowering.borders import with_borders
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.byte_functions import Step
from sima_compiler.stages.lowering.copies import make_last_channels
from sima_compiler.stages.lowering.feature_maps import Geometry, new_map
from sima_compiler.stages.lowering.views import Axis, Factor, View, axis_length, axis_of

POINT = Window((1, 1), (1, 1), (1, 1), (0, 0, 0, 0))


def lower_convolution(builder: Builder, step: Step) -> None:
    """A Conv on an image, any groups."""
    attributes = step.node.attributes
    if not isinstance(attributes, ConvAttributes):
        raise InternalError(f"legalize: {step.node.name} has no window")
    weights = _weights(step)
    zero_point = builder.tensor(step.inputs[0]).quant.zero_point
    source, attributes = with_borders(builder, step, attributes, zero_point)
    window = Window(attributes.kernel, attributes.strides, attributes.dilations, attributes.pads)
    kernel = _kernel(builder, step, window, attributes.groups, weights.values.transpose(0, 2, 3, 1))
    operator = "depthwise_conv2d" if kernel.is_depthwise else "conv2d"
    builder.produce(step, _draft(step, operator, kernel, source, weights), new_map(builder.tensor(step.output)))


def lower_gemm(builder: Builder, step: Step) -> None:
    """A Gemm or MatMul with constant weights: contracts the last axis."""
    name = step.inputs[0]
    view, sizes = builder.view(name), builder.sizes(builder.view(name).source)
    if not builder.whole(name) or _contraction(view, sizes) is None:
        make_last_channels(builder, name)
        view, sizes = builder.view(name), builder.sizes(builder.view(name).source)
    window = _contraction(view, sizes)
    if window is None:
        raise InternalError(f"legalize: {step.node.name} cannot contract {name}")
    weights = _weights(step)
    kernel = _kernel(builder, step, window, 1, _stored_weights(weights.values, view.axes[-1], window, sizes[2]))
    outputs = weights.values.shape[0]
    result, out_sizes = _result(view, sizes, window, outputs)
    builder.produce_like(step, _draft(step, "dense", kernel, view.source, weights), result, out_sizes)


def _contraction(view: View, sizes: Geometry) -> Window | None:
    """The window that covers exactly the last axis: one pixel's channels, or the whole map."""
    rows, columns, channels = sizes
    last = view.axes[-1]
    if axis_length(last) == rows * columns * channels:
        return Window((rows, columns), (1, 1), (1, 1), (0, 0, 0, 0))
    if axis_length(last) == channels and all(factor.stride < channels for factor in last):
        return POINT
    return None


def _stored_weights(values: Int8Array, axis: Axis, window: Window, channels: int) -> Int8Array:
    """(Cout, K) weights in the order in which the map stores the contracted axis."""
    order = sorted(range(len(axis)), key=lambda index: -axis[index].stride)
    split = values.reshape(values.shape[0], *(factor.size for factor in axis))
    moved = split.transpose(0, *(index + 1 for index in order))
    return moved.reshape(values.shape[0], *window.kernel, channels)


def _result(view: View, sizes: Geometry, window: Window, outputs: int) -> tuple[View, Geometry]:
    """Where the result lies: the other axes keep their order, the last one becomes the channels."""
    rows, columns, channels = sizes
    kept = tuple(
        tuple(Factor(factor.size, factor.stride // channels * outputs) for factor in axis) for axis in view.axes[:-1]
    )
    result = View("", (*kept, axis_of(outputs, 1)))
    if prod(window.kernel) == rows * columns:
        return result, (1, 1, outputs)
    return result, (rows, columns, outputs)


def _weights(step: Step) -> Weights:
    if step.node.weights is None:
        raise InternalError(f"legalize: {step.node.name} has no weights")
    return step.node.weights


def _kernel(builder: Builder, step: Step, window: Window, groups: int, values: Int8Array) -> Convolution:
    weights = _weights(step)
    source, target = builder.tensor(step.inputs[0]).quant, builder.tensor(step.output).quant
    factors = arithmetic.multiplier(source.scale, weights.scales, target.scale)
    if weights.real_bias is not None:
        factors = np.asarray(np.float32(source.scale) * weights.scales, np.float32)
    return Convolution(
        window=window,
        groups=groups,
        weights=np.ascontiguousarray(values),
        bias=weights.bias,
        multipliers=np.ascontiguousarray(np.broadcast_to(factors, weights.bias.shape)),
        intermediate=target,
        clamp=step.node.clamp,
        real_bias=weights.real_bias,
    )


def _draft(step: Step, operator: str, kernel: Convolution, source: str, weights: Weights) -> Draft:
    bias = ("add",) if weights.has_bias else ()
    return Draft(operator, kernel, (source,), step.output, (operator, *bias, *step.node.fused), step.sources)

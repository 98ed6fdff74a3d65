"""Transposed convolutions: one ordinary convolution for all results that see their inputs alike, then interleaving.

In: a step of Op.CONV_TRANSPOSE. Out: `Convolution` layers without a single weight that the graph has not, and, where
they are several or the map does not lie as a reader wants it, a `Copy` that sets their results a stride apart.

Along an axis of stride s, result r * s + p (of phase p) sees the inputs r + q - t through the weights
(p + before) % s + t * s, for t from 0 on, where q = (p + before) // s. Phases with one q and one number of weights are
outputs of one convolution.

::

    before: ConvTranspose 2 x 2, stride 2, 8 channels       after: conv 1 x 1 to 32 channels, interleaved 2 x 2
    before: ConvTranspose 4 x 4, stride 2, pads 1           after: four convs 2 x 2, interleaved 2 x 2
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import ConvAttributes, Int8Array, Quantization, Weights
from sima_compiler.ir.layers import Convolution, Copy, FeatureMap, Window
from sima_compiler.stages.lowering.builder import Builder, Draft
from sima_compiler.stages.lowering.byte_functions import Step
from sima_compiler.stages.lowering.copies import Piece, box, copy_into, make_canonical
from sima_compiler.stages.lowering.feature_maps import new_map, view_of_map
from sima_compiler.stages.lowering.views import View, axis_of

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Phases:
    """Neighbouring phases of one axis that share their windows.

    ``first`` place of the first phase's results, a stride apart, ``length`` of them; ``count`` of the phases;
    ``taps``: weights of the first phase, nearest input last, none where its results see no input; ``before`` and
    ``behind``: what the window reaches beyond the map, negative where it does not reach its end.
    """

    first: int
    count: int
    length: int
    taps: tuple[int, ...] = ()
    before: int = 0
    behind: int = 0


def lower_transposed(builder: Builder, step: Step) -> None:
    """A ConvTranspose on an image, of one group or depthwise."""
    attributes, weights = step.node.attributes, step.node.weights
    if not isinstance(attributes, ConvAttributes) or weights is None:
        raise InternalError(f"legalize: {step.node.name} has no window")
    source, target = builder.tensor(step.inputs[0]).shape, builder.tensor(step.output).shape
    axes = [
        tuple(_phases(source[1 + axis], target[1 + axis], attributes, axis, apart=attributes.groups > 1))
        for axis in (0, 1)
    ]
    pairs = [(rows, columns) for rows, columns in product(*axes) if rows.taps and columns.taps]
    whole = pairs[0] if len(pairs) == 1 and _is_whole(axes, attributes.strides) else None
    if whole is not None:
        _as_one(builder, step, whole)
    else:
        _interleaved(builder, step, axes, pairs)


def _phases(size: int, length: int, window: ConvAttributes, axis: int, *, apart: bool) -> Iterator[Phases]:
    """The phases of one axis, neighbours with one window together unless they are to stand ``apart``."""
    stride, kernel, crop = window.strides[axis], window.kernel[axis], window.pads[axis]

    def seen(phase: int) -> tuple[int, int, int, int]:
        reach, first = divmod(phase + crop, stride)
        results = -(-(length - phase) // stride)
        return reach, len(range(first, kernel, stride)), results, phase if apart else 0

    for (reach, taps, results, _), found in groupby(range(min(stride, length)), seen):
        phases = list(found)
        weights = tuple(range((phases[0] + crop) % stride, kernel, stride))[::-1]
        seeing = max(0, min(results, size - reach + taps - 1)) if taps else 0
        if seeing:
            yield Phases(phases[0], len(phases), seeing, weights, taps - 1 - reach, seeing + reach - size)
        if results > seeing:
            yield Phases(phases[0] + seeing * stride, len(phases), results - seeing)


def _is_whole(axes: Sequence[tuple[Phases, ...]], strides: Pair) -> bool:
    """Whether one convolution makes every result, none too many."""
    return all(len(phases) == 1 and phases[0].count == stride for phases, stride in zip(axes, strides, strict=True))


def _as_one(builder: Builder, step: Step, pair: tuple[Phases, Phases]) -> None:
    """The convolution's own map is the result, read through a view that walks its phases."""
    rows, columns = pair
    source, kernel = _convolution(builder, step, rows, columns)
    view = _by_phase("", rows, columns, builder.tensor(step.output).shape[0])
    sizes = (rows.length, columns.length, len(kernel.weights))
    builder.produce_like(step, _draft(step, kernel, source, step.output), view, sizes)


def _by_phase(name: str, rows: Phases, columns: Phases, outputs: int) -> View:
    """The results in their places (outputs, rows, columns) as they lie on a map whose channels are phase by phase."""
    pixel = rows.count * columns.count * outputs
    return View(
        name,
        (
            axis_of(outputs, 1),
            axis_of(rows.length, columns.length * pixel) + axis_of(rows.count, columns.count * outputs),
            axis_of(columns.length, pixel) + axis_of(columns.count, outputs),
        ),
    )


def _in_place(result: FeatureMap, rows: Phases, columns: Phases, strides: Pair) -> View:
    """Where these results belong on the whole map."""
    pixel, row = result.channels, result.columns * result.channels
    return View(
        result.name,
        (
            axis_of(result.channels, 1),
            axis_of(rows.length, strides[0] * row) + axis_of(rows.count, row),
            axis_of(columns.length, strides[1] * pixel) + axis_of(columns.count, pixel),
        ),
        offset=rows.first * row + columns.first * pixel,
    )


def _interleaved(
    builder: Builder, step: Step, axes: Sequence[tuple[Phases, ...]], pairs: Sequence[tuple[Phases, Phases]]
) -> None:
    """A convolution for each pair of phases, and the copy that sets their results where they belong."""
    tensor, strides = builder.tensor(step.output), _strides(step)
    result = new_map(tensor)
    pieces: list[Piece] = []
    for rows, columns in pairs:
        found = _phase_map(builder, step, rows, columns)
        pieces.append(
            (_by_phase(found.name, rows, columns, tensor.shape[0]), _in_place(result, rows, columns, strides))
        )
    empty = [pair for pair in product(*axes) if pair not in pairs]
    values = _without_inputs(step, tensor.quant)
    fill = int(values[0]) if pairs and len(set(values.tolist())) == 1 else None
    if empty and fill is None:
        constant = _constant_map(builder, step, values)
        for rows, columns in empty:
            sizes = (rows.length * rows.count, columns.length * columns.count)
            spread = View(constant, (axis_of(len(values), 1), *(axis_of(size, 0) for size in sizes)))
            pieces.append((spread, _in_place(result, rows, columns, strides)))
    draft = Draft("conv2d_transpose", Copy(()), (), result.name, ("interleave",), step.sources)
    copy_into(builder, pieces, result, draft, fill if empty else None)
    builder.views[step.output] = view_of_map(result)


def _phase_map(builder: Builder, step: Step, rows: Phases, columns: Phases) -> FeatureMap:
    """The results of one pair of phases, as a map whose channels are phase by phase."""
    tensor = builder.tensor(step.output)
    source, kernel = _convolution(builder, step, rows, columns)
    shape = (len(kernel.weights), rows.length, columns.length)
    found = new_map(replace(tensor, name=builder.fresh(f"{tensor.name}/phase"), shape=shape))
    builder.add(_draft(step, kernel, source, found.name), found)
    return found


def _constant_map(builder: Builder, step: Step, values: Int8Array) -> str:
    """One pixel of ``values``, for results that see no input: a byte of the input through tables of one number."""
    some = make_canonical(builder, step.inputs[0])
    tensor = builder.tensor(step.output)
    result = new_map(replace(tensor, name=builder.fresh(f"{tensor.name}/unseen"), shape=(len(values), 1, 1)))
    pieces: list[Piece] = []
    for value, found in groupby(range(len(values)), values.__getitem__):
        places = list(found)
        table = np.full(256, value, np.int8)
        target = View(result.name, (axis_of(len(places), 1), (), ()), offset=places[0])
        pieces.append((View(some, (axis_of(len(places), 0), (), ()), lookup=table), target))
    draft = Draft("conv2d_transpose", Copy(()), (), result.name, ("bias",), step.sources)
    copy_into(builder, pieces, result, draft)
    return result.name


def _convolution(builder: Builder, step: Step, rows: Phases, columns: Phases) -> tuple[str, Convolution]:
    """The map that is read, and the kernel of one pair of phases: outputs phase by phase."""
    weights = _weights(step)
    count = rows.count * columns.count
    parts = [
        weights.values[:, :, [tap + down for tap in rows.taps]][:, :, :, [tap + along for tap in columns.taps]]
        for down, along in product(range(rows.count), range(columns.count))
    ]
    source, pads = _read(builder, step, rows, columns)
    quant, target = builder.tensor(step.inputs[0]).quant, builder.tensor(step.output).quant
    real = np.zeros_like(weights.bias, np.float32) if weights.real_bias is None else weights.real_bias
    factors = np.broadcast_to(np.float32(quant.scale) * weights.scales, weights.bias.shape)
    kernel = Convolution(
        window=Window((len(rows.taps), len(columns.taps)), (1, 1), (1, 1), pads),
        groups=_window(step).groups,
        weights=np.ascontiguousarray(np.concatenate(parts).transpose(0, 2, 3, 1)),
        bias=np.tile(weights.bias, count),
        multipliers=np.tile(factors, count).astype(np.float32),
        intermediate=target,
        clamp=step.node.clamp,
        real_bias=np.tile(real, count).astype(np.float32),
        shares_blocks=True,
    )
    return source, kernel


def _read(builder: Builder, step: Step, rows: Phases, columns: Phases) -> tuple[str, tuple[int, int, int, int]]:
    """The map under the window and its pads: the input's own, or what a window that does not reach all of it sees."""
    before, behind = (rows.before, columns.before), (rows.behind, columns.behind)
    pads = (max(0, before[0]), max(0, before[1]), max(0, behind[0]), max(0, behind[1]))
    name = make_canonical(builder, step.inputs[0])
    if min(*before, *behind) >= 0:
        return name, pads
    tensor, view = builder.tensor(step.inputs[0]), builder.view(step.inputs[0])
    starts = (0, *(max(0, -pad) for pad in before))
    ends = (0, *(max(0, -pad) for pad in behind))
    kept = tuple(size - start - end for size, start, end in zip(tensor.shape, starts, ends, strict=True))
    result = new_map(replace(tensor, name=builder.fresh(f"{tensor.name}/kept"), shape=kept))
    draft = Draft("slice", Copy(()), (), result.name, ("slice",), step.sources)
    copy_into(builder, [(box(view, starts, kept), view_of_map(result))], result, draft)
    return result.name, pads


def _without_inputs(step: Step, target: Quantization) -> Int8Array:
    """What a result is that sees no input: its bias."""
    weights = _weights(step)
    real = np.zeros(weights.bias.shape, np.float32) if weights.real_bias is None else weights.real_bias
    nothing, factor = np.zeros(real.shape, np.int32), np.ones(1, np.float32)
    return arithmetic.requantize_real(nothing, factor, real, target, step.node.clamp)


def _draft(step: Step, kernel: Convolution, source: str, output: str) -> Draft:
    bias = ("add",) if _weights(step).has_bias else ()
    parts = ("conv2d_transpose", *bias, *step.node.fused)
    return Draft("conv2d_transpose", kernel, (source,), output, parts, step.sources)


def _weights(step: Step) -> Weights:
    if step.node.weights is None:
        raise InternalError(f"legalize: {step.node.name} has no weights")
    return step.node.weights


def _window(step: Step) -> ConvAttributes:
    if not isinstance(step.node.attributes, ConvAttributes):
        raise InternalError(f"legalize: {step.node.name} has no window")
    return step.node.attributes


def _strides(step: Step) -> Pair:
    return _window(step).strides

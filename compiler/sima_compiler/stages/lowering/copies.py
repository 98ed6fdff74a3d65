"""Data movement: views that become maps of their own, Concat, Pad, and the moves of each.

In: views of tensors. Out: `Copy` layers. Always holds: a layer's moves write each element of its map at most once.

Where one affine move cannot do it (a reshape that cuts pixels in the middle), the copy goes through a packed linear
map, on which every stride is legal:

::

    before: (12, 10) -> Reshape (8, 15) -> reader     after: copy to 120 packed bytes, copy to (8, 15), reader
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from sima_compiler import arithmetic
from sima_compiler.errors import InternalError, UnsupportedError
from sima_compiler.ir.graph import Op, ShapeAttributes
from sima_compiler.ir.layers import Copy, FeatureMap, Move
from sima_compiler.stages.lowering.builder import Builder, Draft, canonical
from sima_compiler.stages.lowering.byte_functions import Step
from sima_compiler.stages.lowering.feature_maps import Geometry, linear_map, map_of_view, new_map, view_of_map
from sima_compiler.stages.lowering.moves import MAX_DIMENSIONS, build_move
from sima_compiler.stages.lowering.views import (
    View,
    axis_of,
    reshaped,
    rule_order,
    sliced,
    storage_axes,
    stored,
    transposed,
    with_lookup,
)

Piece = tuple[View, View]  # what to read, and where on the new map to write it


def lower_view(builder: Builder, step: Step) -> None:
    """Reshape, Transpose and Slice: another view of the same bytes."""
    if step.node.op is Op.RESHAPE:
        view = _reshape(builder, step.inputs[0], builder.tensor(step.output).shape)
    elif step.node.op is Op.TRANSPOSE:
        view = transposed(builder.view(step.inputs[0]), _attributes(step).permutation)
    else:
        view = _slice(builder, step, _attributes(step))
    builder.alias(step, _clamped(view, step))


def make_canonical(builder: Builder, name: str) -> str:
    """Give the tensor a map in the geometry of its shape's rule, unless it has it; returns the map's name."""
    if not canonical(builder, name):
        result = new_map(builder.tensor(name))
        materialise(builder, name, replace(result, name=_map_name(builder, name)), view_of_map(result))
    return builder.view(name).source


def make_last_channels(builder: Builder, name: str) -> str:
    """Copy the tensor to a map in its own order, whose channels are the tensor's last axis; returns the map's name."""
    tensor = builder.tensor(name)
    result = new_map(replace(tensor, name=_map_name(builder, name)), tuple(range(len(tensor.shape))))
    materialise(builder, name, result, view_of_map(result))
    return result.name


def make_whole(builder: Builder, name: str) -> str:
    """Give the tensor a map of its own, unless it fills one in any order; returns the map's name."""
    return builder.view(name).source if builder.whole(name) else make_canonical(builder, name)


def make_like(builder: Builder, name: str, view: View, sizes: Geometry) -> str:
    """Copy the tensor to a map of ``sizes`` on which it lies as ``view`` says; returns the map's name."""
    result = map_of_view(replace(builder.tensor(name), name=_map_name(builder, name)), view, sizes)
    materialise(builder, name, result, view)
    return result.name


def materialise(builder: Builder, name: str, result: FeatureMap, target: View) -> None:
    """Copy the tensor into the map ``result``, where it lies as ``target`` says."""
    view = builder.view(name)
    target = replace(target, source=result.name, base="", parts=(), sources=(), lookup=None)
    parts = view.parts or ("reshape",)
    operator = "transpose" if "transpose" in parts else parts[-1]
    copy_into(builder, [(view, target)], result, Draft(operator, Copy(()), (), result.name, parts, view.sources))
    builder.views[name] = target


def copy_into(builder: Builder, pieces: list[Piece], result: FeatureMap, draft: Draft, fill: int | None = None) -> None:
    """Append the layer, or the layers, that write all ``pieces`` into ``result``."""
    sizes = (result.rows, result.columns, result.channels)
    moves = [_move(builder, source, target, sizes) for source, target in pieces]
    found = [move for move in moves if move is not None]
    if len(found) == len(moves):
        _append(builder, found, result, draft, fill)
    else:
        _copy_packed(builder, pieces, result, draft, fill)


def _copy_packed(builder: Builder, pieces: list[Piece], result: FeatureMap, draft: Draft, fill: int | None) -> None:
    """Write all pieces into a packed linear map, and that into ``result``."""
    packed = linear_map(builder.fresh(f"{result.name}/packed"), result.elements, result.quant)
    moves = [_move(builder, source, target, (1, 1, packed.channels)) for source, target in pieces]
    found = [move for move in moves if move is not None]
    if len(found) < len(moves):
        raise UnsupportedError(
            f"{draft.sources[-1] if draft.sources else result.name}: moves data along more than "
            f"{MAX_DIMENSIONS} axes at once",
            node=draft.sources[-1] if draft.sources else "",
            operator=draft.operator,
            rule=f"one data movement walks at most {MAX_DIMENSIONS} axes",
            hint="split the transpose or reshape into two, or drop axes of length 1",
        )
    _append(builder, found, packed, draft, fill)
    line = View(packed.name, (axis_of(result.elements, 1),))
    sizes = (result.rows, result.columns, result.channels)
    last = build_move(line, (1, 1, result.elements), replace(line, source=result.name), sizes)
    unpack = replace(draft, operator="reshape", parts=("reshape",))
    _append(builder, [] if last is None else [last], result, unpack, None)


def _append(builder: Builder, moves: list[Move], result: FeatureMap, draft: Draft, fill: int | None) -> None:
    inputs = tuple(dict.fromkeys(move.source for move in moves))
    builder.add(replace(draft, kernel=Copy(tuple(moves), fill), inputs=inputs, output=result.name), result)


def _move(builder: Builder, source: View, target: View, sizes: Geometry) -> Move | None:
    """One move, from the map itself or from its packed copy."""
    direct = build_move(source, builder.sizes(source.source), target, sizes)
    if direct is not None:
        return direct
    name = _packed(builder, source.source)
    return build_move(replace(source, source=name), builder.sizes(name), target, sizes)


def _packed(builder: Builder, name: str) -> str:
    """The packed linear copy of a map, made once."""
    if builder.sizes(name)[:2] == (1, 1):
        return name
    if name not in builder.linear:
        original = builder.maps[name]
        packed = linear_map(builder.fresh(f"{name}/packed"), original.elements, original.quant)
        line = View(name, (axis_of(original.elements, 1),))
        move = build_move(line, builder.sizes(name), replace(line, source=packed.name), (1, 1, original.elements))
        draft = Draft("reshape", Copy(()), (), packed.name, ("reshape",), ())
        _append(builder, [] if move is None else [move], packed, draft, None)
        builder.linear[name] = packed.name
    return builder.linear[name]


def _map_name(builder: Builder, name: str) -> str:
    return name if name not in builder.maps else builder.fresh(f"{name}/copy")


def _clamped(view: View, step: Step) -> View:
    if step.node.clamp == arithmetic.FULL_RANGE:
        return view
    return with_lookup(view, arithmetic.ALL_BYTES.clip(*step.node.clamp))


def _reshape(builder: Builder, name: str, shape: tuple[int, ...]) -> View:
    view = reshaped(builder.view(name), shape)
    if view is None:
        tensor = builder.tensor(name)
        line = linear_map(builder.fresh(f"{name}/packed"), prod(tensor.shape), tensor.quant)
        order = tuple(range(len(tensor.shape)))
        materialise(builder, name, line, stored(line.name, tensor.shape, order))
        view = reshaped(builder.view(name), shape)
    if view is None:
        raise InternalError(f"legalize: {name} has no view of shape {shape}")
    return view


def _slice(builder: Builder, step: Step, attributes: ShapeAttributes) -> View:
    name, shape = step.inputs[0], builder.tensor(step.output).shape
    view = sliced(builder.view(name), attributes.starts, attributes.steps, shape)
    if view is None:
        make_canonical(builder, name)
        view = sliced(builder.view(name), attributes.starts, attributes.steps, shape)
    if view is None:
        raise InternalError(f"legalize: {step.node.name} has no view")
    return view


def lower_concat(builder: Builder, step: Step) -> None:
    """Every input to its place along the axis; another quantization than the result's is a lookup on the way."""
    axis = _attributes(step).axis
    tensor = builder.tensor(step.output)
    result = new_map(tensor, _concat_order(builder, step))
    whole = view_of_map(result)
    pieces: list[Piece] = []
    start = 0
    for name in step.inputs:
        part = builder.tensor(name)
        view = builder.view(name)
        if part.quant != tensor.quant:
            view = with_lookup(view, arithmetic.lookup_table(Op.REQUANTIZE, None, part.quant, tensor.quant))
        starts = tuple(start if index == axis else 0 for index in range(len(part.shape)))
        pieces.append((_clamped(view, step), box(whole, starts, part.shape)))
        start += part.shape[axis]
    sources = tuple(source for name in step.inputs for source in builder.view(name).sources) + step.sources
    draft = Draft("concatenate", Copy(()), (), result.name, ("concatenate", *step.node.fused), sources)
    copy_into(builder, pieces, result, draft)
    builder.views[step.output] = whole


def _concat_order(builder: Builder, step: Step) -> tuple[int, ...]:
    """Images by the rule; anything else lies as its largest input does, so that runs stay long."""
    largest = max(step.inputs, key=lambda name: builder.maps[builder.view(name).source].elements)
    shape = builder.tensor(step.output).shape
    order = storage_axes(builder.view(largest)) if len(shape) != 3 else None
    return rule_order(shape) if order is None else order


def lower_pad(builder: Builder, step: Step) -> None:
    """A fill, and the input in the middle of it."""
    attributes = _attributes(step)
    source, tensor = builder.tensor(step.inputs[0]), builder.tensor(step.output)
    view = builder.view(source.name)
    result = new_map(tensor)
    fill = source.quant.zero_point if attributes.fill is None else attributes.fill
    low, high = step.node.clamp
    target = box(view_of_map(result), attributes.pads_before, source.shape)
    draft = Draft("pad", Copy(()), (), result.name, ("pad", *step.node.fused), view.sources + step.sources)
    copy_into(builder, [(_clamped(view, step), target)], result, draft, min(max(fill, low), high))
    builder.views[step.output] = view_of_map(result)


def _attributes(step: Step) -> ShapeAttributes:
    if not isinstance(step.node.attributes, ShapeAttributes):
        raise InternalError(f"legalize: {step.node.name} has no attributes")
    return step.node.attributes


def box(view: View, starts: tuple[int, ...], shape: tuple[int, ...]) -> View:
    """The part of a stored tensor of that shape from ``starts``."""
    part = sliced(view, starts, (1,) * len(starts), shape)
    if part is None:
        raise InternalError("legalize: a stored tensor has one factor per axis")
    return part

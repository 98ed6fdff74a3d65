"""Rules of the operators that move values and change none.

In: a `Use`. Out: shape and type of every result.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from sima_compiler.ir.host import Dtype
from sima_compiler.ir.host_rules.use import BOOLS, BYTES, FLOATS, INDICES, NUMBERS, Infer, Use, Value

#: Coordinates of a Resize that host kernels know.
COORDINATES = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
PAD_MODES = ("constant", "edge", "reflect", "wrap")


def _same(use: Use) -> tuple[Value, ...]:
    use.arity(1)
    use.knows()
    return (_shaped(use, use.value(0).shape),)


def _shaped(use: Use, shape: tuple[int, ...]) -> Value:
    """The first operand's values under another shape."""
    value = use.value(0)
    use.require(prod(shape) == prod(value.shape), f"{value.shape} does not hold as many values as {shape}")
    return Value(shape, value.dtype)


def _reshape(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows("allowzero")
    value, target = use.value(0), list(use.integers(1) or ())
    if not use.integer("allowzero", 0):
        use.require(len(target) <= value.rank or 0 not in target[value.rank :], f"a 0 in {target} has no axis to copy")
        target = [value.shape[place] if size == 0 else size for place, size in enumerate(target)]
    use.require(target.count(-1) <= 1 and min(target, default=0) >= -1, f"{target} is no shape")
    if -1 in target:
        rest = prod(size for size in target if size != -1)
        use.require(rest > 0 and prod(value.shape) % rest == 0, f"{value.shape} does not divide into {target}")
        target[target.index(-1)] = prod(value.shape) // rest
    return (_shaped(use, tuple(target)),)


def _flatten(use: Use) -> tuple[Value, ...]:
    use.arity(1)
    use.knows("axis")
    shape = use.value(0).shape
    axis = use.integer("axis", 1)
    use.require(-len(shape) <= axis <= len(shape), f"axis {axis} of {len(shape)} axes")
    axis = axis + len(shape) if axis < 0 else axis
    return (_shaped(use, (prod(shape[:axis]), prod(shape[axis:]))),)


def _squeeze(use: Use) -> tuple[Value, ...]:
    use.arity(1, 2)
    use.knows()
    shape, named = use.value(0).shape, use.integers(1)
    ones = [place for place, size in enumerate(shape) if size == 1]
    axes = ones if named is None else use.axes(named, len(shape))
    use.require(set(axes) <= set(ones), f"axes {axes} of {shape} are not all of the size 1")
    return (_shaped(use, tuple(size for place, size in enumerate(shape) if place not in axes)),)


def _unsqueeze(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows()
    shape, named = list(use.value(0).shape), use.integers(1) or ()
    for axis in use.axes(named, len(shape) + len(named)):
        shape.insert(axis, 1)
    return (_shaped(use, tuple(shape)),)


def _transpose(use: Use) -> tuple[Value, ...]:
    use.arity(1)
    use.knows("perm")
    value = use.value(0)
    order = use.listed("perm", tuple(reversed(range(value.rank))))
    use.require(sorted(order) == list(range(value.rank)), f"perm {order} is no order of {value.rank} axes")
    return (Value(tuple(value.shape[axis] for axis in order), value.dtype),)


def _concat(use: Use) -> tuple[Value, ...]:
    use.arity(1, max(1, len(use.inputs)))
    use.knows("axis")
    values = [use.value(index) for index in range(len(use.inputs))]
    use.require("axis" in use.node.attributes, "attribute axis is missing")
    axis = use.axis(use.integer("axis", 0), values[0].rank)
    for value in values:
        rest = [shape[:axis] + shape[axis + 1 :] for shape in (value.shape, values[0].shape)]
        use.require(
            value.rank == values[0].rank and rest[0] == rest[1], f"{value.shape} and {values[0].shape} do not join"
        )
        use.require(value.dtype is values[0].dtype, f"{value.dtype} and {values[0].dtype} do not join")
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    return (Value(tuple(shape), values[0].dtype),)


def cuts(use: Use) -> tuple[tuple[int, int, int], ...]:
    """Of a Slice: first index, step and length for every axis."""
    shape = use.value(0).shape
    starts, ends = use.integers(1) or (), use.integers(2) or ()
    named = use.integers(3)
    axes = tuple(use.axis(axis, len(shape)) for axis in (range(len(starts)) if named is None else named))
    steps = use.integers(4) or (1,) * len(starts)
    use.require(len(starts) == len(ends) == len(axes) == len(steps), "starts, ends, axes and steps differ in length")
    use.require(0 not in steps and len(set(axes)) == len(axes), f"axes {axes} with steps {steps}")
    found = [(0, 1, size) for size in shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        first, _, _ = bounds = slice(start, end, step).indices(shape[axis])
        found[axis] = (first, step, len(range(*bounds)))
    return tuple(found)


def _slice(use: Use) -> tuple[Value, ...]:
    use.arity(3, 5)
    use.knows()
    return (Value(tuple(length for _, _, length in cuts(use)), use.value(0).dtype),)


def _split(use: Use) -> tuple[Value, ...]:
    use.arity(1, 2, outputs=max(1, len(use.node.outputs)))
    use.knows("axis", "num_outputs")
    value, count = use.value(0), len(use.node.outputs)
    axis = use.axis(use.integer("axis", 0), value.rank)
    size = value.shape[axis]
    named = use.has(1) or use.integer("num_outputs", 0) == count
    use.require(named, f"{count} results, where lengths or num_outputs have to say so")
    each = -(-size // count)
    lengths = use.integers(1) or tuple(min(each, max(0, size - each * place)) for place in range(count))
    use.require(
        len(lengths) == count and sum(lengths) == size, f"parts {lengths} of an axis of {size} in {count} results"
    )
    return tuple(Value((*value.shape[:axis], length, *value.shape[axis + 1 :]), value.dtype) for length in lengths)


def _expand(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows()
    value, target = use.value(0), use.integers(1) or ()
    use.require(min(target, default=0) >= 0, f"{target} is no shape")
    return (Value(use.broadcast((value.shape, target)), value.dtype),)


def _tile(use: Use) -> tuple[Value, ...]:
    use.arity(2)
    use.knows()
    value, repeats = use.value(0), use.integers(1) or ()
    use.require(len(repeats) == value.rank and min(repeats, default=0) >= 0, f"repeats {repeats} for {value.rank} axes")
    return (Value(tuple(size * times for size, times in zip(value.shape, repeats, strict=True)), value.dtype),)


def margins(use: Use) -> tuple[tuple[int, int], ...]:
    """Of a Pad: how many places come in front of and behind every axis; negative ones cut."""
    rank = use.value(0).rank
    pads, named = use.integers(1) or (), use.integers(3)
    axes = tuple(range(rank)) if named is None else tuple(use.axis(axis, rank) for axis in named)
    use.require(len(pads) == 2 * len(axes), f"{len(pads)} pads for {len(axes)} axes")
    found = [(0, 0)] * rank
    for place, axis in enumerate(axes):
        found[axis] = (pads[place], pads[place + len(axes)])
    return tuple(found)


def _pad(use: Use) -> tuple[Value, ...]:
    use.arity(2, 4)
    use.knows("mode")
    value, mode = use.value(0), use.text("mode", "constant", PAD_MODES)
    if use.has(2):
        fill = use.value(2, {value.dtype})
        use.require(prod(fill.shape) == 1, f"a fill of the shape {fill.shape}, where one number is taken")
    sizes = [size + before + after for size, (before, after) in zip(value.shape, margins(use), strict=True)]
    use.require(min(sizes, default=0) >= 0, f"pads leave {tuple(sizes)} of {value.shape}")
    for size, pair in zip(value.shape, margins(use), strict=True):
        most = {"constant": max(pair), "edge": max(pair) if size else 0, "reflect": size - 1, "wrap": size}[mode]
        use.require(
            max(pair) <= most or max(pair) <= 0, f"pads of {max(pair)} by {mode}, where an axis of {size} allows {most}"
        )
    return (Value(tuple(sizes), value.dtype),)


def _blocks(is_depth_to_space: bool) -> Infer:
    def infer(use: Use) -> tuple[Value, ...]:
        use.arity(1)
        use.knows("blocksize", "mode")
        use.text("mode", "DCR", ("DCR", "CRD") if is_depth_to_space else ("DCR",))
        value, size = use.value(0, FLOATS | BYTES), use.integer("blocksize", 0)
        use.require(value.rank == 4 and size > 0, f"{value.shape} in blocks of {size}")
        count, channels, height, width = value.shape
        if is_depth_to_space:
            use.require(channels % size**2 == 0, f"{channels} channels are no multiple of {size**2}")
            return (Value((count, channels // size**2, height * size, width * size), value.dtype),)
        use.require(height % size == width % size == 0, f"{height}x{width} is no multiple of {size}")
        return (Value((count, channels * size**2, height // size, width // size), value.dtype),)

    return infer


def nearest_sizes(use: Use) -> tuple[tuple[int, ...], tuple[np.float32, ...]]:
    """Of a Resize: sizes of the result, and by how much each axis grows, in float32."""
    shape, sizes = use.value(0).shape, use.integers(3)
    if sizes:
        use.require(len(sizes) == len(shape), f"{len(sizes)} sizes for {len(shape)} axes")
        return sizes, tuple(np.float32(new) / np.float32(size or 1) for size, new in zip(shape, sizes, strict=True))
    scales = use.constant(2, FLOATS).reshape(-1).astype(np.float32)
    use.require(len(scales) == len(shape), f"{len(scales)} scales for {len(shape)} axes")
    return tuple(int(np.float32(size) * scale) for size, scale in zip(shape, scales, strict=True)), tuple(scales)


def _resize(use: Use) -> tuple[Value, ...]:
    use.arity(3, 4)
    use.knows(
        "mode", "coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "extrapolation_value", "antialias"
    )
    mode = use.text("mode", "nearest", ("nearest", "linear"))
    use.text("coordinate_transformation_mode", "half_pixel", COORDINATES)
    use.text("nearest_mode", "round_prefer_floor", ROUNDINGS)
    value = use.value(0, FLOATS if mode == "linear" else FLOATS | BYTES | {Dtype.INT32})
    sizes, _ = nearest_sizes(use)
    use.require(0 not in value.shape and min(sizes, default=1) > 0, f"{value.shape} becomes {sizes}")
    return (Value(sizes, value.dtype),)


def _trilu(use: Use) -> tuple[Value, ...]:
    use.arity(1, 2)
    use.knows("upper")
    value = use.value(0, NUMBERS | BOOLS)
    use.require(value.rank >= 2, f"{value.shape} has no matrices")
    if use.has(1):
        use.constant(1, INDICES)
    return (Value(value.shape, value.dtype),)


RULES: Mapping[str, Infer] = {
    "Identity": _same,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Concat": _concat,
    "Slice": _slice,
    "Split": _split,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "DepthToSpace": _blocks(is_depth_to_space=True),
    "SpaceToDepth": _blocks(is_depth_to_space=False),
    "Resize": _resize,
    "Trilu": _trilu,
}

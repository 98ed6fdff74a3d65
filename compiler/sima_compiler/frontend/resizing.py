"""Resize and Upsample, the nearest neighbour or linear, as index tables.

In: coordinate mode, nearest mode, scales or sizes. Out: the source row of every output row, or two of them with their
weights, and columns alike. Always: coordinates and weights are evaluated as onnxruntime does: float32, and float64
inside the symmetric mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from sima_compiler.frontend import rules
from sima_compiler.frontend.moves import move
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Pending, Value
from sima_compiler.ir.graph import BlendAttributes, Float32Array, Neighbours, Op, ShapeAttributes

ONE, HALF = np.float32(1), np.float32(0.5)
#: onnxruntime takes positions this close to one half for one half.
TIE_TOLERANCE = np.float32(1e-6)


def convert_resize(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Resize (opset 10 and up) and Upsample -> Op.RESIZE_NEAREST or Op.RESIZE_LINEAR."""
    shape = reader.shape(node)
    rules.IMAGE_RANK.check(node, f"its input has {len(shape) + 1} dimensions", shape)
    mode = node.text("mode", "nearest")
    smoothed = node.integer("antialias", 0)
    found = f"mode {mode}{', antialiased' if smoothed else ''}"
    rules.RESIZE_MODE.check(node, found, mode in ("nearest", "linear", "bilinear") and not smoothed)
    policy = node.text("keep_aspect_ratio_policy", "stretch")
    rules.RESIZE_ASPECT.check(node, f"policy {policy}", policy)
    scales, sizes = _scales_and_sizes(node, reader, shape)
    if tuple(sizes) == shape:
        scales = [ONE] * 3  # whatever the scales are, a map that keeps its size is a copy
    if mode != "nearest" and tuple(sizes) != shape:
        return [_linear(node, reader, sizes, scales)]
    rows = _table(node, shape[1], sizes[1], scales[1])
    columns = _table(node, shape[2], sizes[2], scales[2])
    attributes = ShapeAttributes(rows=rows, columns=columns)
    size = (shape[0], len(rows), len(columns))
    return [move(node, reader, Op.RESIZE_NEAREST, size, attributes)]


def _scales_and_sizes(node: SourceNode, reader: Reader, shape: tuple[int, ...]) -> tuple[list[np.float32], list[int]]:
    """Per-sample scales (float32) and sizes, however the file states them."""
    position = 2 if node.operator == "Resize" and reader.opset >= 11 else 1
    axes = node.integers("axes") or (0, 1, 2, 3)
    scales, sizes = [ONE] * 3, list(shape)
    if reader.has(node, 3):
        for axis, size in zip(axes, reader.sizes(node, 3), strict=True):
            if axis % 4 == 0:
                _check_batch_size(node, size, reader.batch)
            elif size is not None:
                sizes[axis % 4 - 1] = size
                scales[axis % 4 - 1] = np.float32(size) / np.float32(shape[axis % 4 - 1])
    else:
        values = reader.constant(node, position) if reader.has(node, position) else np.array(node.attributes["scales"])
        for axis, scale in zip(axes, values.astype(np.float32).reshape(-1), strict=True):
            if axis % 4 == 0:
                rules.BATCH_FIRST.check(node, f"it scales the batch by {scale}", scale == 1)
            else:
                scales[axis % 4 - 1] = scale
                sizes[axis % 4 - 1] = int(np.floor(np.float32(shape[axis % 4 - 1]) * scale))
    rules.RESIZE_SPATIAL.check(node, f"it makes {sizes[0]} channels of {shape[0]}", sizes[0] == shape[0])
    return scales, sizes


def _check_batch_size(node: SourceNode, size: int | None, batch: int) -> None:
    rules.BATCH_FIRST.check(node, f"it gives the batch the size {size}", size in (None, 1, batch or 1))


def _linear(node: SourceNode, reader: Reader, sizes: Sequence[int], scales: Sequence[np.float32]) -> Value:
    """An operation of its own: onnxruntime dequantizes in front of it, and quantizes behind."""
    source = reader.settled(node)
    coordinate = "asymmetric" if node.operator == "Upsample" else _coordinate(node)
    for axis in (1, 2):
        _check_filled(node, sizes[axis], source.shape[axis], scales[axis])
    rows, columns = (linear_neighbours(source.shape[axis], sizes[axis], scales[axis], coordinate) for axis in (1, 2))
    return Pending(Op.RESIZE_LINEAR, node.name, (source,), tuple(sizes), BlendAttributes(rows, columns))


def linear_neighbours(length: int, size: int, scale: np.float32, coordinate: str) -> Neighbours:
    """The two source places of each of ``size`` output positions over ``length`` input positions, and their weights:
    each counts as much as the other one is away, and both one half where they are one place.
    """
    position = np.arange(size, dtype=np.float32)
    place = position if scale == 1 else COORDINATES[coordinate](position, np.float32(scale), length, size)
    place = np.clip(place.astype(np.float32), np.float32(0), np.float32(length - 1))
    near = np.minimum(place.astype(np.int64), length - 1)
    far = np.minimum(near + 1, length - 1)
    to_near, to_far = (np.where(near == far, HALF, np.abs(place - end.astype(np.float32))) for end in (near, far))
    return Neighbours(
        near=tuple(near.tolist()),
        far=tuple(far.tolist()),
        near_weights=tuple(to_far.astype(np.float32).tolist()),
        far_weights=tuple(to_near.astype(np.float32).tolist()),
    )


def _check_filled(node: SourceNode, size: int, length: int, scale: np.float32) -> None:
    if size < 1:
        raise node.invalid(f"its result is empty: {length} times {scale}")


def _coordinate(node: SourceNode) -> str:
    coordinate = node.text("coordinate_transformation_mode", "half_pixel")
    rules.RESIZE_COORDINATES.check(node, f"coordinate mode {coordinate}", coordinate in COORDINATES)
    return coordinate


def _table(node: SourceNode, length: int, size: int, scale: np.float32) -> tuple[int, ...]:
    _check_filled(node, size, length, scale)
    if node.operator == "Upsample":
        return nearest_indices(length, size, scale, "asymmetric", "floor" if scale >= 1 else "ceil")
    coordinate, nearest = _coordinate(node), node.text("nearest_mode", "round_prefer_floor")
    if nearest not in ROUNDING:
        raise node.invalid(f"nearest_mode {nearest!r} is no ONNX mode")
    return nearest_indices(length, size, scale, coordinate, nearest)


def nearest_indices(length: int, size: int, scale: np.float32, coordinate: str, nearest: str) -> tuple[int, ...]:
    """Source index of each of ``size`` output positions over ``length`` input positions."""
    if scale == 1 and size == length:
        return tuple(range(length))
    position = np.arange(size, dtype=np.float32)
    place = ROUNDING[nearest](COORDINATES[coordinate](position, np.float32(scale), length, size))
    return tuple(int(index) for index in np.clip(place, 0, length - 1).astype(np.int64))


def _half_pixel(x: Float32Array, scale: np.float32, length: int, size: int) -> Float32Array:
    return (x + HALF) / scale - HALF


def _half_pixel_symmetric(x: Float32Array, scale: np.float32, length: int, size: int) -> Float32Array:
    adjustment = np.float32(size) / (scale * np.float32(length))
    center = np.float32(length) / np.float32(2)
    offset = center * (ONE - adjustment)
    place = np.float64(offset) + (x.astype(np.float64) + 0.5) / np.float64(scale) - 0.5
    return place.astype(np.float32)


def _pytorch_half_pixel(x: Float32Array, scale: np.float32, length: int, size: int) -> Float32Array:
    return (x + HALF) / scale - HALF if size > 1 else np.zeros_like(x)


def _align_corners(x: Float32Array, scale: np.float32, length: int, size: int) -> Float32Array:
    return np.zeros_like(x) if size == 1 else x * np.float32(length - 1) / np.float32(size - 1)


def _asymmetric(x: Float32Array, scale: np.float32, length: int, size: int) -> Float32Array:
    return x / scale


def _tf_half_pixel(x: Float32Array, scale: np.float32, length: int, size: int) -> Float32Array:
    return (x + HALF) / scale


COORDINATES: dict[str, Callable[[Float32Array, np.float32, int, int], Float32Array]] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "align_corners": _align_corners,
    "asymmetric": _asymmetric,
    "tf_half_pixel_for_nn": _tf_half_pixel,
}


def _half_down(x: Float32Array) -> Float32Array:
    return np.where(_is_tie(x), np.floor(x), np.floor(x.astype(np.float64) + 0.5)).astype(np.float32)


def _half_up(x: Float32Array) -> Float32Array:
    return np.where(_is_tie(x), np.ceil(x), np.floor(x.astype(np.float64) + 0.5)).astype(np.float32)


def _is_tie(x: Float32Array) -> npt.NDArray[np.bool_]:
    """Half-way between two positions, give or take what float32 loses."""
    return np.abs(x - np.floor(x) - HALF) < TIE_TOLERANCE


ROUNDING: dict[str, Callable[[Float32Array], Float32Array]] = {
    "round_prefer_floor": _half_down,
    "round_prefer_ceil": _half_up,
    "floor": np.floor,
    "ceil": np.ceil,
}

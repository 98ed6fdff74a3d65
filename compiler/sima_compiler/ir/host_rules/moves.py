"""Where every value of a movement comes from: one table per axis of the result.

In: the `Use` of a Transpose, Slice, Split, Expand, Tile, Pad, Resize, DepthToSpace or SpaceToDepth. Out: `Moves`.
The value at (i, j, ...) comes from place ``tables[0][i] + tables[1][j] + ...`` of the flat operand, or is the fill
where one of the entries is `FILL`. Always: numpy, C and the rules read the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.host_rules.movement import cuts, margins, nearest_sizes
from sima_compiler.ir.host_rules.use import Use

#: The entry of a place that nothing is moved to.
FILL = -1
Table = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """``tables``: one per axis of the result, as long as that axis."""

    tables: tuple[Table, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes that the tables are for."""
        return tuple(len(table) for table in self.tables)


def steps(shape: Sequence[int]) -> tuple[int, ...]:
    """How far apart neighbours along each axis lie, in values."""
    return tuple(prod(shape[place + 1 :]) for place in range(len(shape)))


def moves(use: Use) -> tuple[Moves, ...]:
    """The moves of every result of the node."""
    if use.node.op == "Split":
        return _split(use)
    return (_MOVES[use.node.op](use),)


def _taken(use: Use, indices: Sequence[npt.ArrayLike]) -> Moves:
    """Along every axis the places of these indices; negative ones are filled."""
    tables: list[Table] = []
    for found, step in zip(indices, steps(use.value(0).shape), strict=True):
        index = np.asarray(found, np.int64)
        tables.append(np.where(index < 0, FILL, index * step))
    return Moves(tuple(tables))


def _transpose(use: Use) -> Moves:
    shape = use.value(0).shape
    order = use.listed("perm", tuple(reversed(range(len(shape)))))
    step = steps(shape)
    return Moves(tuple(np.arange(shape[axis], dtype=np.int64) * step[axis] for axis in order))


def _slice(use: Use) -> Moves:
    return _taken(use, [first + step * np.arange(length) for first, step, length in cuts(use)])


def _split(use: Use) -> tuple[Moves, ...]:
    value = use.value(0)
    axis = use.axis(use.integer("axis", 0), value.rank)
    count = len(use.node.outputs)
    each = -(-value.shape[axis] // count)
    size = value.shape[axis]
    lengths = use.integers(1) or tuple(min(each, max(0, size - each * place)) for place in range(count))
    found: list[Moves] = []
    for first, length in zip(np.cumsum((0, *lengths)), lengths, strict=False):
        index = [np.arange(size) for size in value.shape]
        index[axis] = np.arange(first, first + length)
        found.append(_taken(use, index))
    return tuple(found)


def _expand(use: Use) -> Moves:
    shape = use.value(0).shape
    target = use.broadcast((shape, use.integers(1) or ()))
    missing = len(target) - len(shape)
    tables = [np.zeros(size, np.int64) for size in target[:missing]]
    for size, wanted, step in zip(shape, target[missing:], steps(shape), strict=True):
        tables.append(np.arange(wanted, dtype=np.int64) * (0 if size == 1 else step))
    return Moves(tuple(tables))


def _tile(use: Use) -> Moves:
    repeats = use.integers(1) or ()
    return _taken(use, [np.tile(np.arange(n), times) for n, times in zip(use.value(0).shape, repeats, strict=True)])


def _pad(use: Use) -> Moves:
    mode = use.text("mode", "constant", ("constant", "edge", "reflect", "wrap"))
    pairs = zip(use.value(0).shape, margins(use), strict=True)
    return _taken(use, [_padded(mode, size, before, after) for size, (before, after) in pairs])


def _padded(mode: str, size: int, before: int, after: int) -> Table:
    index = np.arange(-before, size + after, dtype=np.int64)
    match mode:
        case "edge":
            return np.clip(index, 0, size - 1)
        case "reflect":
            return np.where(index < 0, -index, np.where(index >= size, 2 * (size - 1) - index, index))
        case "wrap":
            return index % size
        case _:
            return np.where(index >= size, FILL, index)


def _depth_to_space(use: Use) -> Moves:
    _, channels, height, width = use.value(0).shape
    size, step = use.integer("blocksize", 0), steps(use.value(0).shape)
    rest = channels // size**2
    is_first = use.text("mode", "DCR", ("DCR", "CRD")) == "DCR"
    apart, each = (rest, 1) if is_first else (1, size**2)
    rows, columns = np.arange(height * size), np.arange(width * size)
    return Moves(
        (
            np.arange(use.value(0).shape[0]) * step[0],
            np.arange(rest) * each * step[1],
            rows // size * step[2] + rows % size * size * apart * step[1],
            columns // size * step[3] + columns % size * apart * step[1],
        )
    )


def _space_to_depth(use: Use) -> Moves:
    count, channels, height, width = use.value(0).shape
    size, step = use.integer("blocksize", 0), steps(use.value(0).shape)
    blocks = np.arange(size**2 * channels)
    row, column, channel = blocks // channels // size, blocks // channels % size, blocks % channels
    return Moves(
        (
            np.arange(count) * step[0],
            channel * step[1] + row * step[2] + column * step[3],
            np.arange(height // size) * size * step[2],
            np.arange(width // size) * size * step[3],
        )
    )


def _resize(use: Use) -> Moves:
    sizes, scales = nearest_sizes(use)
    return _taken(use, [_nearest(use, *axis) for axis in zip(use.value(0).shape, sizes, scales, strict=True)])


def source_places(use: Use, size: int, wanted: int, scale: np.float32) -> npt.NDArray[np.float32]:
    """Of a Resize: where each of ``wanted`` places of an axis lies among ``size``, in onnxruntime's float32."""
    place, half = np.arange(wanted).astype(np.float32), np.float32(0.5)
    match use.node.attributes.get("coordinate_transformation_mode", "half_pixel"):
        case "asymmetric":
            return place / scale
        case "align_corners":
            return place * np.float32(size - 1) / np.float32(wanted - 1) if wanted > 1 else place * 0
        case "pytorch_half_pixel":
            return (place + half) / scale - half if wanted > 1 else place * 0
        case _:
            return (place + half) / scale - half


def _nearest(use: Use, size: int, wanted: int, scale: np.float32) -> Table:
    if size == wanted:
        return np.arange(size)
    found, half = source_places(use, size, wanted, scale), np.float32(0.5)
    match use.node.attributes.get("nearest_mode", "round_prefer_floor"):
        case "round_prefer_ceil":
            index = np.floor(found + half)
        case "floor":
            index = np.floor(found)
        case "ceil":
            index = np.ceil(found)
        case _:
            index = np.ceil(found - half)
    return np.clip(index.astype(np.int64), 0, size - 1)


_MOVES: Mapping[str, Callable[[Use], Moves]] = {
    "Transpose": _transpose,
    "Slice": _slice,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Resize": _resize,
}

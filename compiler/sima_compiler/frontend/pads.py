"""Pad in all its modes.

In: a Pad node on bytes or on real values. Out: crops as Slice, repeated rows and columns as a table of source indices,
and fills as Op.PAD. Always: what the node crops is cut off first, then the rest is padded, as onnxruntime does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from sima_compiler.frontend import rules
from sima_compiler.frontend.moves import move, source_of
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Activation, QuantizedConstant, Value
from sima_compiler.ir.graph import Op, ShapeAttributes

Mode = Literal["reflect", "edge", "wrap"]
#: ONNX's modes that fill with values of the tensor; numpy calls them the same.
REPEATING: tuple[Mode, ...] = ("reflect", "edge", "wrap")


def convert_pad(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Pad anywhere behind the batch; on bytes the constant is a byte, on reals a real."""
    before, after = _pads(node, reader)
    mode = node.text("mode", "constant")
    value = _cropped(node, reader, before, after)
    grown = tuple(max(pad, 0) for pad in before), tuple(max(pad, 0) for pad in after)
    if mode == "constant":
        return [_filled(node, reader, value, *grown)]
    known: Mode | None = next((name for name in REPEATING if name == mode), None)
    if known is None:
        raise node.unsupported(f"mode {mode}", rule=rules.PAD_MODE.sentence)
    return [_repeated(node, reader, value, known, *grown)]


def _pads(node: SourceNode, reader: Reader) -> tuple[list[int], list[int]]:
    shape = reader.shape(node)
    pads = reader.integers(node, 1, "pads") or ()
    axes = [int(axis) for axis in reader.constant(node, 3)] if reader.has(node, 3) else list(range(len(shape) + 1))
    if len(pads) != 2 * len(axes):
        raise node.invalid(f"pads {pads}: expected two numbers for each of {len(axes)} axes")
    before, after = [0] * len(shape), [0] * len(shape)
    for axis, low, high in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        if low or high:
            position = reader.axis(node, axis, len(shape) + 1)
            before[position], after[position] = low, high
    if any(low + size + high < 1 for low, size, high in zip(before, shape, after, strict=True)):
        raise node.invalid(f"pads {pads} leave nothing of (batch, {', '.join(map(str, shape))})")
    return before, after


def _cropped(node: SourceNode, reader: Reader, before: list[int], after: list[int]) -> Value:
    value = source_of(node, reader)
    if min(*before, *after, 0) >= 0:
        return value
    shape = tuple(size + min(low, 0) + min(high, 0) for low, size, high in zip(before, value.shape, after, strict=True))
    if min(shape) < 1:
        raise node.unsupported(f"it crops all of an axis of (batch, {', '.join(map(str, value.shape))}) and pads it",
                               rule=rules.PAD_CROP.sentence)  # fmt: skip
    starts = tuple(max(-low, 0) for low in before)
    attributes = ShapeAttributes(starts=starts, steps=(1,) * len(starts))
    return move(node, reader, Op.SLICE, shape, attributes, source=value, suffix="crop")


def _filled(node: SourceNode, reader: Reader, value: Value, before: tuple[int, ...], after: tuple[int, ...]) -> Value:
    source = source_of(node, reader, value)
    shape = tuple(sum(three) for three in zip(before, source.shape, after, strict=True))
    fill = _fill(node, reader)
    on_bytes = isinstance(source, Activation) and source.integer
    byte = int(fill) - (128 if node.inputs[0] in reader.unsigned else 0) if on_bytes else None
    attributes = ShapeAttributes(pads_before=before, pads_after=after, fill=byte)
    return move(node, reader, Op.PAD, shape, attributes, source=source, pad_value=0.0 if on_bytes else fill)


def _fill(node: SourceNode, reader: Reader) -> float:
    if not reader.has(node, 2):
        return node.real("value", 0.0)
    value = reader.value(node, 2)
    if isinstance(value, QuantizedConstant):
        real = (value.values.astype(np.float32) - value.zero_points.astype(np.float32)) * value.scales
        return float(real.reshape(-1)[0])
    return float(reader.constant(node, 2).reshape(-1)[0])


def _repeated(
    node: SourceNode, reader: Reader, value: Value, mode: Mode, before: tuple[int, ...], after: tuple[int, ...]
) -> Value:
    """Rows and columns of an image by their source index."""
    source = source_of(node, reader, value)
    spatial = len(source.shape) == 3 and before[0] == after[0] == 0
    rules.PAD_MODE.check(node, f"mode {mode} along another axis than rows and columns", spatial)
    if mode == "reflect":
        pads = zip(before, source.shape, after, strict=True)
        found = f"it reflects further than (batch, {', '.join(map(str, source.shape))}) reaches"
        rules.PAD_REFLECT.check(node, found, all(max(low, high) < size for low, size, high in pads if low or high))
    rows, columns = (
        tuple(int(index) for index in np.pad(np.arange(source.shape[axis]), (before[axis], after[axis]), mode=mode))
        for axis in (1, 2)
    )
    attributes = ShapeAttributes(rows=rows, columns=columns)
    shape = (source.shape[0], len(rows), len(columns))
    return move(node, reader, Op.RESIZE_NEAREST, shape, attributes, source=source)

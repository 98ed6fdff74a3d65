"""Sliding windows: attributes of Conv and pools, and MaxPool.

In: a node on a settled or pending activation. Out: a pending operation. Always: pads are explicit afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from sima_compiler.frontend import rules
from sima_compiler.frontend.moves import TRANSPARENT, moved
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Moving, Pending, Value
from sima_compiler.ir.graph import ConvAttributes, Op, ShapeAttributes

Pair = tuple[int, int]
#: Places at the end that strides beyond the window may leave unread; of more, onnxruntime leaves some out in front.
MOST_UNREAD = -2
#: No activation is lower.
LEAST = float(np.finfo(np.float32).min)


def window_attributes(
    node: SourceNode, size: tuple[int, ...], kernel: tuple[int, ...], groups: int = 1, *, counts_pad: bool = False
) -> ConvAttributes:
    """Kernel, strides, dilations and explicit pads over a map of ``size`` (rows, columns)."""
    strides = cast("Pair", node.integers("strides") or (1, 1))
    dilations = cast("Pair", node.integers("dilations") or (1, 1))
    if not (len(size) == len(kernel) == len(strides) == len(dilations) == 2):
        raise node.unsupported(f"its window has {len(kernel)} dimensions", rule=rules.IMAGE_RANK.sentence)
    if min(*strides, *dilations, *kernel) < 1:
        raise node.invalid("kernel, strides and dilations must be at least 1")
    pads = _pads(node, size, cast("Pair", kernel), strides, dilations)
    return ConvAttributes(cast("Pair", tuple(kernel)), strides, dilations, pads, groups, counts_pad)


def _pads(
    node: SourceNode, size: tuple[int, ...], kernel: Pair, strides: Pair, dilations: Pair
) -> tuple[int, int, int, int]:
    mode = node.text("auto_pad", "NOTSET")
    if mode == "VALID":
        return (0, 0, 0, 0)
    if mode == "NOTSET":
        pads = node.integers("pads") or (0, 0, 0, 0)
        if len(pads) != 4 or min(pads) < 0:
            raise node.invalid(f"pads {pads}: expected four numbers of at least 0")
        return cast("tuple[int, int, int, int]", pads)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise node.invalid(f"auto_pad {mode!r} is no ONNX mode")
    before: list[int] = []
    after: list[int] = []
    for length, window, stride, dilation in zip(size, kernel, strides, dilations, strict=True):
        needed = (-(-length // stride) - 1) * stride + (window - 1) * dilation + 1 - length
        found = f"auto_pad {mode} of {length} places in strides of {stride} would crop {-needed}"
        rules.SAME_PADS.check(node, found, needed >= (MOST_UNREAD if node.operator == "Conv" else 0))
        total = max(needed, 0)
        less, more = total // 2, total - total // 2
        before.append(less if mode == "SAME_UPPER" else more)
        after.append(more if mode == "SAME_UPPER" else less)
    return (before[0], before[1], after[0], after[1])


def window_output(node: SourceNode, size: tuple[int, ...], window: ConvAttributes, *, ceil: bool = False) -> Pair:
    """Rows and columns of the result."""
    top, left, bottom, right = window.pads
    result: list[int] = []
    padded = (size[0] + top + bottom, size[1] + left + right)
    for axis, length in enumerate(padded):
        reach = length - (window.kernel[axis] - 1) * window.dilations[axis] - 1
        if reach < 0:
            raise node.invalid(f"its window is larger than the padded map of {padded[0]} x {padded[1]}")
        stride = window.strides[axis]
        result.append((-(-reach // stride) if ceil else reach // stride) + 1)
    return (result[0], result[1])


def convert_max_pool(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """MaxPool -> Op.MAX_POOL; a maximum commutes with quantization."""
    if any(node.outputs[1:]):
        raise node.unsupported("it also returns indices")
    source = reader.activation(node)
    attributes, shape = pool_window(node, source.shape)
    source, attributes = _with_low_pads(source, attributes)
    pending = Pending(
        Op.MAX_POOL, node.name, (source,), shape, attributes, transparent=node.operator in TRANSPARENT,
        name=node.outputs[0],
    )  # fmt: skip
    return [moved(reader, pending)]


def _with_low_pads(source: Moving, window: ConvAttributes) -> tuple[Moving, ConvAttributes]:
    """A Pad with minus infinity (or float32's least) in front of a maximum is padding of the window."""
    fills = source.attributes if isinstance(source, Pending) and source.op is Op.PAD else None
    if not isinstance(source, Pending) or not isinstance(fills, ShapeAttributes) or source.pad_value > LEAST:
        return source, window
    if fills.pads_before[0] or fills.pads_after[0]:
        return source, window
    more = (*fills.pads_before[1:], *fills.pads_after[1:])
    pads = cast("tuple[int, int, int, int]", tuple(map(sum, zip(window.pads, more, strict=True))))
    return source.inputs[0], replace(window, pads=pads)


def pool_window(node: SourceNode, shape: tuple[int, ...]) -> tuple[ConvAttributes, tuple[int, ...]]:
    """A pool's window over a map of per-sample ``shape``, and the shape of its result."""
    rules.IMAGE_RANK.check(node, f"its input has {len(shape) + 1} dimensions", shape)
    kernel = node.integers("kernel_shape")
    if kernel is None:
        raise node.invalid("kernel_shape is missing")
    counts_pad = bool(node.integer("count_include_pad", 0))
    attributes = window_attributes(node, shape[1:], kernel, counts_pad=counts_pad)
    rules.POOL_DILATION.check(node, f"dilations {attributes.dilations}", attributes.dilations)
    rules.POOL_SIZE.check(node, f"window {attributes.kernel}", attributes.kernel)
    rules.POOL_STRIDE.check(node, f"strides {attributes.strides}", attributes.strides)
    floor = window_output(node, shape[1:], attributes)
    rounded = window_output(node, shape[1:], attributes, ceil=bool(node.integer("ceil_mode", 0)))
    rules.POOL_CEIL.check(node, f"ceil_mode gives {rounded}, rounding down {floor}", rounded, floor)
    return attributes, (shape[0], *floor)

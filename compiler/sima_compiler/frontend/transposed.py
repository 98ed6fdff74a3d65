"""ConvTranspose: every input value lays its weights on the result, a stride apart.

In: a node whose activation is settled and whose weights came through DequantizeLinear. Out: one pending operation.
Always: what the result leaves out at each side is explicit afterwards; the bias is a real (of steps of sx * sw, to
which onnxruntime rounds it too), for there is no form of the operator on bytes and it is added when all is summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from sima_compiler.frontend import rules
from sima_compiler.frontend.functions import real_constant
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Constant, Pending, QuantizedConstant, Value
from sima_compiler.frontend.weighted import spread_real, symmetric_weights
from sima_compiler.ir.graph import ConvAttributes, Float32Array, Int8Array, Op, Weights

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Edge:
    """One axis of the result: its length, and how much of all that was laid down is left out before and behind it;
    negative behind where the result is longer.
    """

    length: int
    before: int
    behind: int


def convert_conv_transpose(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """ConvTranspose -> Op.CONV_TRANSPOSE; rank 4, one group or depthwise, strides inside the rules."""
    source = reader.settled(node)
    rules.IMAGE_RANK.check(node, f"its input has {len(source.shape) + 1} dimensions", source.shape)
    channels, groups = source.shape[0], node.integer("group", 1)
    constant = reader.quantized_constant(node, 1)
    if constant.values.ndim != 4 or constant.values.shape[0] != channels or channels % max(groups, 1):
        raise node.invalid(f"weights {constant.values.shape} with {groups} groups do not fit input {source.shape}")
    depthwise = groups == channels and constant.values.shape[1] == 1
    rules.TRANSPOSED_GROUPS.check(node, f"{groups} groups of {channels} channels", groups == 1 or depthwise)
    axis = 0 if groups > 1 and constant.axis % 4 == 0 else 1
    values, scales = symmetric_weights(node, constant, axis)
    kernel = cast("Pair", values.shape[2:])
    if (node.integers("kernel_shape") or kernel) != kernel:
        raise node.invalid(f"kernel_shape {node.integers('kernel_shape')} does not fit weights {values.shape}")
    strides, dilations = (cast("Pair", node.integers(name) or (1, 1)) for name in ("strides", "dilations"))
    if len(strides) != 2 or len(dilations) != 2:
        raise node.invalid(f"strides {strides} and dilations {dilations}: expected two numbers each")
    rules.TRANSPOSED_STRIDE.check(node, f"strides {strides}", strides, groups > 1)
    rules.TRANSPOSED_DILATION.check(node, f"dilations {dilations}", dilations)
    rows, columns = (_edge(node, source.shape[1:], kernel, strides, place) for place in (0, 1))
    pads = (rows.before, columns.before, rows.behind, columns.behind)
    weights = _weights(node, reader, _outputs_first(values, groups), scales)
    attributes = ConvAttributes(kernel, strides, pads=pads, groups=groups)
    shape = (weights.values.shape[0], rows.length, columns.length)
    return [
        Pending(
            Op.CONV_TRANSPOSE, node.name, (source,), shape, attributes, weights,
            real_bias=_real_bias(node, reader, shape[0]), always_real=True,
        )
    ]  # fmt: skip


def _outputs_first(values: Int8Array, groups: int) -> Int8Array:
    """(Cin, Cout / groups, kh, kw), as ONNX has them, as (Cout, Cin / groups, kh, kw)."""
    channels, outputs, *kernel = values.shape
    split = values.reshape(groups, channels // groups, outputs, *kernel)
    return np.ascontiguousarray(split.swapaxes(1, 2).reshape(groups * outputs, channels // groups, *kernel))


def _weights(node: SourceNode, reader: Reader, values: Int8Array, scales: Float32Array) -> Weights:
    """Weights without a bias of their own. With groups, scales of one group count for all of them."""
    outputs = values.shape[0]
    if scales.size > 1:
        scales = np.tile(scales, outputs // scales.size)
    return Weights(values, scales, np.zeros(outputs, np.int32), has_bias=reader.has(node, 2))


def _real_bias(node: SourceNode, reader: Reader, outputs: int) -> Float32Array:
    if not reader.has(node, 2):
        return np.zeros(outputs, np.float32)
    value = reader.value(node, 2)
    rules.WEIGHTS_CONSTANT.check(node, "its bias is no constant", isinstance(value, Constant | QuantizedConstant))
    assert isinstance(value, Constant | QuantizedConstant), "checked above"
    real = real_constant(value)
    if real.size not in (1, outputs):
        raise node.invalid(f"its bias has {real.size} entries for {outputs} output channels")
    return spread_real(real, outputs)


def _edge(node: SourceNode, size: tuple[int, ...], kernel: Pair, strides: Pair, place: int) -> Edge:
    """Length and margins along one axis, as onnxruntime works them out."""
    more = (node.integers("output_padding") or (0, 0))[place]
    if not 0 <= more < max(strides[place], 1):
        raise node.invalid(f"output_padding {more} reaches as far as the stride {strides[place]}")
    laid = (size[place] - 1) * strides[place] + kernel[place]
    mode, wanted = node.text("auto_pad", "NOTSET"), node.integers("output_shape")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise node.invalid(f"auto_pad {mode!r} is no ONNX mode")
    if wanted is not None:
        return _of_length(node, wanted[-2:][place], laid, more, mode)
    if mode.startswith("SAME"):
        return _of_length(node, min(size[place] * strides[place], laid + more), laid, more, mode)
    pads = (0, 0, 0, 0) if mode == "VALID" else node.integers("pads") or (0, 0, 0, 0)
    if len(pads) != 4 or min(pads) < 0:
        raise node.invalid(f"pads {pads}: expected four numbers of at least 0")
    length = laid + more - pads[place] - pads[place + 2]
    if length < 1:
        raise node.invalid(f"its pads {pads} leave nothing of {laid + more} places")
    return Edge(length, pads[place], pads[place + 2] - more)


def _of_length(node: SourceNode, length: int, laid: int, more: int, mode: str) -> Edge:
    """The margins that leave ``length`` places of ``laid``: an odd one behind with SAME_UPPER, in front otherwise."""
    total = laid + more - length
    if total < 0 or length < 1:
        raise node.invalid(f"its result of {length} places is no part of the {laid + more} that it makes")
    before = total // 2 if mode == "SAME_UPPER" else total - total // 2
    return Edge(length, before, laid - before - length)

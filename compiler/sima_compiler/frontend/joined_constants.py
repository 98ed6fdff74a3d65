"""A Concat of activations and constants, such as the class token in front of the patches of a vision transformer.

In: a pending Concat whose quantization is known, its parts as tensors. Out: nodes of the graph. Always: exact, because
a sum of two operands under the result's own scale rounds nothing, and one of the two is zero everywhere.

::

    before: Concat(token (1, C), patches (16, C))      after: Pad(patches) in front, Add of a constant (17, C)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sima_compiler.arithmetic import FULL_RANGE, quantize, quantize_bounds
from sima_compiler.frontend.values import Activation, Pending
from sima_compiler.ir.graph import ConstantOperand, Float32Array, Node, Op, Quantization, ShapeAttributes

if TYPE_CHECKING:
    from sima_compiler.frontend.builder import GraphBuilder


def join_constants(
    builder: GraphBuilder, value: Pending, parts: tuple[Activation, ...], quant: Quantization, name: str
) -> Activation:
    """Nodes of the whole Concat; the result is called ``name``."""
    assert isinstance(value.attributes, ShapeAttributes), "a Concat has an axis"
    axis = value.attributes.axis
    padded = [_padded(builder, value, part, place, len(parts)) for place, part in enumerate(parts)]
    joined = padded[0]
    if len(padded) > 1 or builder.quant(joined) != quant:
        joined = builder.tensor(f"{name}_parts", value.shape, quant)
        inputs = tuple(part.tensor for part in padded)
        builder.append(Node(f"{value.source}_parts", Op.CONCAT, inputs, joined.tensor, ShapeAttributes(axis=axis),
                            source=value.source))  # fmt: skip
    target = builder.tensor(name, value.shape, quant)
    constant = ConstantOperand(_spread(value, parts, axis, quant), quant)
    clamp = quantize_bounds(*value.bounds, quant) if value.fused else FULL_RANGE
    builder.append(Node(value.source, Op.ADD, (joined.tensor,), target.tensor, constant=constant, clamp=clamp,
                        fused=value.fused, source=value.source))  # fmt: skip
    return target


def _padded(builder: GraphBuilder, value: Pending, part: Activation, place: int, count: int) -> Activation:
    """A part with room for the constants in front of it, the last one with room for those behind it too."""
    assert isinstance(value.attributes, ShapeAttributes), "a Concat has an axis"
    axis = value.attributes.axis
    before, behind = _room(value, place, axis), _room(value, count, axis) if place + 1 == count else 0
    if not before and not behind:
        return part
    shape = list(part.shape)
    shape[axis] += before + behind
    pads = [tuple(size if at == axis else 0 for at in range(len(shape))) for size in (before, behind)]
    target = builder.tensor(f"{value.source}_room_{place}", tuple(shape), builder.quant(part))
    attributes = ShapeAttributes(pads_before=pads[0], pads_after=pads[1])
    builder.append(Node(f"{value.source}_room_{place}", Op.PAD, (part.tensor,), target.tensor, attributes,
                        source=value.source))  # fmt: skip
    return target


def _room(value: Pending, place: int, axis: int) -> int:
    return sum(constant.real.shape[axis] for constant in value.joined if constant.place == place)


def _spread(value: Pending, parts: tuple[Activation, ...], axis: int, quant: Quantization) -> np.ndarray:
    """The result's constants as bytes in their places, zero everywhere else."""
    pieces: list[Float32Array] = []
    for place in range(len(parts) + 1):
        pieces += [constant.real for constant in value.joined if constant.place == place]
        pieces += [np.zeros(parts[place].shape, np.float32)] if place < len(parts) else []
    return quantize(np.concatenate(pieces, axis=axis), quant)

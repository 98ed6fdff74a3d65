"""Arithmetic on quantized constants: grids of anchors that exporters compute out of shapes, with Q and DQ between.

In: a node all of whose inputs are constants, at least one behind a DequantizeLinear. Out: a constant. Always: what
onnxruntime computes when the network runs, for it folds nothing behind a DequantizeLinear: an Add or Mul of two with a
QuantizeLinear right behind is one on bytes, everything else float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx

from sima_compiler import arithmetic
from sima_compiler.frontend.functions import real_constant
from sima_compiler.frontend.integers import scale_and_zero_point
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.shapes import fold_constants
from sima_compiler.frontend.values import Constant, QuantizedConstant, Value, parameters
from sima_compiler.ir.graph import Int8Array, Op, Quantization
from sima_compiler.ir.layers import BinaryOp

ON_BYTES = {"Add": BinaryOp.ADD, "Mul": BinaryOp.MUL}
#: int8 frame -> uint8 bytes.
SHIFT = arithmetic.UINT8_SHIFT


def are_constants(node: SourceNode, given: Sequence[Value]) -> bool:
    """Whether all inputs are constants, at any batch, and at least one is behind a DequantizeLinear."""
    complete = len(given) == sum(1 for name in node.inputs if name)
    known = all(isinstance(value, Constant | QuantizedConstant) for value in given)
    return complete and known and any(isinstance(value, QuantizedConstant) for value in given)


def fold_reals(proto: onnx.NodeProto, node: SourceNode, reader: Reader) -> Sequence[Value]:
    """The node's results in float32; operands that onnxruntime adds or multiplies as bytes are remembered."""
    given = {name: reader.values[name] for name in node.inputs if name}
    quantized = {name: value for name, value in given.items() if isinstance(value, QuantizedConstant)}
    sides = [given.get(name) for name in node.inputs]
    if node.operator in ON_BYTES and len(sides) == 2:
        left, right = sides
        if isinstance(left, QuantizedConstant) and isinstance(right, QuantizedConstant):
            reader.constant_pairs[node.outputs[0]] = (node.operator, left, right)
    try:
        reader.values.update({name: Constant(real_constant(value)) for name, value in quantized.items()})
        return fold_constants(proto, node, reader)
    finally:
        reader.values.update(quantized)


def quantized_pair(node: SourceNode, reader: Reader) -> Value | None:
    """What a QuantizeLinear right behind an Add or Mul of two quantized constants gives; None behind anything else."""
    name = node.inputs[0]
    if name not in reader.constant_pairs or reader.readers[name] != 1:
        return None
    operator, left, right = reader.constant_pairs[name]
    bytes_of = [_in_frame(side) for side in (left, right)]
    if any(side is None for side in bytes_of):
        return None
    constants = [reader.constant(node, place) for place in (1, 2) if reader.has(node, place)]
    quant, unsigned = scale_and_zero_point(node, constants)
    (a, qa), (b, qb) = (side for side in bytes_of if side is not None)
    if operator == str(Op.ADD) and a.size < b.size:
        (a, qa), (b, qb) = (b, qb), (a, qa)
    result = arithmetic.binary(ON_BYTES[operator], a, b, qa, qb, quant)
    return Constant((result.astype(np.int16) + SHIFT).astype(np.uint8) if unsigned else result)


def _in_frame(value: QuantizedConstant) -> tuple[Int8Array, Quantization] | None:
    """Values in the int8 frame; None where they are no bytes of one scale."""
    values: npt.NDArray[np.generic] = value.values
    if values.dtype not in (np.int8, np.uint8) or value.scales.size != 1 or value.zero_points.size != 1:
        return None
    unsigned = values.dtype == np.uint8
    quant = parameters(float(value.scales.reshape(-1)[0]), int(value.zero_points.reshape(-1)[0]), unsigned=unsigned)
    return (values.astype(np.int16) - (SHIFT if unsigned else 0)).astype(np.int8), quant

"""Adds and products of constants that onnxruntime computes on bytes, and folds as little as anything behind a DQ.

In: nodes in order and the graph that they are of. Out: names of the results of such nodes: an Add or Mul of two
dequantized values whose only reader is a QuantizeLinear. Always: they stay nodes here, for the reader has the bytes
(`constant_reals`): in float32 values half-way between two steps would round to the other one. Constants of int8 are
folded: onnxruntime for x86 has such operators on int8 in float32.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import onnx
from onnx import TensorProto

from sima_compiler.frontend.constants.ordering import is_quantizer, is_standard


def sums_on_bytes(nodes: Iterable[onnx.NodeProto], graph: onnx.GraphProto) -> frozenset[str]:
    """Results of Adds and Muls between DequantizeLinear of uint8 on both sides and one QuantizeLinear behind."""
    listed, outputs = list(nodes), {entry.name for entry in graph.output}
    unsigned = {entry.name for entry in graph.initializer if entry.data_type == TensorProto.UINT8}
    reads = Counter(name for node in listed for name in node.input)
    dequantized = {
        node.output[0]
        for node in listed
        if is_quantizer(node, "DequantizeLinear") and node.output and node.input[0] in unsigned
    }
    quantized = {node.input[0] for node in listed if is_quantizer(node, "QuantizeLinear") and node.input}
    return frozenset(
        node.output[0]
        for node in listed
        if is_standard(node, "Add", "Mul")
        and len(node.input) == 2
        and set(node.input) <= dequantized
        and len(node.output) == 1
        and node.output[0] in quantized
        and reads[node.output[0]] == 1
        and node.output[0] not in outputs
    )
